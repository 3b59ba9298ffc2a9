//go:build unix && !aix && !solaris

package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The names inside the server.
const (
	roleName     = "mortise"
	databaseName = "mortise"
	adminName    = "postgres" // superuser and maintenance database of initdb
)

const (
	// attemptTimeout bounds one attempt to connect.
	attemptTimeout = 5 * time.Second

	cannotConnectNow = "57P03" // SQLSTATE of a server that starts, recovers or stops
	lockFileExists   = "F0001" // SQLSTATE when processes of an earlier run are still there
)

// errLingering means that processes of an earlier run still use the cluster's shared memory.
var errLingering = errors.New("processes of an earlier run have not ended yet")

// runSetting is a setting with a name for each run, by which the run is known from within.
const runSetting = "mortise.run"

// awaitReady connects until the server lets it in, and returns the connection. It gives up when
// the server has not answered for silence, has ended, refuses for good, or ctx ends. An answer
// counts only from the process itself: a server that still runs on the same socket does not tell
// that the new one is ready.
func awaitReady(ctx context.Context, p *process, dsn string, silence time.Duration) (*pgconn.PgConn, error) {
	silent := time.NewTimer(silence)
	defer silent.Stop()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		conn, err := attempt(ctx, dsn, p.name)
		if err == nil {
			return conn, nil
		}
		var answer *pgconn.PgError
		switch isAnswer := errors.As(err, &answer); {
		case isAnswer && answer.Code == cannotConnectNow:
			silent.Reset(silence)
		case isAnswer && p.running():
			return nil, fmt.Errorf("the server started but refuses its own program: %w", err)
		}
		select {
		case <-ticker.C:
		case <-p.exited:
			return nil, startFailure(p)
		case <-silent.C:
			return nil, p.log.tellWhy(fmt.Sprintf("the server did not answer within %s", silence))
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the server to start: %w; %s", context.Cause(ctx), p.log.lastWords())
		}
	}
}

// attempt connects once, to the run of that name.
func attempt(ctx context.Context, dsn, run string) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	results, err := conn.Exec(ctx, "SELECT current_setting('"+runSetting+"', true)").ReadAll()
	if err == nil && (len(results) != 1 || len(results[0].Rows) != 1 || string(results[0].Rows[0][0]) != run) {
		err = errors.New("another server answers on the socket")
	}
	if err != nil {
		_ = conn.Close(ctx) // the error that counts is known
		return nil, err
	}
	return conn, nil
}

// startFailure says why the server ended while it started.
func startFailure(p *process) error {
	p.drain() // so that its last words are complete
	if p.log.lastFatal() == lockFileExists {
		return fmt.Errorf("%w; %s", errLingering, p.log.lastWords())
	}
	return p.log.tellWhy("the server ended while starting (" + p.ended() + ")")
}

// provision makes the role and the database where they are missing. Both are looked up first, so
// that a run that was cut short is completed.
func provision(ctx context.Context, conn *pgconn.PgConn) error {
	steps := []struct{ exists, create string }{
		{"SELECT 1 FROM pg_roles WHERE rolname = '" + roleName + "'",
			"CREATE ROLE " + roleName + " LOGIN"},
		{"SELECT 1 FROM pg_database WHERE datname = '" + databaseName + "'",
			"CREATE DATABASE " + databaseName + " OWNER " + roleName},
	}
	for _, step := range steps {
		results, err := conn.Exec(ctx, step.exists).ReadAll()
		if err != nil {
			return fmt.Errorf("cannot look up the role and the database: %w", err)
		}
		if len(results) == 1 && len(results[0].Rows) == 1 {
			continue
		}
		if _, err := conn.Exec(ctx, step.create).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", step.create, err)
		}
	}
	return nil
}
