// Package database keeps the connections and sends flights of calls over them: pipelining, retry,
// deadlines, overload, the life of connections.
//
// It knows PostgreSQL's protocol and its errors, and nothing of domains: what a call means is said
// by its operation's annotations.
package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// A Mode is how statements are sent.
type Mode int32

const (
	// Auto finds out which of the others works: behind a pooler in transaction mode that does not
	// know prepared statements, only Unprepared does.
	Auto Mode = iota
	// Prepared statements are parsed once per connection.
	Prepared
	// Unprepared statements are parsed on each use; types are known, so it costs no round trip.
	Unprepared
)

// String returns the mode as it is written in the configuration.
func (m Mode) String() string { return [...]string{"auto", "prepared", "unprepared"}[m] }

// Options say how to reach the database. The zero value of everything but ConnString is usable.
type Options struct {
	// ConnString is a URL or DSN as pgx takes it; the usual PG* variables, pgpass and service files
	// apply, and pool_max_conns and the like may ride along.
	ConnString string
	// Mode is how statements are sent.
	Mode Mode
	// CallTimeout is the limit for a call whose operation has no limit of its own; 5 seconds if 0.
	CallTimeout time.Duration
	// MaxWaiting is how many flights may be under way or waiting at once; more are refused. 1024 if 0.
	// Periodic work is counted by itself.
	MaxWaiting int
	// RetryFor is how long a flight that failed for a passing reason is tried again, counted from its
	// first failure and within the caller's deadline; 2 seconds if 0.
	RetryFor time.Duration
	// Observer is told what happens; nil for nobody.
	Observer Observer
	Logger   *slog.Logger
	// Dial replaces the way connections are made; tests count round trips with it.
	Dial pgconn.DialFunc
}

// An Observer is told what happens to calls. Its methods are called from many goroutines.
type Observer interface {
	query.Observer
	// Done is called once for each call, with the time from its start to its answer.
	Done(call *query.Call, seconds float64)
	// Retried is called when a call is sent again; cause is an SQLSTATE, "connection", or "schema" if
	// the columns of its result were found changed.
	Retried(op *operation.Operation, cause string)
	// RoundTrip is called for each operation that took part in a round trip.
	RoundTrip(op *operation.Operation)
}

// A Pool is the connections to one database: many for requests, and a few of their own for periodic
// work, so that neither can starve the other. It implements query.Runner.
type Pool struct {
	options  Options
	requests half
	periodic half
	types    *query.Types
	mode     atomic.Int32
	closed   atomic.Bool
	retained atomic.Pointer[retained]
	resets   seldom
	misfits  seldom
}

// A half is the connections for requests or those for periodic work, and how many flights use them
// or wait for them.
type half struct {
	*pgxpool.Pool
	underway atomic.Int64
}

// seldom keeps what many calls find out at once from being done more than once a second.
type seldom struct {
	mu   sync.Mutex
	last time.Time
}

func (s *seldom) now() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last) < time.Second {
		return false
	}
	s.last = time.Now()
	return true
}

const (
	defaultTimeout  = 5 * time.Second
	defaultWaiting  = 1024
	defaultRetryFor = 2 * time.Second
	// One for each kind of periodic work, one for looking after the database's health, and one for a
	// host that asks for such work itself. They are opened when they are needed.
	periodicConns = 4
	defaultConns  = 10
)

// Open makes a pool. It does not connect: a program must be able to start without its database.
func Open(options Options) (*Pool, error) {
	setDefaults(&options)
	config, err := pgxpool.ParseConfig(options.ConnString)
	if err != nil {
		return nil, connStringError(err)
	}
	p := &Pool{options: options, types: query.NewTypes()}
	p.mode.Store(int32(options.Mode))
	p.configure(config)
	if p.requests.Pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, connStringError(err)
	}
	few := config.Copy()
	few.MaxConns, few.MinConns, few.MinIdleConns = periodicConns, 0, 0
	if p.periodic.Pool, err = pgxpool.NewWithConfig(context.Background(), few); err != nil {
		p.requests.Close()
		return nil, connStringError(err)
	}
	return p, nil
}

func setDefaults(o *Options) {
	if o.CallTimeout == 0 {
		o.CallTimeout = defaultTimeout
	}
	if o.MaxWaiting == 0 {
		o.MaxWaiting = defaultWaiting
	}
	if o.RetryFor == 0 {
		o.RetryFor = defaultRetryFor
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func (p *Pool) configure(config *pgxpool.Config) {
	p.setUp(config.ConnConfig)
	if config.MaxConns < defaultConns && !givesPoolSize(p.options.ConnString) {
		config.MaxConns = defaultConns
	}
	if config.MaxConnLifetimeJitter == 0 {
		config.MaxConnLifetimeJitter = config.MaxConnLifetime / 10
	}
	config.PingTimeout = 5 * time.Second
	// The password is looked up for every new connection, so that it can be rotated in pgpass or the
	// service file without a restart.
	config.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error {
		if fresh, err := pgx.ParseConfig(p.options.ConnString); err == nil {
			cc.Password = fresh.Password
		}
		return nil
	}
}

// setUp completes how a connection is made.
func (p *Pool) setUp(cc *pgx.ConnConfig) {
	// Defaults of columns and functions such as now() then agree with the values that are sent.
	cc.RuntimeParams["timezone"] = "UTC"
	if cc.RuntimeParams["application_name"] == "" {
		cc.RuntimeParams["application_name"] = "mortise"
	}
	if p.options.Dial != nil {
		cc.DialFunc = p.options.Dial
	}
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = 5 * time.Second
	}
}

// Close waits until all connections came back and closes them. It may be called more than once; each
// call returns when that is done.
func (p *Pool) Close() {
	p.closed.Store(true)
	p.requests.Close()
	p.periodic.Close()
}

// Mode says how statements are sent now.
func (p *Pool) Mode() Mode { return Mode(p.mode.Load()) }

// Stat is the state of the connections for requests, or for periodic work.
func (p *Pool) Stat() (requests, periodic *pgxpool.Stat) { return p.requests.Stat(), p.periodic.Stat() }

// Target describes the database without its password, for people: host, port, database, user.
func (p *Pool) Target() string {
	cc := p.requests.Config().ConnConfig
	return fmt.Sprintf("host=%s port=%d database=%s user=%s", cc.Host, cc.Port, cc.Database, cc.User)
}

// reset drops the idle connections of a server that turned out to be a standby.
func (p *Pool) reset() {
	if p.resets.now() {
		p.requests.Reset()
		p.periodic.Reset()
	}
}

// connStringError hides what the driver keeps of the connection string in its error.
func connStringError(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("connection_string cannot be read; expected postgres://user@host:port/database or host=HOST port=PORT dbname=NAME")
	}
	return errors.New("connection_string cannot be used: check its pool_* settings")
}

// givesPoolSize says whether a connection string sets the size of the pool itself.
func givesPoolSize(connString string) bool { return strings.Contains(connString, "pool_max_conns") }
