package workload

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
)

// Difference tells how far two answers to one turn differ in what the contract fixes, or "".
func (c *Case) Difference(turn Turn, a, b *Answer) string {
	if a.Code != b.Code {
		return fmt.Sprintf("A answers %s, B %s", a.Code, b.Code)
	}
	if c.Differ != nil {
		return c.Differ(turn, a, b)
	}
	return Compare(a, b)
}

// Compare tells how far two answers differ, whatever the order of their rows. Numbers of affected
// rows count only where both are known.
func Compare(a, b *Answer) string {
	if a.Counted && b.Counted && a.Affected != b.Affected {
		return fmt.Sprintf("A affects %d rows, B %d", a.Affected, b.Affected)
	}
	if len(a.Rows) != len(b.Rows) {
		return fmt.Sprintf("A has %d rows, B %d", len(a.Rows), len(b.Rows))
	}
	left, right := canonical(a.Rows), canonical(b.Rows)
	for i := range left {
		if left[i].wire != right[i].wire {
			return fmt.Sprintf("A has %s, B %s", Describe(left[i].row), Describe(right[i].row))
		}
	}
	return ""
}

type canonicalRow struct {
	wire string
	row  proto.Message
}

// canonical sorts rows by their content.
func canonical(rows []proto.Message) []canonicalRow {
	sorted := make([]canonicalRow, len(rows))
	for i, row := range rows {
		wire, _ := proto.MarshalOptions{Deterministic: true}.Marshal(row)
		sorted[i] = canonicalRow{string(wire), row}
	}
	slices.SortFunc(sorted, func(x, y canonicalRow) int { return strings.Compare(x.wire, y.wire) })
	return sorted
}

// compareBut is Compare for messages in which the named fields count only where both have them: what
// an operator's query need not tell.
func compareBut(a, b *Answer, fields ...protoreflect.Name) string {
	x, y := cloned(a), cloned(b)
	for i := range min(len(x.Rows), len(y.Rows)) {
		forget(x.Rows[i].ProtoReflect(), y.Rows[i].ProtoReflect(), fields)
	}
	return Compare(x, y)
}

func cloned(a *Answer) *Answer {
	c := *a
	c.Rows = make([]proto.Message, len(a.Rows))
	for i, row := range a.Rows {
		c.Rows[i] = proto.Clone(row)
	}
	return &c
}

func forget(a, b protoreflect.Message, names []protoreflect.Name) {
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case slices.Contains(names, field.Name()) && (!a.Has(field) || !b.Has(field)):
			a.Clear(field)
			b.Clear(field)
		case field.IsList() && field.Message() != nil:
			x, y := a.Get(field).List(), b.Get(field).List()
			for k := range min(x.Len(), y.Len()) {
				forget(x.Get(k).Message(), y.Get(k).Message(), names)
			}
		}
	}
}

// mostElements is how many elements of a list, and mostBytes how many bytes of a value, Describe shows.
const (
	mostElements = 3
	mostBytes    = 20
)

// Describe writes a message on one line, with bytes in hexadecimal, for people who look for the reason
// of a difference.
func Describe(message proto.Message) string {
	if message == nil {
		return "nothing"
	}
	var parts []string
	m := message.ProtoReflect()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !m.Has(field) {
			// Zero is a value where a field cannot be unset.
			if field.HasPresence() || field.IsList() || field.IsMap() {
				continue
			}
		}
		parts = append(parts, string(field.Name())+"="+describeField(field, m.Get(field)))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, " ")
}

func describeField(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	if !field.IsList() {
		return describeValue(field, value)
	}
	list := value.List()
	var parts []string
	for i := range min(list.Len(), mostElements) {
		parts = append(parts, describeValue(field, list.Get(i)))
	}
	if more := list.Len() - mostElements; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func describeValue(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	switch field.Kind() {
	case protoreflect.BytesKind:
		if raw := value.Bytes(); len(raw) > mostBytes {
			return fmt.Sprintf("0x%x…(%d bytes)", raw[:mostBytes], len(raw))
		}
		return fmt.Sprintf("0x%x", value.Bytes())
	case protoreflect.EnumKind:
		if name := field.Enum().Values().ByNumber(value.Enum()); name != nil {
			return string(name.Name())
		}
	case protoreflect.MessageKind:
		switch m := value.Message().Interface().(type) {
		case *timestamppb.Timestamp:
			return m.AsTime().Format("2006-01-02T15:04:05.999999Z")
		case *durationpb.Duration:
			return m.AsDuration().String()
		default:
			return "(" + Describe(m) + ")"
		}
	case protoreflect.StringKind:
		return fmt.Sprintf("%q", value.String())
	}
	return value.String()
}

// AsMethod returns the case of the method that an operation is: the same calls, through the service.
func (c *Case) AsMethod(op *operation.Operation) *Case {
	method := *c
	method.Direct = false
	if op.Spec.GetEmpty() == annotation.Empty_NOT_FOUND && !c.Bounded {
		method.MayBeAbsent = true
	}
	if c.Differ == nil && op.Spec.GetResult() == annotation.Result_AFFECTED {
		column := protoreflect.Name(op.Columns[0].Declaration().Name())
		method.Differ = func(_ Turn, a, b *Answer) string { return compareBut(a, b, column) }
	}
	return &method
}
