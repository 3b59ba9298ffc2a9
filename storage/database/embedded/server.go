//go:build unix && !aix && !solaris

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	defaultStartTimeout = 60 * time.Second
	// abortGrace is how long a server that failed to start may take to stop.
	abortGrace = 10 * time.Second
	// lingerPause is the first pause before the next attempt where an earlier run has not quite
	// ended; it doubles up to longestPause.
	lingerPause  = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// Server is a running PostgreSQL server that belongs to this program. Its methods may be called
// from several goroutines.
type Server struct {
	log      *slog.Logger
	timeout  time.Duration
	layout   layout
	account  account
	binaries installation
	args     []string

	starting sync.Mutex // held by Restart
	mu       sync.Mutex // guards what follows
	lock     *os.File   // nil when stopped
	process  *process   // the latest run
	stopped  bool       // no run follows
}

// Start starts the server, in a new data folder or on the data of earlier runs, and returns when
// it accepts connections and has the role and the database. ctx bounds the start only; the server
// runs until Stop, or until the program ends in whatever way.
//
// One data folder serves one program at a time; the error for the second wraps ErrInUse.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, o Options) (*Server, error) {
	settings, err := checkSettings(o.Settings)
	if err != nil {
		return nil, err
	}
	s := &Server{log: o.Logger, timeout: o.StartTimeout}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.timeout <= 0 {
		s.timeout = defaultStartTimeout
	}
	if s.layout, err = openFolder(o.DataDir); err != nil {
		return nil, err
	}
	if s.lock, err = acquireLock(s.layout.lock); err != nil {
		return nil, err
	}
	if err = s.prepare(ctx); err == nil {
		s.args = arguments(s.layout, s.binaries.major, settings)
		err = s.launch(ctx)
	}
	if err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// prepare chooses the programs and the account, and makes what is missing of the data folder.
func (s *Server) prepare(ctx context.Context) error {
	major, err := s.layout.clusterMajor()
	if err != nil {
		return err
	}
	if s.binaries, err = findInstallation(major); err != nil {
		return fmt.Errorf("data folder %s: %w", s.layout.root, err)
	}
	if s.account, err = serverAccount(s.layout.cluster); err != nil {
		return err
	}
	if err := s.layout.letIn(ctx, s.account, s.binaries); err != nil {
		return err
	}
	if s.layout.socket, err = prepareSocket(ctx, s.layout, s.account, s.binaries); err != nil {
		return err
	}
	if err := s.layout.writeAccessRules(); err != nil {
		return err
	}
	if major == 0 {
		return s.layout.initCluster(ctx, s.account, s.binaries, s.log)
	}
	return nil
}

// launch starts a run and waits until it is ready. After a crash, children of the last run may
// need a moment to notice it; the server refuses to start beside them, and is started again.
func (s *Server) launch(ctx context.Context) error {
	if err := s.layout.endLeftover(ctx, s.log); err != nil {
		return err
	}
	deadline := time.Now().Add(s.timeout)
	for wait := lingerPause; ; wait = min(2*wait, longestPause) {
		err := s.launchOnce(ctx)
		if !errors.Is(err, errLingering) || time.Now().After(deadline) {
			return err
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

func (s *Server) launchOnce(ctx context.Context) error {
	p, err := s.begin()
	if err != nil {
		return err
	}
	conn, err := awaitReady(ctx, p, s.AdminConnString(), s.timeout)
	if err == nil {
		err = provision(ctx, conn)
		closing, cancel := context.WithTimeout(context.Background(), attemptTimeout)
		_ = conn.Close(closing) // nothing depends on it any more
		cancel()
	}
	if err != nil {
		aborting, cancel := context.WithTimeout(context.Background(), abortGrace)
		defer cancel()
		return errors.Join(err, p.stop(aborting))
	}
	s.log.Info("PostgreSQL is ready", "version", s.binaries.version, "server_pid", p.pid(), "folder", s.layout.root)
	return nil
}

// begin starts a process, unless Stop came first.
func (s *Server) begin() (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, ErrStopped
	}
	if err := s.layout.removeSocketLock(); err != nil {
		return nil, err
	}
	p, err := startProcess(s.account, s.binaries, s.layout, s.args, s.log)
	if err != nil {
		return nil, err
	}
	s.process = p
	return p, nil
}

// ConnString returns a DSN for pgx: the socket, the role and the database "mortise". There is no
// password in it, because there is none.
func (s *Server) ConnString() string { return s.layout.connString(roleName, databaseName) }

// AdminConnString returns the DSN of the superuser, connected to the database "postgres". It is
// for what the role of ConnString may not do, such as extensions that are not trusted.
func (s *Server) AdminConnString() string { return s.layout.connString(adminName, adminName) }

// PID returns the process id of the postmaster, which may have ended (see Done).
func (s *Server) PID() int { return s.current().pid() }

// Done returns a channel that is closed when the server process has ended, for whatever reason.
// Restart begins a new process, with a new channel.
func (s *Server) Done() <-chan struct{} { return s.current().exited }

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// Stop shuts the server down, waits for its processes and gives the data folder free. The shutdown
// is fast: clients are disconnected, a checkpoint is written. When ctx ends it becomes immediate;
// no acknowledged write is lost by that, but the next start recovers, and the error says so and
// wraps ctx's. Stop may be called again, and after the server has ended by itself.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	p := s.process
	s.mu.Unlock()
	err := p.stop(ctx)
	s.release()
	if err != nil {
		return fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	return nil
}

// release gives the data folder free for others.
func (s *Server) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return
	}
	if s.layout.socket != "" {
		// Gone if empty: in the folder for temporary files nothing should stay.
		_ = os.Remove(s.layout.socket)
	}
	s.lock.Close()
	s.lock = nil
}

// Restart stops the server, if it still runs, and starts it again on the same socket. Should the
// new start fail, the server stays down; Restart may be called again.
func (s *Server) Restart(ctx context.Context) error {
	s.starting.Lock()
	defer s.starting.Unlock()
	if err := s.restart(ctx); err != nil {
		return fmt.Errorf("embedded PostgreSQL: restart: %w", err)
	}
	return nil
}

func (s *Server) restart(ctx context.Context) error {
	s.mu.Lock()
	stopped, p := s.stopped, s.process
	s.mu.Unlock()
	if stopped {
		return ErrStopped
	}
	if err := p.stop(ctx); err != nil {
		return err
	}
	return s.launch(ctx)
}

// Kill ends the server as a crash would (SIGKILL to the postmaster) and waits until its processes
// are gone. It is for tests of faults; Restart, or Stop and Start, bring the data back.
func (s *Server) Kill() error {
	if err := s.current().kill(); err != nil {
		return fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	return nil
}
