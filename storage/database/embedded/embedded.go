// Package embedded runs a private PostgreSQL server for one program, from the binaries that are
// installed on the machine.
//
// It finds initdb and postgres, makes a data folder once and keeps it between runs, starts the
// server on a Unix socket (never on TCP) and stops it with the program, also when the program is
// killed. Started as root, the server runs as an unprivileged user, because PostgreSQL refuses
// root. What a client needs is the connection string; nothing else tells this server from any
// other.
//
// # Who may connect
//
// Authentication is "trust" for everyone who can open the socket, and nobody can but the server's
// user and root: the socket's folder has mode 0700 and so has the socket. A password would have
// to lie in a file with those same permissions and would protect nothing more.
//
// Two roles exist. [Server.ConnString] is for the role "mortise", which owns the database
// "mortise" and is no superuser: an operator's query cannot read files or load libraries. As the
// owner of the database it may create trusted extensions (pg_trgm, citext, hstore, btree_gist and
// others, from PostgreSQL 13 on). Anything more is done with [Server.AdminConnString].
//
// # What it must not know
//
// The package knows nothing of schemas, operations or pools.
package embedded

import (
	"errors"
	"log/slog"
	"time"
)

// BinariesVariable is the environment variable that names the folder with initdb and postgres. If
// it is set, no other place is looked at.
const BinariesVariable = "MORTISE_PG_BIN"

// OldestMajor is the oldest major version of PostgreSQL that Start accepts.
const OldestMajor = 12

// Errors to test for with errors.Is. The errors returned say more, and what to do.
var (
	// ErrNotInstalled means that no usable PostgreSQL server was found on the machine.
	ErrNotInstalled = errors.New("no PostgreSQL server found")
	// ErrInUse means that another Server, of this or another program, uses the data folder.
	ErrInUse = errors.New("data folder is in use")
	// ErrStopped means that Stop was called before.
	ErrStopped = errors.New("server was stopped")
	// ErrNotRunning means that no program runs a server on the data folder.
	ErrNotRunning = errors.New("no server is running")
	// ErrUnsupported means that the operating system cannot run an embedded server.
	ErrUnsupported = errors.New("embedded PostgreSQL is not supported on this operating system; " +
		"set connection_string to a server of your own")
)

// Options say how to run the server. The zero value is usable.
type Options struct {
	// DataDir is the folder in which everything is kept. It is made if it is missing; if it is
	// there, it must be empty or one that Start made. Default: /var/lib/mortise/postgres for root;
	// for others $XDG_STATE_HOME/mortise/postgres, where XDG_STATE_HOME defaults to ~/.local/state.
	DataDir string
	// Settings are further server settings (PostgreSQL's run-time configuration), by name. They go
	// on the server's command line, so nothing is written into postgresql.conf. Settings that this
	// package lives on (the socket, authentication, the log's form) are refused.
	Settings map[string]string
	// Logger gets the server's log lines. Nil discards them. What a client's session logs goes to
	// the debug level, since it may quote arguments and the client is told it anyway.
	Logger *slog.Logger
	// StartTimeout is how long the server may take until it answers at all; default 60 seconds. A
	// server that answers that it is still starting (it recovers after a crash) is waited for
	// without limit other than the context's, because stopping it would begin recovery anew.
	StartTimeout time.Duration
}
