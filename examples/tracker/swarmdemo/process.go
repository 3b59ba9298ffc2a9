package swarmdemo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// A process is a child in a process group of its own, so that Ctrl-C on the terminal reaches only
// the demo, which then ends its children in order.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}
	err   error // valid after ended is closed
}

// launcher starts all children from one thread that lives as long as the demo: the kernel ends a
// child with the thread that started it (see endWithParent).
type launcher struct {
	work chan func()
}

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

// start runs a command. Its standard output goes to out, its standard error to the file logPath;
// a nil out goes there too.
func (l *launcher) start(cmd *exec.Cmd, out io.Writer, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	if out == nil {
		out = log
	}
	cmd.Stdout, cmd.Stderr = out, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
	cmd.WaitDelay = time.Second // for output pipes that a grandchild keeps open
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	l.work <- func() {
		var err error
		if p.stdin, err = cmd.StdinPipe(); err == nil {
			err = cmd.Start()
		}
		started <- err
	}
	if err := <-started; err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Path, err)
	}
	go func() {
		p.err = cmd.Wait()
		_ = log.Close()
		close(p.ended)
	}()
	return p, nil
}

// running says whether the process has not ended by itself.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// signal asks the process to end.
func (p *process) signal(s os.Signal) error {
	err := p.cmd.Process.Signal(s)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// stop ends the process: by a signal first, by force after grace. It returns when the process and
// its group are gone.
func (p *process) stop(s os.Signal, grace time.Duration) {
	if p.running() {
		_ = p.signal(s)
		_ = p.stdin.Close()
		select {
		case <-p.ended:
		case <-time.After(grace):
		}
	}
	// The group outlives its leader if that left children behind.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}
