//go:build !unix

package mortise

import (
	"os"
	"path/filepath"
	"time"
)

// A fileStamp tells one version of a file from another without reading it.
type fileStamp struct {
	target   string // where symbolic links lead
	size     int64
	modified time.Time
}

// stampOf is the zero stamp for a file that is not there: while an editor replaces it, for example.
func stampOf(path string) fileStamp {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fileStamp{}
	}
	info, err := os.Stat(target)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{target, info.Size(), info.ModTime()}
}
