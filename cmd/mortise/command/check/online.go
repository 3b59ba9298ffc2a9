package check

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/check/catalogue"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// online is what is asked of the database, and what is learned of it.
type online struct {
	loaded  *command.Loaded
	set     *query.Set
	target  *check.Target
	logger  *slog.Logger
	timeout time.Duration

	server string
	is     check.Target
	// failed says that the database could not be asked, or not to the end.
	failed bool
}

// ask asks the database about every statement.
func (o *online) ask(ctx context.Context) problem.List {
	_, _ = syntax.Parse("SELECT 1") // the parser takes a second when it is first used, which is not the database's
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	reached, err := o.loaded.Reach(ctx, o.logger)
	if err != nil {
		return o.unreachable(err)
	}
	defer reached.Close()
	config := o.loaded.Config.Storage
	pool, err := database.Open(database.Options{ConnString: reached.ConnString, Mode: config.Mode, Logger: o.logger})
	if err != nil {
		return o.unreachable(err)
	}
	defer pool.Close()
	mode, err := pool.FindMode(ctx)
	if err != nil {
		return o.unreachable(err)
	}
	described, err := o.describe(ctx, pool)
	if err != nil {
		return o.unreachable(err)
	}
	requests, periodic := pool.Stat()
	known, err := o.catalogue(ctx, reached.ConnString, described, catalogue.Input{
		Contract: o.loaded.Contract, Target: o.target, Place: o.place,
		Unprepared:  mode == database.Unprepared && config.Mode == database.Auto,
		Connections: int(requests.MaxConns() + periodic.MaxConns()), CallTimeout: callTimeout(config.CallTimeout)})
	if err != nil {
		return append(described, o.unreachable(err)...)
	}
	return known
}

// place finds a key. The connection string can stand in a section as well.
func (o *online) place(key string) problem.Position {
	config := o.loaded.Config
	if !config.Given(key) {
		for _, section := range o.loaded.Contract.Sections() {
			if config.Given(section.Name + "." + key) {
				return config.Place(section.Name + "." + key)
			}
		}
	}
	return config.Place(key)
}

// callTimeout is the limit for calls without one of their own: the file's, or the pool's own.
func callTimeout(given time.Duration) time.Duration {
	if given == 0 {
		return 5 * time.Second
	}
	return given
}

// describe lets the database prepare every statement, without keeping any.
func (o *online) describe(ctx context.Context, pool *database.Pool) (problem.List, error) {
	connection, err := pool.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer connection.Release()
	server, err := connection.Server(ctx)
	if err != nil {
		return nil, err
	}
	o.server = server.String() + ", " + pool.Target()
	var problems problem.List
	for _, statement := range o.set.Statements() {
		found, err := statement.Describe(ctx, connection)
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	return problems, nil
}

// catalogue asks over a connection of its own, set up as those of the pool are.
func (o *online) catalogue(ctx context.Context, connString string, described problem.List, in catalogue.Input) (problem.List, error) {
	config, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	config.ConnConfig.RuntimeParams["application_name"] = "mortise check"
	// Statements are described and not kept, so that it works behind poolers, too.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	o.is = catalogue.ServerTarget(conn)
	o.is.Pooler = in.Unprepared
	refined, err := catalogue.Refine(ctx, conn, o.set, described)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused): // a catalogue that is not PostgreSQL's, or closed to this role
		refined = described
	case err != nil:
		return nil, err
	}
	known, err := catalogue.Check(ctx, conn, o.set, in)
	return append(refined, known...), err
}

// unreachable is the problem of a database that could not be asked.
func (o *online) unreachable(err error) problem.List {
	o.failed = true
	reason := shorter(err.Error())
	fix := "check that the database runs and can be reached, or use --offline"
	for code, other := range map[string]string{
		"28P01": "check the password: in connection_string, PGPASSWORD, the pgpass file or a service file",
		"28000": "check the user in connection_string, and the server's pg_hba.conf",
		"3D000": "create the database (CREATE DATABASE), or correct its name in connection_string",
		"53300": "the server has no connection left; raise max_connections, or close some",
		"42501": "GRANT CONNECT ON DATABASE ... TO the role in connection_string",
	} {
		if strings.Contains(reason, "(SQLSTATE "+code+")") {
			fix = other
		}
	}
	return problem.List{{Severity: problem.Error, Rule: "database", Position: o.place("connection_string"),
		Key: "connection_string", Message: reason, Fix: fix}}
}

// shorter leaves out lines that are there twice: the driver tells of each attempt, with TLS and without.
func shorter(reason string) string {
	var lines []string
	for _, line := range strings.Split(reason, "\n") {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
