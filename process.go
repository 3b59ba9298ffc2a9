package mortise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

const (
	// pipeGrace is how long the output of a plugin that has ended is read on. It matters only if a
	// child of the plugin holds the pipes.
	pipeGrace = time.Second
	// termGrace is how long a plugin whose start is given up may take to end by itself.
	termGrace = 3 * time.Second
	// exitGrace is for a program that has closed its output and is about to exit: its status says more
	// than that it was killed.
	exitGrace = 300 * time.Millisecond
	// orderlyGrace is how long a plugin may take to end when it was asked to; then an embedded server
	// has written its checkpoint.
	orderlyGrace = 15 * time.Second
)

// A process is one run of the plugin. It implements go-plugin's runner.Runner, in place of the one
// that comes with it, so that the host learns of the end at once and can be patient with it.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr io.ReadCloser
	hello          firstLine
	tail           tail
	running        atomic.Pointer[os.Process] // nil until it was started
	exited         chan struct{}              // closed when the process has ended
	unwanted       atomic.Bool                // its start was given up
	patient        atomic.Bool                // Kill waits for an orderly end
}

var _ runner.Runner = (*process)(nil)

func newProcess(program string, args, env []string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), exited: make(chan struct{})}
	p.cmd.Env = env
	var err error
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if p.stderr, err = p.cmd.StderrPipe(); err != nil {
		return nil, err
	}
	return p, nil
}

// Start starts the process.
func (p *process) Start(context.Context) error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.running.Store(p.cmd.Process)
	if p.unwanted.Load() {
		go p.giveUp()
	}
	go func() {
		// Process.Wait and not Cmd.Wait, which closes the pipes at once.
		if state, err := p.cmd.Process.Wait(); err == nil {
			p.cmd.ProcessState = state
		}
		close(p.exited)
		time.AfterFunc(pipeGrace, p.closePipes)
	}()
	return nil
}

func (p *process) closePipes() {
	_ = p.stdout.Close()
	_ = p.stderr.Close()
}

// Wait returns when the process has ended and its output was read.
func (p *process) Wait(context.Context) error {
	<-p.exited
	p.closePipes()
	if state := p.cmd.ProcessState; state != nil && !state.Success() {
		return errors.New(state.String())
	}
	return nil
}

// Kill ends the process, at the latest when its time for an orderly end is over.
func (p *process) Kill(context.Context) error {
	running := p.running.Load()
	if running == nil {
		return nil
	}
	grace := exitGrace
	if p.patient.Load() {
		grace = orderlyGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
	}
	_ = running.Kill() // it may have ended already
	return nil
}

// giveUp ends a process that is still starting.
func (p *process) giveUp() {
	p.unwanted.Store(true)
	running := p.running.Load()
	if running == nil {
		return // Start will see it
	}
	_ = running.Signal(syscall.SIGTERM)
	timer := time.NewTimer(termGrace)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		_ = running.Kill()
	}
}

// Stdout is where the handshake comes from.
func (p *process) Stdout() io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(p.stdout, &p.hello), p.stdout}
}

// Stderr is where the log comes from.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Name is the program.
func (p *process) Name() string { return p.cmd.Path }

// ID is the process id.
func (p *process) ID() string { return strconv.Itoa(p.pid()) }

func (p *process) pid() int {
	if running := p.running.Load(); running != nil {
		return running.Pid
	}
	return 0
}

// ended describes how the process ended, once it has.
func (p *process) ended() string {
	<-p.exited
	if p.cmd.ProcessState == nil {
		return "ended"
	}
	return p.cmd.ProcessState.String()
}

// Diagnose adds nothing; what is known about a failure is put together by startError.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost changes nothing: both live on the same machine.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin is like PluginToHost.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// firstLine keeps the beginning of what is written to it: the handshake.
type firstLine struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps at most some hundred bytes.
func (f *firstLine) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, p[:min(len(p), 512-len(f.text))]...)
	return len(p), nil
}

// protocol returns the version that the plugin has chosen, if what it said is a handshake.
func (f *firstLine) protocol() (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fields := strings.Split(string(f.text), "|")
	if len(fields) < 4 {
		return 0, false
	}
	version, err := strconv.Atoi(fields[1])
	return version, err == nil
}

// tail keeps the last lines of the plugin's standard error, for the error of a failed start.
type tail struct {
	mu    sync.Mutex
	rest  []byte
	lines []string
}

const tailLines = 100

// Write takes pieces of lines.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = append(t.rest, p...)
	for {
		line, rest, found := bytes.Cut(t.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		t.rest = append([]byte{}, rest...)
		if t.lines = append(t.lines, string(line)); len(t.lines) > tailLines {
			t.lines = t.lines[1:]
		}
	}
}

// text returns what the lines say, log entries in words, the unimportant ones left out.
func (t *tail) text() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var said []string
	for _, line := range t.lines {
		var entry struct {
			Level   string `json:"@level"`
			Message string `json:"@message"`
			Error   string `json:"error"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Message == "" {
			said = append(said, line)
			continue
		}
		if entry.Level != "error" && entry.Level != "warn" {
			continue
		}
		if entry.Error != "" {
			entry.Message += ": " + entry.Error
		}
		said = append(said, entry.Message)
	}
	return said
}
