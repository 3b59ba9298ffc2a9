package server

import (
	"errors"
	"fmt"
	"net"
)

// sockets are open and not yet served.
type sockets struct {
	tcp []net.Listener
	udp []*net.UDPConn
}

// listen opens all sockets, or none.
func listen(http, udp []string) (sockets, error) {
	var open sockets
	for _, address := range http {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return sockets{}, errors.Join(fmt.Errorf("cannot serve HTTP on %s: %w", address, err), open.close())
		}
		open.tcp = append(open.tcp, listener)
	}
	for _, address := range udp {
		if err := open.listenUDP(address); err != nil {
			return sockets{}, errors.Join(fmt.Errorf("cannot serve UDP on %s: %w", address, err), open.close())
		}
	}
	return open, nil
}

// listenUDP opens a socket for an address. An address without a host gets two, one for each family:
// a single socket for both would show IPv4 clients as IPv6 ones, and could be missing IPv4 at all
// where the system is set up so.
func (s *sockets) listenUDP(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host != "" {
		return s.addUDP("udp", address)
	}
	if err := s.addUDP("udp4", address); err != nil {
		return err
	}
	if port == "0" {
		_, port, err = net.SplitHostPort(s.udp[len(s.udp)-1].LocalAddr().String())
		if err != nil {
			return err
		}
	}
	if err := s.addUDP("udp6", ":"+port); err != nil && !noIPv6() {
		return err
	}
	return nil
}

func (s *sockets) addUDP(network, address string) error {
	resolved, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return err
	}
	socket, err := net.ListenUDP(network, resolved)
	if err != nil {
		return err
	}
	s.udp = append(s.udp, socket)
	return nil
}

// noIPv6 says whether the machine has no IPv6 at all.
func noIPv6() bool {
	probe, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		return true
	}
	_ = probe.Close()
	return false
}

func (s *sockets) close() error {
	var errs []error
	for _, listener := range s.tcp {
		errs = append(errs, listener.Close())
	}
	for _, socket := range s.udp {
		errs = append(errs, socket.Close())
	}
	return errors.Join(errs...)
}
