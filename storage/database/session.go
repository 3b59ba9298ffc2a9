package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/storage/query"
)

// sessionKey is where a connection keeps its session.
const sessionKey = "mortise.session"

// A session remembers what was prepared on a connection: by name, and whether its columns were those
// that its plan knows.
type session struct {
	prepared map[string]bool
	// swept is what was retained when the connection last gave up statements.
	swept *retained
}

func sessionOf(conn *pgconn.PgConn) *session {
	data := conn.CustomData()
	if s, ok := data[sessionKey].(*session); ok {
		return s
	}
	s := &session{prepared: map[string]bool{}}
	data[sessionKey] = s
	return s
}

// missing returns the plans that have to be prepared first, each once.
func (s *session) missing(transits []*transit) []*query.Plan {
	var plans []*query.Plan
	seen := map[string]bool{}
	for _, t := range transits {
		for _, plan := range t.plans {
			if _, there := s.prepared[plan.Name]; !there && !seen[plan.Name] {
				seen[plan.Name] = true
				plans = append(plans, plan)
			}
		}
	}
	return plans
}

// withoutChanged leaves out transits whose result could not be read on this connection. They fail
// without being sent.
func (s *session) withoutChanged(transits []*transit) []*transit {
	var rest []*transit
	for _, t := range transits {
		for i, plan := range t.plans {
			if same, there := s.prepared[plan.Name]; there && !same && readsColumns(plan) {
				t.err, t.failed, t.done = errColumnsChanged, i, true
			}
		}
		if t.err == nil {
			rest = append(rest, t)
		}
	}
	return rest
}

// A Connection asks the database about statements; it implements query.Describer. It must be
// released.
type Connection struct {
	pool *Pool
	conn *pgxpool.Conn
}

// Connect takes a connection for asking.
func (p *Pool) Connect(ctx context.Context) (*Connection, error) {
	conn, err := p.periodic.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("no connection to %s: %w", p.Target(), plainConnectError(err))
	}
	return &Connection{pool: p, conn: conn}, nil
}

// Release gives the connection back.
func (c *Connection) Release() { c.conn.Release() }

// Describe prepares the text without keeping it.
func (c *Connection) Describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	return describe(ctx, c.conn.Conn().PgConn(), sql)
}

// describe keeps errors that pass from looking like an answer about the statement: a server that is
// just shutting down does not say that the query is wrong.
func describe(ctx context.Context, conn *pgconn.PgConn, sql string) (*pgconn.StatementDescription, error) {
	described, err := conn.Prepare(ctx, "", sql, nil)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && passes(pgErr) {
		return nil, errors.New(plainConnectError(err).Error())
	}
	return described, err
}

// passes says whether an error is about the server's state: connections, conflicts, resources, locks,
// intervention, the system (PostgreSQL's manual, appendix A).
func passes(err *pgconn.PgError) bool {
	if isFatal(err) {
		return true
	}
	for _, class := range []string{"08", "40", "53", "55", "57", "58"} {
		if strings.HasPrefix(err.Code, class) {
			return true
		}
	}
	return false
}

// Types learns those of the given types that are not built in.
func (c *Connection) Types(ctx context.Context, oids []uint32) (*query.Types, error) {
	return learn(ctx, c.conn.Conn().PgConn(), c.pool.types, oids)
}

// A describer is a Connection for a connection that is in use already.
type describer struct {
	pool *Pool
	conn *pgconn.PgConn
}

func (d describer) Describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	return describe(ctx, d.conn, sql)
}

func (d describer) Types(ctx context.Context, oids []uint32) (*query.Types, error) {
	return learn(ctx, d.conn, d.pool.types, oids)
}

// learn reads the catalogue until nothing is unknown; a domain over an array of domains needs more
// than one round.
func learn(ctx context.Context, conn *pgconn.PgConn, types *query.Types, oids []uint32) (*query.Types, error) {
	for range 8 {
		unknown := types.Unknown(oids)
		if len(unknown) == 0 {
			break
		}
		rows, err := catalogue(ctx, conn, unknown)
		if err != nil {
			return nil, err
		}
		needed := types.Learn(rows)
		if len(needed) == 0 {
			break
		}
		oids = append(needed, unknown...)
	}
	return types, nil
}

func catalogue(ctx context.Context, conn *pgconn.PgConn, oids []uint32) ([]query.CatalogueRow, error) {
	list := "{"
	for i, oid := range oids {
		if i > 0 {
			list += ","
		}
		list += fmt.Sprint(oid)
	}
	reader := conn.ExecParams(ctx, query.TypesQuery, [][]byte{[]byte(list + "}")}, nil, nil, nil)
	var rows []query.CatalogueRow
	for reader.NextRow() {
		v := reader.Values()
		row := query.CatalogueRow{Name: string(v[3]), Type: string(v[4]), Category: string(v[5])}
		for i, target := range []*uint32{&row.OID, &row.Base, &row.Element} {
			if _, err := fmt.Sscan(string(v[i]), target); err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	_, err := reader.Close()
	return rows, err
}

// Server is what is known about the database server.
type Server struct {
	// Product is "PostgreSQL" or "CockroachDB".
	Product string
	Version string
	// ReadOnly says that the server refuses writes: a standby.
	ReadOnly bool
}

// String returns product and version.
func (s Server) String() string { return s.Product + " " + s.Version }

// Server asks what the connection leads to. CockroachDB is known by its start-up parameter; its
// server_version is that of an emulated PostgreSQL.
func (c *Connection) Server(ctx context.Context) (Server, error) {
	conn := c.conn.Conn().PgConn()
	server := Server{Product: "PostgreSQL", Version: conn.ParameterStatus("server_version")}
	if crdb := conn.ParameterStatus("crdb_version"); crdb != "" {
		server = Server{Product: "CockroachDB", Version: crdb}
	}
	reader := conn.ExecParams(ctx, "SHOW transaction_read_only", nil, nil, nil, nil)
	for reader.NextRow() {
		server.ReadOnly = string(reader.Values()[0]) == "on"
	}
	_, err := reader.Close()
	return server, err
}

// ExecScript runs a script of several statements, for example a schema, as one simple query.
func (c *Connection) ExecScript(ctx context.Context, script string) error {
	_, err := c.conn.Conn().PgConn().Exec(ctx, script).ReadAll()
	return err
}

const probeName = "mortise_probe"

// FindMode finds out how statements can be sent, if that was left open. Two connections prepare
// under the same name: behind a pooler in transaction mode that does not keep prepared statements
// apart both reach the same server connection, and the second is refused.
func (p *Pool) FindMode(ctx context.Context) (Mode, error) {
	if p.Mode() != Auto {
		return p.Mode(), nil
	}
	mode := Prepared
	first, err := p.Connect(ctx)
	if err != nil {
		return Auto, err
	}
	defer first.Release()
	second, err := p.Connect(ctx)
	if err != nil {
		return Auto, err
	}
	defer second.Release()
	for _, c := range []*Connection{first, second} {
		_, err := c.conn.Conn().PgConn().Prepare(ctx, probeName, "SELECT 0", nil)
		if isCode(err, "42P05") {
			mode = Unprepared
		} else if err != nil {
			return Auto, err
		}
	}
	for _, c := range []*Connection{first, second} {
		err := c.conn.Conn().PgConn().Deallocate(ctx, probeName)
		if err != nil && !isCode(err, "26000") {
			return Auto, err
		}
	}
	p.mode.CompareAndSwap(int32(Auto), int32(mode))
	return p.Mode(), nil
}

func isCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}

// connectFixes is what to do where a server refuses a connection, by its reason (PostgreSQL's manual,
// appendix A).
var connectFixes = map[string]string{
	"3D000": "create the database, or correct its name in connection_string",
	"28P01": "check the user in connection_string, and its password",
	"28000": "check the user in connection_string, and what pg_hba.conf allows",
	"53300": "the server has too many connections: raise max_connections, or lower pool_max_conns",
}

// plainConnectError makes a driver's error about connecting fit to be shown: the driver's text can
// hold the address, user and database, and never the password.
func plainConnectError(err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		text := fmt.Sprintf("%s (SQLSTATE %s)", pgErr.Message, pgErr.Code)
		if fix := connectFixes[pgErr.Code]; fix != "" && isConnectError(err) {
			text += "; " + fix
		}
		return errors.New(text)
	}
	if isConnectError(err) {
		return fmt.Errorf("%w (check that the server runs, and that connection_string is right)", &unreachable{cause: err})
	}
	return err
}

// unreachable is a ConnectError in one line. The driver's has a line for each attempt, and makes two for
// each address: with and without TLS.
type unreachable struct{ cause error }

func (u *unreachable) Unwrap() error { return u.cause }

func (u *unreachable) Error() string {
	_, attempts, found := strings.Cut(u.cause.Error(), "`:")
	if !found {
		return u.cause.Error()
	}
	var reasons []string
	for line := range strings.Lines(attempts) {
		line = strings.TrimSpace(line)
		if _, reason, found := strings.Cut(line, "): "); found { // behind "address (host): "
			line = reason
		}
		if !slices.Contains(reasons, line) {
			reasons = append(reasons, line)
		}
	}
	return strings.Join(reasons, "; ")
}
