package catalogue

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// A meeting is a parameter that meets a column: it is stored in it, or compared with it.
type meeting struct {
	parameter *parameter
	column    *column
	// stored says that the column gets a value, direct that this is the parameter itself.
	stored, direct bool
	at             int
}

// meetings lists what the columns of tables have to hold. What is stored comes first.
func (r *reading) meetings() []meeting {
	var all []meeting
	for _, w := range r.writes {
		for _, a := range slices.Concat(w.inserts, w.sets) {
			for _, p := range a.parameters {
				all = append(all, meeting{parameter: p, column: a.column, stored: true, direct: p == a.parameter, at: a.at})
			}
		}
	}
	for _, one := range r.compares {
		if one.bare && len(one.parameters) == 1 && !one.joined {
			all = append(all, meeting{parameter: one.parameters[0], column: one.column, direct: one.direct, at: one.at})
		}
	}
	return all
}

// checkParameters compares what the contract lets parameters be with what the columns hold.
func (c *checker) checkParameters(r *reading) {
	met := map[*parameter]bool{}
	for _, m := range r.meetings() {
		met[m.parameter] = true
		switch kind := m.parameter.Kind; {
		case kind == operation.Time && m.column.oid == pgtype.TimestampOID:
			c.withoutZone(r, m.column, m.at)
		case !m.direct: // what an expression makes of it is not known
		case kind == operation.Int:
			c.checkWidth(r, m)
		case kind == operation.Text:
			c.checkLength(r, m)
		case kind == operation.Bytes:
			c.checkBytes(r, m)
		}
	}
	c.checkArguments(r, met)
}

// checkArguments looks at parameters that meet no column that can be told: those of functions.
func (c *checker) checkArguments(r *reading, met map[*parameter]bool) {
	oids := r.statement.Plan().ParamOIDs
	for i, name := range r.statement.Arguments() {
		p := r.op.Parameter(name)
		if i >= len(oids) || met[p] {
			continue
		}
		_, most := integerRange(r.op, &p.Field)
		at := r.argument(i + 1)
		switch limit := integerLimit(oids[i]); {
		case p.Kind == operation.Int && limit > 0 && most > limit && most < math.MaxInt64:
			c.report(problem.Warning, ruleIntegerWidth, r, at,
				fmt.Sprintf("the database takes @%s as a number of at most %d, and it may be up to %d", p.Name, limit, most), "give the function's parameter the type bigint")
		case p.Kind == operation.Time && oids[i] == pgtype.TimestampOID:
			c.report(problem.Warning, c.named(r, ruleTimeWithoutZone), r, at, "@"+p.Name+" is taken as a time without time zone; it is sent as UTC", "use timestamptz")
		}
	}
}

// argument is the place of $number in the text.
func (r *reading) argument(number int) int {
	text := fmt.Sprintf("$%d", number)
	at := strings.Index(r.statement.Positional(), text)
	return max(at, 0)
}

// integerLimit is the largest number that a type holds; 0 for types that hold any that we send.
func integerLimit(oid uint32) int64 {
	switch oid {
	case pgtype.Int2OID, pgtype.Int2ArrayOID:
		return math.MaxInt16
	case pgtype.Int4OID, pgtype.Int4ArrayOID:
		return math.MaxInt32
	}
	return 0
}

func (c *checker) checkWidth(r *reading, m meeting) {
	limit := integerLimit(m.column.oid)
	_, most := integerRange(r.op, &m.parameter.Field)
	if limit == 0 || most <= limit || !c.first(ruleIntegerWidth, m.column) {
		return
	}
	larger, wider := fmt.Sprintf("up to %d", most), "integer"
	if most > math.MaxInt32 {
		wider = "bigint"
	}
	if most == math.MaxInt64 {
		larger = "larger"
	}
	c.report(problem.Warning, ruleIntegerWidth, r, m.at,
		fmt.Sprintf("%s is %s and ends at %d, and @%s may be %s; such a call fails", m.column, m.column.typeName, limit, m.parameter.Name, larger),
		fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s;", m.column.table, quote(m.column.name), wider))
}

// integerRange is what the contract lets a number be.
func integerRange(op *operation.Operation, f *operation.Field) (least, most int64) {
	least, most = math.MinInt64, math.MaxInt64
	switch leafKind(op.Method.Input(), f.Declaration(), 0) {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		least, most = math.MinInt32, math.MaxInt32
	case protoreflect.Uint32Kind:
		least, most = 0, math.MaxUint32
	}
	if f.Rules != nil && f.Rules.Min != nil {
		least = max(least, *f.Rules.Min)
	}
	if f.Rules != nil && f.Rules.Max != nil {
		most = min(most, *f.Rules.Max)
	}
	return least, most
}

// leafKind finds a field by its full name in a message and those in it.
func leafKind(m protoreflect.MessageDescriptor, name protoreflect.FullName, depth int) protoreflect.Kind {
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		if fd.FullName() == name {
			return fd.Kind()
		}
		if fd.Message() != nil && depth < 8 {
			if kind := leafKind(fd.Message(), name, depth+1); kind != 0 {
				return kind
			}
		}
	}
	return 0
}

// checkLength compares the longest text that the contract allows with varchar(n) and char(n).
func (c *checker) checkLength(r *reading, m meeting) {
	if m.column.length == 0 || !m.stored {
		return
	}
	longest, known := longestText(&m.parameter.Field)
	if known && longest <= m.column.length || !c.first(ruleTextLength, m.column) {
		return
	}
	severity, allowed := problem.Info, "as long as the caller likes"
	if known {
		severity, allowed = problem.Warning, fmt.Sprintf("up to %d characters", longest)
	}
	c.report(severity, ruleTextLength, r, m.at,
		fmt.Sprintf("%s is %s, and @%s may be %s; longer texts are refused", m.column, m.column.typeName, m.parameter.Name, allowed),
		fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE text;", m.column.table, quote(m.column.name)))
}

// longestText is the number of characters that a text can have by the contract, if it says so.
func longestText(f *operation.Field) (int, bool) {
	longest, known := 0, false
	for _, value := range f.Rules.GetValues() {
		longest, known = max(longest, len([]rune(value))), true
	}
	if known {
		return longest, true
	}
	for _, length := range f.Rules.GetLength() {
		longest, known = max(longest, int(length)), true
	}
	if f.Rules != nil && f.Rules.MaxLength != nil {
		longest, known = int(*f.Rules.MaxLength), true
	}
	return longest, known
}

// checkBytes reports columns that do not take bytes of any kind.
func (c *checker) checkBytes(r *reading, m meeting) {
	name := "@" + m.parameter.Name
	change := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE bytea USING ...;", m.column.table, quote(m.column.name))
	switch m.column.oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID:
		if c.first(ruleBytesInText, m.column) {
			c.report(problem.Warning, ruleBytesInText, r, m.at,
				fmt.Sprintf("%s is text, and %s is raw bytes; those that are no valid UTF-8 are refused", m.column, name),
				change+" or store them as text: encode("+name+"::bytea, 'hex')")
		}
	case pgtype.UUIDOID:
		lengths := m.parameter.Rules.GetLength()
		if !slices.Equal(lengths, []uint32{16}) && c.first(ruleBytesInText, m.column) {
			c.report(problem.Warning, ruleBytesInText, r, m.at, fmt.Sprintf("%s is uuid, which holds 16 bytes, and %s may have other lengths", m.column, name), change)
		}
	}
}

// withoutZone reports a time column that does not say what instant its values are: once a column.
func (c *checker) withoutZone(r *reading, column *column, at int) {
	if !c.first(ruleTimeWithoutZone, column) {
		return
	}
	message := column.name + " has no time zone; read and written as UTC"
	if lower := strings.ToLower(column.defaultValue); strings.Contains(lower, "now()") || strings.Contains(lower, "current") || strings.Contains(lower, "local") {
		message += ", while its default takes the time zone of the session that inserts"
	}
	c.report(problem.Warning, c.named(r, ruleTimeWithoutZone), r, at, message,
		fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE timestamptz USING %s AT TIME ZONE 'UTC'; or leave it so if every program that uses it means UTC",
			column.table, quote(column.name), quote(column.name)))
}
