package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/storage/query"
)

// dial opens a connection beside that of the cases. The connection string may hold settings of a pool.
func dial(ctx context.Context, connString string) (*pgx.Conn, error) {
	config, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, fmt.Errorf("connection_string cannot be read")
	}
	return pgx.ConnectConfig(ctx, config.ConnConfig)
}

// A relation is a table or view by schema and name.
type relation struct{ schema, name string }

func (r relation) String() string { return r.schema + "." + r.name }

// A sight is what a query's plan touches. err says that the server does not tell.
type sight struct {
	statement *query.Statement
	relations []relation
	// written are those of the relations that the query itself changes.
	written []relation
	// functions are those of the operator that are called, as schema.name.
	functions []string
	err       error
}

// look asks the server for the plans of all statements, without running any. It needs a connection of
// its own: it prepares statements and changes settings.
func look(ctx context.Context, conn *pgx.Conn, set *query.Set) ([]sight, error) {
	// A plan for any arguments: with NULL for a parameter much would be planned away.
	if _, err := conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan"); err != nil {
		return nil, err
	}
	own, err := ownFunctions(ctx, conn)
	if err != nil {
		return nil, err
	}
	var all []sight
	for i, s := range set.Statements() {
		one := sight{statement: s}
		one.err = one.explain(ctx, conn, fmt.Sprintf("mortise_look_%d", i), own)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		all = append(all, one)
	}
	return all, nil
}

func (s *sight) explain(ctx context.Context, conn *pgx.Conn, name string, own functions) error {
	if _, err := conn.Prepare(ctx, name, s.statement.Positional()); err != nil {
		return err
	}
	execute := "EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE " + name
	if n := len(s.statement.Arguments()); n > 0 {
		execute += "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	results, err := conn.PgConn().Exec(ctx, execute).ReadAll()
	if err != nil {
		return err
	}
	var plan any
	if err := json.Unmarshal(results[0].Rows[0][0], &plan); err != nil {
		return err
	}
	s.walk(plan, own, false)
	return nil
}

// walk collects what the nodes of a plan name. target says that the node is one of several tables that
// are written to.
func (s *sight) walk(node any, own functions, target bool) {
	switch node := node.(type) {
	case []any:
		for _, inner := range node {
			s.walk(inner, own, target)
		}
	case map[string]any:
		schema, _ := node["Schema"].(string)
		if name, ok := node["Relation Name"].(string); ok && schema != "" {
			s.relations = appendNew(s.relations, relation{schema, name})
			if node["Node Type"] == "ModifyTable" || target {
				s.written = appendNew(s.written, relation{schema, name})
			}
		}
		if name, ok := node["Function Name"].(string); ok {
			s.functions = appendNew(s.functions, own.match(schema, name)...)
		}
		for field, inner := range node {
			s.walk(inner, own, field == "Target Tables")
		}
	case string:
		for _, called := range calledFunction.FindAllStringSubmatch(node, -1) {
			s.functions = appendNew(s.functions, own.match(strings.Trim(called[1], `".`), strings.Trim(called[2], `"`))...)
		}
	}
}

// calledFunction finds calls in the expressions of a plan.
var calledFunction = regexp.MustCompile(`((?:"[^"]+"|[\pL_][\pL\pN_$]*)\.)?("[^"]+"|[\pL_][\pL\pN_$]*)\(`)

func appendNew[T comparable](list []T, more ...T) []T {
	for _, one := range more {
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}

// functions are those that are neither the server's nor an extension's, with the schemas they are in;
// the name alone leads to them where the search path does.
type functions map[string][]ownFunction

type ownFunction struct {
	schema  string
	visible bool
}

func (f functions) match(schema, name string) []string {
	var found []string
	for _, own := range f[name] {
		if own.schema == schema || (schema == "" && own.visible) {
			found = append(found, own.schema+"."+name)
		}
	}
	return found
}

func ownFunctions(ctx context.Context, conn *pgx.Conn) (functions, error) {
	rows, err := conn.Query(ctx, `SELECT DISTINCT n.nspname::text, p.proname::text, pg_function_is_visible(p.oid)
		FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
		WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
		  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`)
	if err != nil {
		return nil, err
	}
	found := functions{}
	var schema, name string
	var visible bool
	_, err = pgx.ForEachRow(rows, []any{&schema, &name, &visible}, func() error {
		found[name] = append(found[name], ownFunction{schema, visible})
		return nil
	})
	return found, err
}
