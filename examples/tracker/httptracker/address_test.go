package httptracker

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestAddresses(t *testing.T) {
	proxies := AddressRules{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	other := proxies
	other.ProxyHeader = "X-Real-Ip"
	trusting := AddressRules{FromParameters: true}
	for _, tt := range []struct {
		name   string
		rules  AddressRules
		socket string
		header map[string][]string
		query  string
		want   string // empty: refused
	}{
		{"socket", AddressRules{}, "192.0.2.1:99", nil, "", "[192.0.2.1:6881]"},
		{"IPv6", AddressRules{}, "[2001:db8::1]:99", nil, "", "[[2001:db8::1]:6881]"},
		{"mapped", AddressRules{}, "[::ffff:192.0.2.1]:99", nil, "", "[192.0.2.1:6881]"},
		{"zone", AddressRules{}, "[fe80::1%eth0]:99", nil, "", "[[fe80::1]:6881]"},
		{"no address", AddressRules{}, "@", nil, "", ""},
		{"parameters are not believed", AddressRules{}, "192.0.2.1:99", nil, "ip=198.51.100.1&ipv6=2001:db8::1", "[192.0.2.1:6881]"},
		{"header is not believed", AddressRules{}, "192.0.2.1:99", map[string][]string{"X-Forwarded-For": {"198.51.100.1"}}, "", "[192.0.2.1:6881]"},
		{"header of a stranger", proxies, "192.0.2.1:99", map[string][]string{"X-Forwarded-For": {"198.51.100.1"}}, "", "[192.0.2.1:6881]"},
		{"header of a proxy", proxies, "10.1.1.1:99", map[string][]string{"X-Forwarded-For": {"198.51.100.1"}}, "", "[198.51.100.1:6881]"},
		{"what the client wrote into it", proxies, "10.1.1.1:99", map[string][]string{"X-Forwarded-For": {"203.0.113.5, 198.51.100.1"}}, "", "[198.51.100.1:6881]"},
		{"two proxies", proxies, "10.1.1.1:99", map[string][]string{"X-Forwarded-For": {"203.0.113.5", "198.51.100.1, 10.2.2.2"}}, "", "[198.51.100.1:6881]"},
		{"another header", other, "10.1.1.1:99", map[string][]string{"X-Real-Ip": {"2001:db8::9"}}, "", "[[2001:db8::9]:6881]"},
		{"a proxy that says nothing", proxies, "10.1.1.1:99", nil, "", ""},
		{"a proxy that says nonsense", proxies, "10.1.1.1:99", map[string][]string{"X-Forwarded-For": {"unknown"}}, "", ""},
		{"ip", trusting, "192.0.2.1:99", nil, "ip=198.51.100.1", "[198.51.100.1:6881]"},
		{"ip that is none", trusting, "192.0.2.1:99", nil, "ip=example.org", ""},
		{"ipv6 beside", trusting, "192.0.2.1:99", nil, "ipv6=2001:db8::1", "[192.0.2.1:6881 [2001:db8::1]:6881]"},
		{"ipv6 with port", trusting, "192.0.2.1:99", nil, "ipv6=[2001:db8::1]:7000", "[192.0.2.1:6881 [2001:db8::1]:7000]"},
		{"ipv4 beside", trusting, "[2001:db8::1]:99", nil, "ipv4=192.0.2.1", "[[2001:db8::1]:6881 192.0.2.1:6881]"},
		{"the same again", trusting, "192.0.2.1:99", nil, "ipv4=192.0.2.1", "[192.0.2.1:6881]"},
		{"wrong family", trusting, "192.0.2.1:99", nil, "ipv6=192.0.2.2", ""},
	} {
		r := httptest.NewRequest("GET", "/announce?"+tt.query, nil)
		r.RemoteAddr = tt.socket
		for name, values := range tt.header {
			r.Header[name] = values
		}
		p, err := parseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tt.rules.addresses(r, p, 6881)
		if text := fmt.Sprint(got); (err == nil) != (tt.want != "") || err == nil && text != tt.want {
			t.Errorf("%s: %s, %v; want %q", tt.name, text, err, tt.want)
		}
	}
}
