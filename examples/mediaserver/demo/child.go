package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a child may take to end by itself.
const stopGrace = 15 * time.Second

// A child is a process that the demo started. It leads a process group of its own, together with the
// plugin that it starts itself: Ctrl-C on the terminal reaches the demo only, which ends its
// children in order.
type child struct {
	name  string
	cmd   *exec.Cmd
	lines chan string   // of its standard output
	ended chan struct{} // closed when it has ended
	err   error         // valid after that
	once  sync.Once
	// willing says that it ended without force.
	willing bool
}

// launcher starts children from one thread that lives as long as the demo, because the kernel ends a
// child together with the thread that started it (see endWithParent).
type launcher struct{ work chan func() }

func newLauncher() *launcher {
	l := &launcher{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range l.work {
			f()
		}
	}()
	return l
}

func (l *launcher) close() { close(l.work) }

// start runs a command. What it writes to standard error goes to a file.
func (l *launcher) start(name string, cmd *exec.Cmd, logPath string) (*child, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = writer, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
	c := &child{name: name, cmd: cmd, lines: make(chan string, 16), ended: make(chan struct{})}
	started := make(chan error)
	l.work <- func() { started <- cmd.Start() }
	err = <-started
	_ = writer.Close()
	if err != nil {
		_ = reader.Close()
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go c.watch(reader)
	return c, nil
}

// watch reads what the child prints and waits for its end.
func (c *child) watch(out io.ReadCloser) {
	go func() {
		defer out.Close()
		defer close(c.lines)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			select {
			case c.lines <- scanner.Text():
			default: // nobody reads beyond the first
			}
		}
	}()
	c.err = c.cmd.Wait()
	close(c.ended)
}

// ready waits until the child says that it is ready, and returns what it adds.
func (c *child) ready(ctx context.Context) (string, error) {
	select {
	case line, ok := <-c.lines:
		word, rest, _ := strings.Cut(line, " ")
		if ok && word == "ready" {
			return rest, nil
		}
		return "", fmt.Errorf("%s ended or printed something else before it was ready; its log says why", c.name)
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for %s to be ready: %w", c.name, ctx.Err())
	}
}

// signal sends a signal to the child, not to its plugin.
func (c *child) signal(s syscall.Signal) error {
	select {
	case <-c.ended:
		return os.ErrProcessDone
	default:
		return c.cmd.Process.Signal(s)
	}
}

// end ends the child by SIGTERM, and its whole group by force if not all of it is gone after grace. It
// returns whether it ended without force; a second call says what the first said.
func (c *child) end(grace time.Duration) bool {
	c.once.Do(func() {
		_ = c.signal(syscall.SIGTERM)
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		select {
		case <-c.ended:
			// The plugin of a host that was killed takes a moment to notice.
			c.willing = wait(ctx, "the plugin to end", func() (bool, error) { return c.groupGone(), nil }) == nil
		case <-ctx.Done():
		}
		if !c.willing {
			_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
			<-c.ended
		}
	})
	return c.willing
}

// groupGone says whether no process of the child's group is left.
func (c *child) groupGone() bool {
	return errors.Is(syscall.Kill(-c.cmd.Process.Pid, 0), syscall.ESRCH)
}
