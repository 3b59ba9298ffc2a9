// Package explain asks a server for the plans of statements: the one that does not depend on the
// arguments, and the one for given arguments, estimated or run. It finds in an operator's own rows
// arguments that are like real ones, and tells what a database administrator would say of a plan.
//
// Whatever it does happens in a transaction that is rolled back. It knows PostgreSQL, its planner and
// its catalogue, and it must not know any domain but in files named after one, no configuration file
// and no terminal.
package explain

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// ErrUnsupported is returned for a server whose planner cannot be asked in PostgreSQL's way.
var ErrUnsupported = errors.New("only PostgreSQL 13 or later can be asked for plans")

// oldest is the first version whose plans are understood: its EXPLAIN tells of WAL, incremental sorts
// and hashed aggregation on disk.
const oldest = 130000

// A Session asks one connection inside a transaction that is always rolled back. It is used by one
// goroutine at a time.
type Session struct {
	conn    *pgx.Conn
	product string
	version int
	types   *query.Types
	names   map[uint32]string // of types, as SQL writes them
	tables  map[string]*Table // by schema and name, as asked for
	closed  bool
}

// Options say how a plan is asked for.
type Options struct {
	// NoSeqScan asks for the plan with enable_seqscan=off, which shows whether any index can serve
	// the query, however small the table is.
	NoSeqScan bool
	// Analyze executes the statement, inside a savepoint that is rolled back. Sequences move on, and
	// an operator's function may reach out of the transaction.
	Analyze bool
	// Runs is how often it is executed; the plan with the median time is returned. 0 is once.
	Runs int
	// Budget ends the repetition early; 0 is no limit. At least one run is made.
	Budget time.Duration
	// Timeout is the server's limit for one execution; 0 is the server's own.
	Timeout time.Duration
	// Values keeps the constants in the conditions of a plan that was made for arguments. They are
	// the operator's data, so without it each is shown as a question mark.
	Values bool
}

// Open begins the transaction. The connection must not be used for anything else until Close.
func Open(ctx context.Context, conn *pgx.Conn) (*Session, error) {
	s := &Session{conn: conn, product: "PostgreSQL", types: query.NewTypes(), names: map[uint32]string{}, tables: map[string]*Table{}}
	if conn.PgConn().ParameterStatus("crdb_version") != "" {
		s.product = "CockroachDB"
	}
	if err := s.exec(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	rows, err := s.texts(ctx, "SHOW server_version_num")
	if err == nil && len(rows) == 1 {
		s.version, err = strconv.Atoi(rows[0][0])
	}
	if err != nil {
		_ = s.Close(ctx)
		return nil, err
	}
	return s, nil
}

// Close rolls everything back. It may be called again.
func (s *Session) Close(ctx context.Context) error {
	if s.closed {
		return nil
	}
	s.closed = true
	return s.exec(ctx, "ROLLBACK")
}

// Server returns what the server is: "PostgreSQL" or "CockroachDB", and server_version_num (150018 for
// 15.18; on CockroachDB the version of PostgreSQL that it plays).
func (s *Session) Server() (product string, versionNum int) { return s.product, s.version }

func (s *Session) supported() error {
	if s.product != "PostgreSQL" || s.version < oldest {
		return fmt.Errorf("%w; this is %s %d", ErrUnsupported, s.product, s.version)
	}
	return nil
}

// Prepare makes sure that the statement has its plan of binding and mapping (query.Plan), describing
// it to this server if that was not done before. Problems are those of query.Statement.Describe.
func (s *Session) Prepare(ctx context.Context, st *query.Statement) (problem.List, error) {
	if st.Plan() != nil {
		return nil, nil
	}
	var problems problem.List
	err := s.guarded(ctx, func() error {
		var err error
		problems, err = st.Describe(ctx, describer{s})
		return err
	})
	return problems, err
}

// sent returns what is really sent for the statement.
func (s *Session) sent(ctx context.Context, st *query.Statement) (*query.Plan, error) {
	problems, err := s.Prepare(ctx, st)
	if err != nil {
		return nil, err
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return st.Plan(), nil
}

// guarded runs work in a savepoint that is rolled back, whether it fails or not: an error would
// otherwise end the transaction, and nothing may stay. Savepoints inside of others of the same name
// hide them until they are released.
func (s *Session) guarded(ctx context.Context, work func() error) error {
	if err := s.exec(ctx, "SAVEPOINT mortise_explain"); err != nil {
		return err
	}
	err := work()
	if s.conn.IsClosed() {
		return err
	}
	// The context may have ended by now, and the transaction must be usable all the same.
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if undone := s.exec(undo, "ROLLBACK TO SAVEPOINT mortise_explain; RELEASE SAVEPOINT mortise_explain"); err == nil {
		err = undone
	}
	return err
}

// exec runs a script of our own, without arguments.
func (s *Session) exec(ctx context.Context, script string) error {
	_, err := s.conn.PgConn().Exec(ctx, script).ReadAll()
	return err
}

// texts runs one statement and returns its rows in the server's text form; NULL is "".
func (s *Session) texts(ctx context.Context, sql string, arguments ...string) ([][]string, error) {
	values := make([][]byte, len(arguments))
	for i, a := range arguments {
		values[i] = []byte(a)
	}
	reader := s.conn.PgConn().ExecParams(ctx, sql, values, nil, nil, nil)
	var rows [][]string
	for reader.NextRow() {
		row := make([]string, len(reader.Values()))
		for i, v := range reader.Values() {
			row[i] = string(v)
		}
		rows = append(rows, row)
	}
	_, err := reader.Close()
	return rows, err
}

// A describer lets statements be described on the session's connection.
type describer struct{ s *Session }

func (d describer) Describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	var described *pgconn.StatementDescription
	err := d.s.guarded(ctx, func() error {
		var err error
		described, err = d.s.conn.PgConn().Prepare(ctx, "", sql, nil)
		return err
	})
	return described, err
}

func (d describer) Types(ctx context.Context, oids []uint32) (*query.Types, error) {
	for range 8 { // as many as types may lie under each other: a domain over an array of domains
		unknown := d.s.types.Unknown(oids)
		if len(unknown) == 0 {
			break
		}
		rows, err := d.s.catalogue(ctx, unknown)
		if err != nil {
			return nil, err
		}
		needed := d.s.types.Learn(rows)
		if len(needed) == 0 {
			break
		}
		oids = append(needed, unknown...)
	}
	return d.s.types, nil
}

func (s *Session) catalogue(ctx context.Context, oids []uint32) ([]query.CatalogueRow, error) {
	texts, err := s.texts(ctx, query.TypesQuery, oidList(oids))
	if err != nil {
		return nil, err
	}
	rows := make([]query.CatalogueRow, len(texts))
	for i, t := range texts {
		rows[i] = query.CatalogueRow{Name: t[3], Type: t[4], Category: t[5]}
		for j, target := range []*uint32{&rows[i].OID, &rows[i].Base, &rows[i].Element} {
			n, err := strconv.ParseUint(t[j], 10, 32)
			if err != nil {
				return nil, err
			}
			*target = uint32(n)
		}
	}
	return rows, nil
}

func oidList(oids []uint32) string {
	list := "{"
	for i, oid := range oids {
		if i > 0 {
			list += ","
		}
		list += strconv.FormatUint(uint64(oid), 10)
	}
	return list + "}"
}

// typeNames returns the names of types as SQL writes them, for casts.
func (s *Session) typeNames(ctx context.Context, oids []uint32) ([]string, error) {
	names := make([]string, len(oids))
	for i, oid := range oids {
		if s.names[oid] == "" {
			rows, err := s.texts(ctx, "SELECT pg_catalog.format_type($1::oid, -1)", strconv.FormatUint(uint64(oid), 10))
			if err != nil {
				return nil, err
			}
			s.names[oid] = rows[0][0]
		}
		names[i] = s.names[oid]
	}
	return names, nil
}
