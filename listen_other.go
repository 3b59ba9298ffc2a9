//go:build !unix

package mortise

import "net"

// listenPrivately makes a socket; where there are no modes, its folder's protection is what counts.
func listenPrivately(path string) (net.Listener, error) { return net.Listen("unix", path) }
