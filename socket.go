package mortise

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"
)

const (
	// longestSocket is the longest path of a socket that every system takes: sockaddr_un has 104
	// bytes on macOS and the BSDs, 108 on Linux, with a closing zero.
	longestSocket = 103
	// socketNameLength is that of go-plugin's sockets, /plugin4294967295.
	socketNameLength = len("/plugin") + 10
	// socketDirPrefix begins the names of the folders that go-plugin's host makes for them.
	socketDirPrefix = "plugin-dir"
	// shortBase is where sockets go if the usual folder has too long a name.
	shortBase = "/tmp"
)

// A socketDir is the folder in which go-plugin's server makes its socket.
type socketDir struct {
	own  string // made here, for lack of a short one
	host string // made by the host
}

// shortSocketDir makes sure that the socket's path fits into the system's limit, where otherwise the
// plugin would fail to start for nothing but a long TMPDIR.
func shortSocketDir() (socketDir, error) {
	dir := os.Getenv(goplugin.EnvUnixSocketDir)
	if dir == "" {
		dir = os.TempDir()
	}
	if fitsSocket(dir) {
		return socketDir{host: os.Getenv(goplugin.EnvUnixSocketDir)}, nil
	}
	own, err := os.MkdirTemp(shortBase, "mortise-")
	if err != nil {
		return socketDir{}, fmt.Errorf("the path of %s is too long for a socket, and no other place was found: %w; set TMPDIR to a shorter one", dir, err)
	}
	if err := os.Setenv(goplugin.EnvUnixSocketDir, own); err != nil {
		return socketDir{}, err
	}
	return socketDir{own: own}, nil
}

func fitsSocket(dir string) bool { return len(dir)+socketNameLength <= longestSocket }

// remove removes the folder. That of the host is the host's to remove; but if the host is dead there
// is nobody else, and it goes if it is one that go-plugin made for this purpose, and empty.
func (d socketDir) remove() {
	if d.own != "" {
		_ = os.RemoveAll(d.own)
	}
	if strings.HasPrefix(filepath.Base(d.host), socketDirPrefix) {
		_ = os.Remove(d.host)
	}
}

// socketBase is where a host lets go-plugin make the folder for a plugin's socket.
func socketBase() string {
	base := os.TempDir()
	if !fitsSocket(filepath.Join(base, socketDirPrefix+"4294967295")) {
		return shortBase
	}
	return base
}
