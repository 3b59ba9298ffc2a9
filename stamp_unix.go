//go:build unix

package mortise

import "golang.org/x/sys/unix"

// A fileStamp tells one version of a file from another without reading it. The identity is that of what
// a path leads to, so exchanging a symbolic link on the way is seen, though size and time may be
// equal; the time of the last change of status is seen where the other time was set back on purpose.
type fileStamp struct {
	device, inode     uint64
	size              int64
	modified, changed unix.Timespec
}

// stampOf is the zero stamp for a file that is not there: while an editor replaces it, for example.
func stampOf(path string) fileStamp {
	var info unix.Stat_t
	if unix.Stat(path, &info) != nil {
		return fileStamp{}
	}
	return fileStamp{uint64(info.Dev), uint64(info.Ino), info.Size, info.Mtim, info.Ctim}
}
