//go:build unix && !aix && !solaris && !linux

package embedded

import (
	"os/exec"
	"strconv"
	"strings"
)

// processArguments returns the command line of a process as ps tells it; nil if it has ended. ps
// does not quote, so what follows -D up to the next option is put together again.
func processArguments(pid int) []string {
	out, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil
	}
	program, rest, found := strings.Cut(strings.TrimSpace(string(out)), " -D ")
	if !found {
		return nil
	}
	folder, _, _ := strings.Cut(rest, " -c ")
	return []string{program, "-D", folder}
}
