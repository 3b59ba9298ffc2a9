package embedded

import (
	"fmt"
	"os"
	"strings"
)

// processArguments returns the command line of a process; nil if it has ended, reaped or not.
func processArguments(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}
