package explain

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage/operation"
)

// A walk goes from table to table and takes a row of each.
type walk struct {
	*filling
	row   sampled
	known map[string]string // values of linked columns, in text form, by table and column
}

// visit takes a row of a table: one that fits the rows taken before, if there is one.
func (w *walk) visit(ctx context.Context, g *group, first bool) (found bool, err error) {
	var tries []condition
	given, hasGiven := w.givenIn(g)
	if hasGiven {
		tries = append(tries, given)
	}
	for _, l := range g.links {
		if value, ok := w.known[l.other.table.QualifiedName()+"."+l.otherColumn]; ok {
			tries = append(tries, condition{column: l.column, operator: "=", value: value,
				origin: fmt.Sprintf("of the row that belongs to the one of %s", l.other.table.Name)})
		}
	}
	switch {
	case !first || g.anchor == nil:
	case w.row.name == Common:
		tries = append(tries, condition{column: g.anchor.column, operator: "=", value: g.anchor.value,
			origin: "of a row with the most common " + g.anchor.column})
	default:
		tries = append(tries, condition{column: g.anchor.column, operator: "IS DISTINCT FROM", value: g.anchor.value, origin: "of a typical row", sampled: true},
			condition{column: g.anchor.column, operator: "=", value: g.anchor.other, origin: "of a row with a less common " + g.anchor.column})
	}
	tries = append(tries, condition{origin: "of a typical row", sampled: true}, condition{origin: "of a row"})
	for _, try := range tries {
		if found, err = w.take(ctx, g, try); found || err != nil {
			return found, err
		}
	}
	w.note("table " + g.table.Name + " is empty, so the values for it are made up")
	return false, nil
}

func (f *filling) note(text string) {
	for _, known := range f.notes {
		if known == text {
			return
		}
	}
	f.notes = append(f.notes, text)
}

// A condition chooses rows of a table.
type condition struct {
	column, operator, value string
	origin                  string
	sampled                 bool // from some pages of the table only
}

// givenIn is the condition that a row has a value that the caller gave, so that the rest fits it.
func (w *walk) givenIn(g *group) (condition, bool) {
	for _, b := range g.bound {
		v, ok := w.given[b.parameter]
		if !ok || b.use == ranged || b.from.column == "" || b.parameter.List || v.Null {
			continue
		}
		return condition{column: b.from.column, operator: "=", value: textOf(b.parameter.Kind, v), origin: "of a row with the given " + b.parameter.Name}, true
	}
	return condition{}, false
}

// take reads one row, and what needs several. An error of the server, a type that does not fit what
// was thought, is as good as no row.
func (w *walk) take(ctx context.Context, g *group, c condition) (bool, error) {
	var values []any
	var texts []string
	err := w.s.guarded(ctx, func() error {
		var err error
		values, texts, err = w.s.row(ctx, w.rowQuery(g, c), c.arguments(), len(g.bound))
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !isGrave(refused) {
		return false, nil
	}
	if err != nil || values == nil {
		return false, err
	}
	for i, b := range g.bound {
		v, ok := valueOf(&b.parameter.Field, values[i])
		if !ok {
			continue
		}
		w.row.values[b.parameter.Index] = v
		w.row.origins[b.parameter.Index] = w.origin(g, b, c)
	}
	for i, l := range g.links {
		w.known[g.table.QualifiedName()+"."+l.column] = texts[i]
	}
	return true, nil
}

// isGrave says that an error is about the server and not about the question: missing rights are the
// latter, and the caller learns of them when it asks for the plan.
func isGrave(err *pgconn.PgError) bool {
	for _, class := range []string{"08", "53", "57", "58", "XX"} {
		if strings.HasPrefix(err.Code, class) && err.Code != "57014" {
			return true
		}
	}
	return false
}

func (c condition) arguments() []string {
	if c.column == "" {
		return nil
	}
	return []string{c.value}
}

// origin tells where a value comes from.
func (w *walk) origin(g *group, b bound, c condition) string {
	what := g.table.Name + "." + b.from.column
	if b.from.column == "" {
		what = b.from.expression
	}
	origin := what + " " + c.origin
	switch {
	case b.use == ranged:
		origin = fmt.Sprintf("%s, the value that %.0f%% of its rows are below", what, cutoff*100)
	case b.parameter.List:
		origin = fmt.Sprintf("%s of up to %d rows", what, listLength)
	}
	if b.elsewhere != "" {
		origin += ", as in " + b.elsewhere
	}
	return origin
}

// rowQuery reads the sampled row's expressions, and then its linked columns as text.
func (w *walk) rowQuery(g *group, c condition) string {
	pool := w.pool(g)
	var columns []string
	for _, b := range g.bound {
		expression := g.expression(b.from)
		switch {
		case b.use == ranged:
			expression = fmt.Sprintf("(SELECT pg_catalog.percentile_disc(%g) WITHIN GROUP (ORDER BY value) FROM (SELECT %s AS value FROM %s) AS pool)", cutoff, expression, pool)
		case b.parameter.List && !b.from.array && !b.from.whole:
			expression = fmt.Sprintf("ARRAY(SELECT DISTINCT value FROM (SELECT %s AS value FROM %s) AS pool WHERE value IS NOT NULL LIMIT %d)", expression, pool, listLength)
		}
		columns = append(columns, castFor(b.parameter.Kind, expression))
	}
	for _, l := range g.links {
		columns = append(columns, g.column(l.column)+"::text")
	}
	rows, order := g.from(), ""
	if c.sampled {
		rows, order = w.pool(g), " ORDER BY pg_catalog.md5("+quote(g.alias)+"::text)"
	}
	where := ""
	if c.column != "" {
		where = " WHERE " + g.column(c.column) + " " + c.operator + " $1"
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + rows + where + order + " LIMIT 1"
}

// castFor makes JSON arrive as it was written.
func castFor(kind operation.Kind, expression string) string {
	if kind == operation.JSON {
		return "(" + expression + ")::text"
	}
	return expression
}

// pool is about sampleRows rows from all over the table: single rows of a small one, whole pages of a
// large one. Views cannot be sampled, so there it is the first rows.
func (w *walk) pool(g *group) string {
	sample := ""
	if t := g.table; t.sampleable() && t.Rows > sampleRows {
		method := "BERNOULLI"
		if t.Pages > largePages {
			method = "SYSTEM"
		}
		sample = fmt.Sprintf(" TABLESAMPLE %s (%g) REPEATABLE (1)", method, 100*float64(sampleRows)/t.Rows)
	}
	return fmt.Sprintf("(SELECT * FROM %s%s LIMIT %d) AS %s", g.from(), sample, 2*sampleRows, quote(g.alias))
}

// row reads a row in binary form: the first n columns decoded, the others as text. It returns nil if
// there is none.
func (s *Session) row(ctx context.Context, sql string, arguments []string, n int) (values []any, texts []string, err error) {
	wire := make([][]byte, len(arguments))
	for i, a := range arguments {
		wire[i] = []byte(a)
	}
	reader := s.conn.PgConn().ExecParams(ctx, sql, wire, nil, nil, []int16{1})
	for reader.NextRow() {
		fields := reader.FieldDescriptions()
		for i, raw := range reader.Values() {
			if i >= n {
				texts = append(texts, string(raw))
				continue
			}
			value, bad := s.decode(fields[i].DataTypeOID, raw)
			if bad != nil {
				err = bad
			}
			values = append(values, value)
		}
	}
	if _, closed := reader.Close(); closed != nil {
		return nil, nil, closed
	}
	return values, texts, err
}

func (s *Session) decode(oid uint32, raw []byte) (any, error) {
	if raw == nil {
		return nil, nil
	}
	m := s.conn.TypeMap()
	t, known := m.TypeForOID(oid)
	if !known {
		return string(raw), nil // the binary form of an enum or a citext is its text
	}
	// What was read lies in the connection's buffer.
	return t.Codec.DecodeValue(m, oid, 1, append([]byte{}, raw...))
}
