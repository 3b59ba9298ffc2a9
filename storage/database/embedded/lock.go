//go:build unix && !aix && !solaris

package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// acquireLock takes the data folder for this program: an advisory lock on a file, which the kernel
// releases when the program ends in whatever way. The file stays; removing it would let two
// programs lock two files of the same name.
func acquireLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w by %s (lock file %s); run one `mortise serve --listen` for several hosts, or use another data folder",
				ErrInUse, lockHolder(f), path)
		}
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	if err := writeHolder(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	return f, nil
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// lockHolder names the program that holds the lock. It may not have written its pid yet.
func lockHolder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	pid, parseErr := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || parseErr != nil:
		return "another program"
	case pid == os.Getpid():
		return fmt.Sprintf("this program (pid %d), which started a server on it before", pid)
	}
	return fmt.Sprintf("the program with pid %d", pid)
}
