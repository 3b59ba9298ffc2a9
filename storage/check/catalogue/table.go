package catalogue

import (
	"slices"
	"strings"
)

// A table is a relation as the database's catalogue describes it: a table, view, materialised view,
// foreign table or partitioned table.
type table struct {
	oid          uint32
	schema, name string
	// kind is pg_class.relkind, persistence pg_class.relpersistence.
	kind, persistence string
	// rows is the planner's estimate, below 0 if nobody counted yet; pages is the size in blocks.
	rows  float64
	pages int64
	// visible says that the search_path finds the table by its name alone.
	visible    bool
	fillfactor int
	// secured says that row level security is on, filtered that it applies to this role.
	secured, filtered bool
	policies          []string
	// partitionKey has the numbers of the columns by which the table is partitioned; 0 is an expression.
	partitionKey []int16
	// granted are the rights of this role: SELECT, INSERT, UPDATE, DELETE.
	granted  map[string]bool
	columns  []*column // by number, without those that were dropped
	indexes  []*index
	triggers []trigger
}

type column struct {
	table  *table
	number int16
	name   string
	// oid is the type's number, that of the type below it for a domain; typeName is how the server
	// writes the type.
	oid      uint32
	typeName string
	// length is the n of varchar(n) and char(n); 0 is none.
	length       int
	notNull      bool
	defaultValue string // an expression
	array        bool
}

type index struct {
	name   string
	method string
	// unique also means valid and checked at once, so that it can be an arbiter.
	unique bool
	// keys are the numbers of the columns in order, 0 for an expression.
	keys []int16
	// descending says for each key whether it is in falling order.
	descending []bool
	// depends are the numbers of all columns in it, also those of expressions, predicate and INCLUDE.
	depends []int16
	partial bool
}

type trigger struct {
	name, function string
	// events are those of pg_trigger.tgtype: 4 INSERT, 8 DELETE, 16 UPDATE, 32 TRUNCATE.
	events int16
}

// fires says whether the write makes the trigger run.
func (t trigger) fires(w *write) bool {
	events := map[string]int16{"INSERT": 4, "DELETE": 8, "UPDATE": 16}[w.command]
	if w.conflict != nil && w.conflict.update {
		events |= 16
	}
	return t.events&events != 0
}

// String returns the name as a statement would have to write it.
func (t *table) String() string {
	if t.visible {
		return quote(t.name)
	}
	return quote(t.schema) + "." + quote(t.name)
}

func (t *table) column(name string) *column {
	for _, c := range t.columns {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (t *table) numbered(number int16) *column {
	for _, c := range t.columns {
		if c.number == number {
			return c
		}
	}
	return nil
}

// stored says that the table has rows of its own, which can be indexed.
func (t *table) stored() bool { return slices.Contains([]string{"r", "p", "m"}, t.kind) }

// foreign says that the rows are on another server.
func (t *table) foreign() bool { return t.kind == "f" }

// String returns table and column.
func (c *column) String() string { return c.table.String() + "." + quote(c.name) }

// plain says that the index finds rows by its columns alone, whatever their other columns hold.
func (i *index) plain() bool { return !i.partial && !slices.Contains(i.keys, 0) }

// names are the columns of the index.
func (i *index) names(t *table) []string {
	var names []string
	for _, number := range i.keys {
		if c := t.numbered(number); c != nil {
			names = append(names, c.name)
		}
	}
	return names
}

// quote writes an identifier as SQL needs it: with quotation marks only where the bare word would be
// read as something else. Keywords are not known here; the few that people use as names are quoted.
func quote(name string) string {
	bare := name != "" && !slices.Contains([]string{"user", "order", "group", "table", "default", "end", "limit", "check", "references", "primary"}, name)
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			bare = false
		}
	}
	if bare {
		return name
	}
	return always(name)
}

// always puts an identifier into quotation marks.
func always(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
