//go:build unix && !aix && !solaris

package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"
)

const (
	// quitGrace is how long an immediate shutdown may take. The postmaster itself kills its
	// children five seconds after SIGQUIT.
	quitGrace = 10 * time.Second
	// drainGrace is how long children may outlive the postmaster before they are left alone.
	drainGrace = 10 * time.Second
)

// A process is one run of the server: the postmaster, and the pipe with the log of all its children.
type process struct {
	name    string // of this run; see runSetting
	cmd     *exec.Cmd
	log     *serverLog
	logPipe *os.File
	exited  chan struct{} // closed when the postmaster has ended
	drained chan struct{} // closed when its children have, too: they hold the pipe's other end
}

// startProcess starts the postmaster. SIGINT is its "fast shutdown": should the program be killed,
// the kernel sends it (where it can), and the server ends in order.
func startProcess(a account, bin installation, l layout, args []string, logger *slog.Logger) (*process, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	name := rand.Text()
	cmd := exec.Command(bin.program("postgres"), append(slices.Clip(args), "-c", runSetting+"="+name)...)
	cmd.Dir = l.cluster
	cmd.Env = childEnvironment()
	cmd.Stdout, cmd.Stderr = writer, writer
	cmd.SysProcAttr = a.attributes(syscall.SIGINT)
	p := &process{
		name: name, cmd: cmd, log: &serverLog{out: logger}, logPipe: reader,
		exited: make(chan struct{}), drained: make(chan struct{}),
	}
	started := make(chan error)
	go p.run(started)
	err = <-started
	writer.Close() // the children have their own
	if err != nil {
		reader.Close()
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Path, err)
	}
	go func() {
		defer close(p.drained)
		p.log.forward(reader)
	}()
	return p, nil
}

// run makes the child and waits for it, on one thread that lives as long: when that thread ends,
// the kernel takes it for the parent's death.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // the state is in cmd.ProcessState
	close(p.exited)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// ended describes how the process ended.
func (p *process) ended() string { return p.cmd.ProcessState.String() }

func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot signal the server (pid %d): %w", p.pid(), err)
	}
	return nil
}

// stop shuts down fast: sessions are ended, a checkpoint is written. When ctx ends it shuts down
// immediately, which leaves recovery to the next start, and says so in its error.
func (p *process) stop(ctx context.Context) error {
	defer p.drain()
	if !p.running() {
		return nil
	}
	if err := p.signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
	}
	if err := p.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	timer := time.NewTimer(quitGrace)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		if err := p.kill(); err != nil {
			return err
		}
	}
	return fmt.Errorf("the server did not shut down in time and was stopped without a checkpoint; its next start recovers: %w", context.Cause(ctx))
}

// kill ends the postmaster as a crash would. Its children notice and end by themselves.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	p.drain()
	return nil
}

// drain waits until no process of the server is left, within reason, and closes the pipe.
func (p *process) drain() {
	timer := time.NewTimer(drainGrace)
	defer timer.Stop()
	select {
	case <-p.drained:
	case <-timer.C:
	}
	p.logPipe.Close() // ends the reader, too; closing twice is harmless
	<-p.drained
}
