// Package scratch makes places in an operator's database that a benchmark may fill, change and drop: a
// database of its own, or, where the role may create none, a schema of its own.
//
// Its names begin with Prefix, so that what a killed run left behind is found and can be removed. As
// long as a run lives, it holds an advisory lock for each of its places. The package must not know
// what the places are for.
package scratch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Prefix begins the name of every scratch.
const Prefix = "mortise_bench_"

// A Kind is what a scratch is.
type Kind string

const (
	// Auto is a Database where the role may create one, else a Schema.
	Auto Kind = "auto"
	// Database keeps everything apart, also what a script puts into schemas that it names itself.
	Database Kind = "database"
	// Schema needs the right to create schemas only. Everything must be found through search_path.
	Schema Kind = "schema"
)

// ErrRights says that the role may not create a scratch.
var ErrRights = errors.New("the role may create neither a database nor a schema")

// ErrOutside says that a script reaches out of a scratch schema.
var ErrOutside = errors.New("the script makes or changes things outside of the scratch schema")

// A Place is a scratch that exists.
type Place struct {
	Name string
	Kind Kind
	// ConnString leads into the scratch.
	ConnString string

	base  string
	guard *pgx.Conn // holds the lock
}

// Make creates a scratch in the server that base leads to, and applies the script there. Drop must be
// called in the end.
func Make(ctx context.Context, base string, kind Kind, script string) (*Place, error) {
	guard, err := connect(ctx, base)
	if err != nil {
		return nil, err
	}
	p := &Place{Name: newName(), Kind: kind, base: base, guard: guard}
	if err := p.create(ctx); err != nil {
		_ = guard.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	if err := p.apply(ctx, script); err != nil {
		return nil, errors.Join(err, p.Drop(context.WithoutCancel(ctx)))
	}
	return p, nil
}

func newName() string {
	return Prefix + time.Now().UTC().Format("060102_150405_") + strings.ToLower(rand.Text()[:6])
}

func (p *Place) create(ctx context.Context) error {
	if _, err := p.guard.Exec(ctx, "SELECT pg_advisory_lock("+lockNumber+")", p.Name); err != nil {
		return err
	}
	if p.Kind == Auto {
		var may bool
		err := p.guard.QueryRow(ctx, "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&may)
		if err != nil {
			return err
		}
		p.Kind = Schema
		if may {
			p.Kind = Database
		}
	}
	var err error
	if p.Kind == Database {
		p.ConnString = with(p.base, "dbname", p.Name)
		err = p.createDatabase(ctx)
	} else {
		p.ConnString = with(p.base, "search_path", p.Name)
		_, err = p.guard.Exec(ctx, "CREATE SCHEMA "+quote(p.Name))
	}
	if hasCode(err, "42501") {
		return fmt.Errorf("%w here (%s)", ErrRights, err)
	}
	return err
}

// createDatabase gives the new database the encoding, the locale and the settings of the operator's.
// template0 and not template1, which may hold what the operator put there, and be in use.
func (p *Place) createDatabase(ctx context.Context) error {
	create := "CREATE DATABASE " + quote(p.Name)
	if p.cockroach() {
		_, err := p.guard.Exec(ctx, create)
		return err
	}
	var encoding, collate, ctype string
	var settings []string
	err := p.guard.QueryRow(ctx, `SELECT pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
			COALESCE((SELECT s.setconfig FROM pg_db_role_setting AS s WHERE s.setdatabase = d.oid AND s.setrole = 0), '{}')
		FROM pg_database AS d WHERE d.datname = current_database()`).Scan(&encoding, &collate, &ctype, &settings)
	if err != nil {
		return err
	}
	create += fmt.Sprintf(" TEMPLATE template0 ENCODING %s LC_COLLATE %s LC_CTYPE %s", literal(encoding), literal(collate), literal(ctype))
	if _, err := p.guard.Exec(ctx, create); err != nil {
		return err
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		if name == "search_path" {
			continue // it may name schemas that are not there yet
		}
		if _, err := p.guard.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s SET %s TO %s", quote(p.Name), quote(name), literal(value))); err != nil {
			return errors.Join(err, p.drop(context.WithoutCancel(ctx)))
		}
	}
	return nil
}

func (p *Place) cockroach() bool { return p.guard.PgConn().ParameterStatus("crdb_version") != "" }

// Drop removes the scratch with everything in it. All connections to it must have been closed.
func (p *Place) Drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if p.guard.IsClosed() { // for example by a server that was started again
		guard, err := connect(ctx, p.base)
		if err != nil {
			return fmt.Errorf("%s %s is left behind: %w", p.Kind, p.Name, err)
		}
		p.guard = guard
	}
	err := p.drop(ctx)
	if err != nil {
		err = fmt.Errorf("%s %s is left behind: %w", p.Kind, p.Name, err)
	}
	return errors.Join(err, p.guard.Close(ctx))
}

func (p *Place) drop(ctx context.Context) error {
	return drop(ctx, p.guard, Leftover{Name: p.Name, Kind: p.Kind}, true)
}

// drop removes a scratch; force ends connections that are open to it still.
func drop(ctx context.Context, conn *pgx.Conn, l Leftover, force bool) error {
	sql := "DROP SCHEMA IF EXISTS " + quote(l.Name) + " CASCADE"
	if l.Kind == Database {
		sql = "DROP DATABASE IF EXISTS " + quote(l.Name)
		switch {
		case conn.PgConn().ParameterStatus("crdb_version") != "":
			sql += " CASCADE"
		case force && conn.PgConn().ParameterStatus("server_version") >= "13":
			sql += " WITH (FORCE)"
		}
	}
	_, err := conn.Exec(ctx, sql)
	return err
}

// connect opens a connection by a string that may hold settings of a pool.
func connect(ctx context.Context, connString string) (*pgx.Conn, error) {
	config, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, errors.New("connection_string cannot be read; mortise check tells more")
	}
	config.ConnConfig.RuntimeParams["application_name"] = "mortise bench"
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return nil, fmt.Errorf("the database refuses the connection: %s (SQLSTATE %s)", refused.Message, refused.Code)
	case err != nil:
		cc := config.ConnConfig
		return nil, fmt.Errorf("no connection to host=%s port=%d database=%s user=%s; check that the server runs and can be reached", cc.Host, cc.Port, cc.Database, cc.User)
	}
	return conn, nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func hasCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}
