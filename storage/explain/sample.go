package explain

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// The samples' names.
const (
	// Common has the most common value of the most uneven column: the swarm that everybody is in.
	Common = "common"
	// Typical is a row with any other value.
	Typical = "typical"
	// Invented has no row of the operator's in it, because there is none, or none is needed.
	Invented = "invented"
)

const (
	// sampleRows is from about how many rows a typical one and a quantile are taken: enough for a quantile
	// of one in twenty, and read in a moment.
	sampleRows = 1000
	// largePages is from how many pages on (16 MB) a table is not read as a whole for that.
	largePages = 2048
	// listLength is how many elements an array parameter gets. The planner assumes ten for an array
	// that it does not know, so the generic plan and the others are about the same question.
	listLength = 10
	// cutoff is the quantile of a column that a parameter gets which is compared with < or >: old
	// enough to leave most rows on one side, as a limit of age does.
	cutoff = 0.05
	// unevenEnough is how many times as frequent as the average the most common value must be to make
	// samples of its own.
	unevenEnough = 1.5
)

// A Sample is arguments for a statement and where they come from.
type Sample struct {
	// Name is Common, Typical or Invented.
	Name      string
	Arguments Arguments
	// Origins tell for each parameter, by its index, where its value comes from. They hold no values.
	Origins []string
	// Notes are what a person should know of the sample: a table that is empty.
	Notes []string
}

// A Sampler finds arguments for statements in the rows of the tables that they touch.
type Sampler struct {
	s       *Session
	uses    map[*query.Statement]*uses
	order   []*query.Statement
	given   map[*operation.Parameter]operation.Value
	now     time.Time
	unknown map[*query.Statement]error
}

// NewSampler reads the statements with PostgreSQL's grammar. All statements of a query set should be
// given: a parameter that meets no column in one query, because it goes to a function, is sampled from
// the column that a parameter of its name meets in another. given are values that are not sampled; they
// must fit the contract (see Broken).
func NewSampler(ctx context.Context, s *Session, statements []*query.Statement, given map[*operation.Parameter]operation.Value) (*Sampler, error) {
	m := &Sampler{s: s, uses: map[*query.Statement]*uses{}, order: statements, given: given,
		now: time.Now().UTC().Truncate(time.Microsecond), unknown: map[*query.Statement]error{}}
	for _, st := range statements {
		var failed error
		read, err := readUses(st.Positional(), func(schema, name string) []string {
			t, err := s.Table(ctx, schema, name)
			if err != nil {
				failed = err
			}
			if err != nil || t == nil {
				return nil
			}
			return t.Columns
		})
		if failed != nil {
			return nil, failed
		}
		if err != nil {
			// A query may be right although the grammar of this version does not know it.
			m.unknown[st] = err
			read = &uses{limits: map[int]bool{}}
		}
		m.uses[st] = read
	}
	return m, nil
}

// Samples returns one or two samples for a statement.
func (m *Sampler) Samples(ctx context.Context, st *query.Statement) ([]*Sample, error) {
	f := m.filling(st)
	rows, err := f.rows(ctx)
	if err != nil {
		return nil, err
	}
	var samples []*Sample
	for _, row := range rows {
		samples = append(samples, f.sample(row))
	}
	if len(samples) == 0 {
		samples = append(samples, f.sample(sampled{name: Invented}))
	}
	for _, sample := range samples {
		sample.Notes = append(sample.Notes, f.notes...)
		if err := m.unknown[st]; err != nil {
			sample.Notes = append(sample.Notes, "the query cannot be read with PostgreSQL's grammar, so nothing was sampled for it")
		}
	}
	return samples, nil
}

// A filling is the sampling of one statement.
type filling struct {
	*Sampler
	st       *query.Statement
	bindings map[int]bound // by parameter index
	limits   map[int]bool  // by parameter index
	links    []link
	notes    []string
}

// A bound is a binding that was chosen for a parameter.
type bound struct {
	binding
	parameter *operation.Parameter
	// elsewhere is the key of the operation from which it was taken.
	elsewhere string
}

func (m *Sampler) filling(st *query.Statement) *filling {
	f := &filling{Sampler: m, st: st, bindings: map[int]bound{}, limits: map[int]bool{}, links: m.uses[st].links}
	for _, p := range st.Operation.Parameters {
		if b, ok := m.best(st, p); ok {
			f.bindings[p.Index] = bound{binding: b, parameter: p}
		}
	}
	args := st.Compiled().Args
	for number := range m.uses[st].limits {
		f.limits[args[number-1]] = true
	}
	for _, p := range st.Operation.Parameters {
		if _, found := f.bindings[p.Index]; !found && !f.limits[p.Index] && st.Uses(p.Name) {
			f.borrow(p)
		}
	}
	return f
}

// best is the binding of a parameter that tells most about fitting values.
func (m *Sampler) best(st *query.Statement, p *operation.Parameter) (binding, bool) {
	args := st.Compiled().Args
	var best binding
	found := false
	for _, b := range m.uses[st].bindings {
		if b.parameter > len(args) || args[b.parameter-1] != p.Index || found && best.use <= b.use {
			continue
		}
		best, found = b, true
	}
	return best, found
}

// borrow takes the column that a parameter of the same name and kind meets in another query.
func (f *filling) borrow(p *operation.Parameter) {
	for _, other := range f.order {
		q := other.Operation.Parameter(p.Name)
		if other == f.st || q == nil || q.Kind != p.Kind || other.Operation.Section != f.st.Operation.Section {
			continue
		}
		b, ok := f.Sampler.best(other, q)
		if ok && b.from.column != "" {
			f.bindings[p.Index] = bound{binding: b, parameter: p, elsewhere: other.Operation.Key}
			return
		}
	}
}

// A sampled is the values that one run through the tables gave, by parameter index.
type sampled struct {
	name    string
	values  map[int]operation.Value
	origins map[int]string
}

// sample puts together what was sampled, given and made up.
func (f *filling) sample(row sampled) *Sample {
	op := f.st.Operation
	s := &Sample{Name: row.name, Arguments: make(Arguments, len(op.Parameters)), Origins: make([]string, len(op.Parameters))}
	for i, p := range op.Parameters {
		v, origin := f.value(p, row)
		if rule := Broken(op, p, v); rule != "" {
			v, origin = f.invent(p), "made up, because the sampled value breaks the contract: it "+rule
		}
		s.Arguments[i], s.Origins[i] = v, origin
	}
	f.derive(s)
	return s
}

func (f *filling) value(p *operation.Parameter, row sampled) (operation.Value, string) {
	if v, ok := f.given[p]; ok {
		return v, "given"
	}
	if p.Derive == annotation.Derive_NOW {
		return operation.Value{Time: f.now}, "the time of the call"
	}
	v, ok := row.values[p.Index]
	if ok && (!v.Null || p.Optional) {
		return v, row.origins[p.Index]
	}
	if p.Optional && !f.limits[p.Index] {
		return operation.Value{Null: true}, "NULL, as it is optional and meets no column with a value"
	}
	return f.invent(p), "made up"
}

// fresh is a sample for a row that is not there yet: what an INSERT writes is made up where a key can be
// made of it. It returns nil if that changes nothing.
func (m *Sampler) fresh(st *query.Statement, s *Sample) *Sample {
	f := m.filling(st)
	changed := false
	copied := *s
	copied.Arguments, copied.Origins = slices.Clone(s.Arguments), slices.Clone(s.Origins)
	for i, p := range st.Operation.Parameters {
		_, given := f.given[p]
		b, ok := f.bindings[i]
		key := p.Kind == operation.Bytes || p.Kind == operation.UUID || p.Kind == operation.Text && len(p.Rules.GetValues()) == 0
		if !ok || b.use != assigned || given || !key || p.List || s.Arguments[i].Null {
			continue
		}
		copied.Arguments[i], copied.Origins[i] = f.invent(p), "made up, because the row with the sampled value is there already"
		changed = true
	}
	if !changed {
		return nil
	}
	return &copied
}

// derive fills in what the contract computes from other parameters, for those who look at it.
func (f *filling) derive(s *Sample) {
	for i, p := range f.st.Operation.Parameters {
		if p.Derive != annotation.Derive_IS_V6 {
			continue
		}
		if from := f.st.Operation.Parameter(p.Rules.GetOf()); from != nil {
			v := s.Arguments[from.Index]
			s.Arguments[i], s.Origins[i] = operation.Value{Null: v.Null, Bool: v.Addr.Is6()}, "derived from @"+from.Name
		}
	}
}

// rows samples the tables: with the most common value of their most uneven column, and with another.
func (f *filling) rows(ctx context.Context) ([]sampled, error) {
	groups, err := f.groups(ctx)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	var all []sampled
	for _, name := range []string{Common, Typical} {
		if name == Common && groups[0].anchor == nil {
			continue // nothing is uneven
		}
		w := &walk{filling: f, row: sampled{name: name, values: map[int]operation.Value{}, origins: map[int]string{}}, known: map[string]string{}}
		found := false
		for i, g := range groups {
			ok, err := w.visit(ctx, g, i == 0)
			if err != nil {
				return nil, err
			}
			found = found || ok
		}
		if found && (len(all) == 0 || !reflect.DeepEqual(all[0].values, w.row.values)) {
			all = append(all, w.row)
		}
	}
	return all, nil
}

// groups are the tables with bindings, the largest first, each before those that are linked to it.
func (f *filling) groups(ctx context.Context) ([]*group, error) {
	byTable := map[string]*group{}
	var groups []*group
	for _, p := range f.st.Operation.Parameters {
		b, ok := f.bindings[p.Index]
		if !ok || b.from.relation == nil {
			continue
		}
		t, err := f.s.Table(ctx, b.from.relation.schema, b.from.relation.name)
		if err != nil {
			return nil, err
		}
		if t == nil {
			continue
		}
		g := byTable[t.QualifiedName()]
		if g == nil {
			g = &group{table: t, alias: b.from.relation.alias}
			byTable[t.QualifiedName()] = g
			groups = append(groups, g)
		}
		if b.from.column != "" || b.from.relation.alias == g.alias {
			g.bound = append(g.bound, b)
		}
	}
	for _, l := range f.links {
		a, b := f.groupOf(ctx, byTable, l.a), f.groupOf(ctx, byTable, l.b)
		if a != nil && b != nil && a != b {
			a.links = append(a.links, groupLink{column: l.a.column, other: b, otherColumn: l.b.column})
			b.links = append(b.links, groupLink{column: l.b.column, other: a, otherColumn: l.a.column})
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		switch {
		case a.table.Rows > b.table.Rows:
			return -1
		case a.table.Rows < b.table.Rows:
			return 1
		}
		return 0
	})
	if len(groups) > 0 {
		var err error
		groups[0].anchor, err = f.s.uneven(ctx, groups[0])
		if err != nil {
			return nil, err
		}
	}
	return groups, nil
}

func (f *filling) groupOf(ctx context.Context, byTable map[string]*group, from source) *group {
	t, err := f.s.Table(ctx, from.relation.schema, from.relation.name)
	if err != nil || t == nil {
		return nil
	}
	return byTable[t.QualifiedName()]
}

// A group is a table with the parameters that are sampled from its rows together.
type group struct {
	table  *Table
	alias  string
	bound  []bound
	links  []groupLink
	anchor *anchor
}

type groupLink struct {
	column      string
	other       *group
	otherColumn string
}

// An anchor is the column of a table whose values are distributed most unevenly, and its most common
// value in the server's text form. other is a value of the middle, or the least common one that the
// statistics know; it may be empty.
type anchor struct{ column, value, other string }

// from is the table for a FROM clause.
func (g *group) from() string {
	return quote(g.table.Schema) + "." + quote(g.table.Name) + " AS " + quote(g.alias)
}

// column is a column of the group's table, whatever the relation was called where it was found.
func (g *group) column(name string) string { return quote(g.alias) + "." + quote(name) }

func (g *group) expression(from source) string {
	if from.column == "" {
		return from.expression
	}
	if from.array {
		return "(" + g.column(from.column) + ")[1]"
	}
	return g.column(from.column)
}

// uneven looks in the statistics for the group's most uneven column. The result is nil if there are no
// statistics, or nothing is uneven.
func (s *Session) uneven(ctx context.Context, g *group) (*anchor, error) {
	var columns []string
	for _, b := range g.bound {
		if b.use != ranged && b.from.column != "" && !b.from.array {
			columns = append(columns, quote(b.from.column))
		}
	}
	for _, l := range g.links {
		columns = append(columns, quote(l.column))
	}
	if len(columns) == 0 {
		return nil, nil
	}
	const statistics = `
		SELECT attname, (most_common_vals::text::text[])[1],
			COALESCE((histogram_bounds::text::text[])[cardinality(histogram_bounds::text::text[]) / 2],
				(most_common_vals::text::text[])[cardinality(most_common_vals::text::text[])])
		FROM pg_catalog.pg_stats
		WHERE schemaname = $1 AND tablename = $2 AND attname = ANY ($3::text[]) AND most_common_vals IS NOT NULL
			AND most_common_freqs[1] * CASE WHEN n_distinct < 0 THEN -n_distinct * $4::float8 ELSE n_distinct END > $5::float8
		ORDER BY most_common_freqs[1] * CASE WHEN n_distinct < 0 THEN -n_distinct * $4::float8 ELSE n_distinct END DESC
		LIMIT 1`
	var rows [][]string
	err := s.guarded(ctx, func() error {
		var err error
		rows, err = s.texts(ctx, statistics, g.table.Schema, g.table.Name, "{"+strings.Join(columns, ",")+"}", fmt.Sprint(g.table.Rows), fmt.Sprint(unevenEnough))
		return err
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &anchor{column: rows[0][0], value: rows[0][1], other: rows[0][2]}, nil
}
