//go:build unix

package mortise

import (
	"net"
	"syscall"
)

// listenPrivately makes a socket with mode 0600. The mask makes the mode right from the first moment
// on; it is the whole process's, but nothing else makes files in it yet.
func listenPrivately(path string) (net.Listener, error) {
	mask := syscall.Umask(0o177)
	defer syscall.Umask(mask)
	return net.Listen("unix", path)
}
