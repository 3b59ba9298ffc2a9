package httptracker

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

// AddressRules say where a client's address is taken from. The zero value trusts the socket alone.
type AddressRules struct {
	// FromParameters lets clients name their own addresses: ip replaces the socket's (BEP 3),
	// ipv4 and ipv6 are added to it. BEP 7 discourages it, since anybody can name anybody.
	FromParameters bool
	// TrustedProxies may say in ProxyHeader whom they speak for.
	TrustedProxies []netip.Prefix
	// ProxyHeader is a list of addresses, the nearest hop last; default X-Forwarded-For.
	ProxyHeader string
}

// addresses returns the client's addresses, the one it is known by first.
func (a AddressRules) addresses(r *http.Request, p parameters, port uint16) ([]netip.AddrPort, error) {
	source, err := a.source(r)
	if err != nil {
		return nil, err
	}
	found := []netip.AddrPort{netip.AddrPortFrom(source, port)}
	if !a.FromParameters {
		return found, nil
	}
	if text, ok := p.first("ip"); ok {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, announce.Refusal("ip must be an address")
		}
		found[0] = netip.AddrPortFrom(plain(address), port)
	}
	for _, name := range []string{"ipv4", "ipv6"} {
		text, ok := p.first(name)
		if !ok {
			continue
		}
		extra, err := addressWithPort(text, port)
		if err != nil || extra.Addr().Is6() != (name == "ipv6") {
			return nil, announce.Refusal(name + " must be an address of its family")
		}
		if extra != found[0] {
			found = append(found, extra)
		}
	}
	return found, nil
}

// source returns the address that the request came from: the socket's, unless that is a trusted
// proxy; then the last address in the header that is not itself a trusted proxy, since everything
// before it was written by somebody else.
func (a AddressRules) source(r *http.Request) (netip.Addr, error) {
	socket, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, announce.Refusal("address unknown")
	}
	address := plain(socket.Addr())
	if !a.trusts(address) {
		return address, nil
	}
	header := a.ProxyHeader
	if header == "" {
		header = "X-Forwarded-For"
	}
	hops := strings.Split(strings.Join(r.Header.Values(header), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return netip.Addr{}, announce.Refusal("the proxy did not tell the client's address")
		}
		if address = plain(hop); !a.trusts(address) {
			break
		}
	}
	return address, nil
}

func (a AddressRules) trusts(address netip.Addr) bool {
	for _, prefix := range a.TrustedProxies {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// plain is an address without zone, IPv4-mapped IPv6 as the IPv4 that it is.
func plain(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

// addressWithPort reads the two forms that BEP 7 gives ipv6 (and, by analogy, ipv4): an address,
// or an address and a port of its own.
func addressWithPort(text string, port uint16) (netip.AddrPort, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(plain(address), port), nil
	}
	both, err := netip.ParseAddrPort(text)
	if err != nil || both.Port() == 0 {
		return netip.AddrPort{}, announce.Refusal("not an address")
	}
	return netip.AddrPortFrom(plain(both.Addr()), both.Port()), nil
}
