package catalogue

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/problem"
)

// A server is what the database says of itself and of the role that asks.
type server struct {
	product check.Product
	// version is as in check.Target; text is the server's own.
	version  int
	text     string
	role     string
	readOnly bool
	standby  bool
	// isolation is default_transaction_isolation.
	isolation                     string
	statementTimeout, lockTimeout time.Duration
	// connections is how many this role can have at once, as far as limits tell.
	connections int
}

// ServerTarget is what the connection's server is, in the form in which a file names its target.
func ServerTarget(conn *pgx.Conn) check.Target {
	s := server{}
	s.identify(conn)
	return check.Target{Product: s.product, Version: s.version}
}

// identify reads what the server tells at the beginning of each connection. CockroachDB plays a version
// of PostgreSQL there, which says nothing.
func (s *server) identify(conn *pgx.Conn) {
	s.product, s.text = check.PostgreSQL, conn.PgConn().ParameterStatus("server_version")
	if crdb := conn.PgConn().ParameterStatus("crdb_version"); crdb != "" {
		s.product, s.text = check.CockroachDB, crdb
	}
	s.version = versionIn(s.product, s.text)
}

var versionNumbers = regexp.MustCompile(`(?:^|[ v])([0-9]+)(?:\.([0-9]+))?`)

// versionIn finds the version in what a server says of itself: "16beta1", "15.18 (Debian 15.18-1)",
// "CockroachDB CCL v24.1.3 (x86_64-pc-linux-gnu, ...)". 0 is not known.
func versionIn(product check.Product, text string) int {
	found := versionNumbers.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	major, _ := strconv.Atoi(found[1])
	if product != check.CockroachDB {
		return major
	}
	minor, _ := strconv.Atoi(found[2])
	return major*10 + minor
}

const settingsQuery = `
	SELECT s.name, s.setting FROM pg_catalog.pg_settings AS s
	WHERE s.name IN ('default_transaction_isolation', 'default_transaction_read_only', 'statement_timeout', 'lock_timeout',
		'max_connections', 'superuser_reserved_connections', 'reserved_connections')`

func readServer(ctx context.Context, tx pgx.Tx) (server, error) {
	var s server
	s.identify(tx.Conn())
	settings := map[string]string{}
	rows, err := tx.Query(ctx, settingsQuery)
	if err != nil {
		return s, err
	}
	var name, value string
	if _, err := pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		settings[name] = value
		return nil
	}); err != nil {
		return s, err
	}
	number := func(name string) int {
		n, _ := strconv.Atoi(settings[name])
		return n
	}
	s.isolation = settings["default_transaction_isolation"]
	s.statementTimeout = time.Duration(number("statement_timeout")) * time.Millisecond
	s.lockTimeout = time.Duration(number("lock_timeout")) * time.Millisecond
	s.connections = number("max_connections") - number("superuser_reserved_connections") - number("reserved_connections")
	s.readOnly = settings["default_transaction_read_only"] == "on"
	return s, s.readRole(ctx, tx)
}

// readRole reads what holds for this role and database.
func (s *server) readRole(ctx context.Context, tx pgx.Tx) error {
	var ofRole, ofDatabase int
	err := tx.QueryRow(ctx, `
		SELECT current_user::text, pg_catalog.pg_is_in_recovery(), r.rolconnlimit, d.datconnlimit
		FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d
		WHERE r.rolname = current_user AND d.datname = current_database()`).Scan(&s.role, &s.standby, &ofRole, &ofDatabase)
	for _, limit := range []int{ofRole, ofDatabase} {
		if limit >= 0 {
			s.connections = min(s.connections, limit)
		}
	}
	s.readOnly = s.readOnly || s.standby
	return err
}

// checkServer compares the server with the file as a whole.
func (c *checker) checkServer() {
	connection := func(severity problem.Severity, rule, message, fix string) {
		c.problems = append(c.problems, problem.Problem{Severity: severity, Rule: rule, Position: c.in.Place("connection_string"),
			Key: "connection_string", Message: message, Fix: fix})
	}
	s := c.server
	if s.readOnly {
		why, fix := "its transactions are read-only by default", "ALTER ROLE "+quote(s.role)+" SET default_transaction_read_only = off;"
		if s.standby {
			why, fix = "it is a standby", "connect to the primary; with several hosts in connection_string, add target_session_attrs=read-write"
		}
		connection(problem.Error, ruleReadOnly, "the server does not take writes: "+why, fix)
	}
	if c.in.Unprepared {
		connection(problem.Info, ruleUnprepared, "a connection pooler in front of the server does not keep prepared statements apart, so statements are sent unprepared",
			"with PgBouncer 1.21 or later, set max_prepared_statements; write `target: postgres pooler` to have queries checked for what poolers do not allow")
	}
	if s.isolation != "" && s.isolation != "read committed" && s.product == check.PostgreSQL {
		connection(problem.Info, ruleIsolation, "transactions are "+s.isolation+" by default, so writers of the same row fail and are sent again instead of waiting",
			"ALTER ROLE "+quote(s.role)+" SET default_transaction_isolation = 'read committed';")
	}
	if c.in.Connections > s.connections && s.connections > 0 {
		connection(problem.Warning, ruleConnections, fmt.Sprintf("up to %d connections may be opened, and the server has %d for this role", c.in.Connections, s.connections),
			"set pool_max_conns in connection_string, counting each process that uses this file, or raise the limit of the server, role or database")
	}
	c.checkTarget()
	c.checkTimeouts()
}

func (c *checker) checkTarget() {
	target, s := c.in.Target, c.server
	if target == nil {
		return
	}
	wrong := func(message, fix string) {
		c.problems = append(c.problems, problem.Problem{Severity: problem.Warning, Rule: ruleTarget, Position: c.in.Place("target"), Key: "target", Message: message, Fix: fix})
	}
	is := check.Target{Product: s.product, Version: s.version}
	switch {
	case target.Product != check.Unknown && target.Product != s.product:
		wrong(fmt.Sprintf("the file is written for %s, and the server is %s", target, is), "write target: "+is.String()+", or connect to the other server")
	case target.Version > s.version && s.version > 0:
		wrong(fmt.Sprintf("the file is written for %s or later, and the server is %s", target, is), "write target: "+is.String()+", so that queries are checked for what this version lacks")
	}
}

// checkTimeouts reports limits of the server that end a statement before the program would. Periodic
// work has no limit of its own, and a long run of it is normal.
func (c *checker) checkTimeouts() {
	for _, limit := range []struct {
		name  string
		value time.Duration
	}{{"statement_timeout", c.server.statementTimeout}, {"lock_timeout", c.server.lockTimeout}} {
		if limit.value == 0 {
			continue
		}
		for _, r := range c.readings {
			most := r.statement.Timeout
			if most == 0 {
				most = c.in.CallTimeout
			}
			periodic := r.op.Spec.GetHeat() == annotation.Heat_BACKGROUND
			if periodic && limit.name == "lock_timeout" || !periodic && most <= limit.value || !c.first(ruleTimeout, limit.name) {
				continue
			}
			than := fmt.Sprintf("the limit of %v for a call", most)
			if periodic {
				than = "periodic work may need, which has no limit of its own"
			}
			c.report(problem.Warning, ruleTimeout, r, 0, fmt.Sprintf("the server's %s of %v for this role is shorter than %s", limit.name, limit.value, than),
				fmt.Sprintf("ALTER ROLE %s SET %s = 0; the program tells the server its own limits", quote(c.server.role), limit.name))
		}
	}
}
