package operation

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
)

// A Value is one parameter or column value, of the kind that its field says. It is a struct with a
// member for each Go type rather than an interface, so that binding a call allocates nothing.
type Value struct {
	// Null says that there is no value.
	Null bool
	// Bool holds a Bool, Int an Int, Float a Float.
	Bool  bool
	Int   int64
	Float float64
	// Text holds a Text; Bytes holds a Bytes, a UUID (16 bytes) or a JSON.
	Text  string
	Bytes []byte
	// Time holds a Time, in UTC with microseconds.
	Time time.Time
	// Addr holds an Addr, never mapped IPv6 and without a zone.
	Addr netip.Addr
	// List holds the elements of an array.
	List []Value
}

// An ArgumentError says which parameter of a request breaks which rule. It never holds the value.
type ArgumentError struct {
	Parameter string
	Rule      string
}

// Error names the parameter and the rule.
func (e *ArgumentError) Error() string { return e.Parameter + " " + e.Rule }

// Values reads the parameters of a request into values, in the contract's order, after checking
// them against the contract. now is the service's clock, for values that the request leaves to it.
// The result reuses the memory of buffer.
func (op *Operation) Values(request proto.Message, now time.Time, buffer []Value) ([]Value, error) {
	if cap(buffer) < len(op.Parameters) {
		buffer = make([]Value, len(op.Parameters))
	}
	values := buffer[:len(op.Parameters)]
	m := request.ProtoReflect()
	for i, p := range op.Parameters {
		v := &values[i]
		*v = Value{}
		p.read(m, v)
		if v.Null && p.Derive == annotation.Derive_NOW {
			*v = Value{Time: now}
		}
		if p.from >= 0 {
			continue
		}
		if rule := p.checkArgument(v); rule != "" {
			return nil, &ArgumentError{Parameter: p.Name, Rule: rule}
		}
	}
	for i, p := range op.Parameters {
		if p.from >= 0 {
			source := &values[p.from]
			values[i] = Value{Null: source.Null, Bool: source.Addr.Is6()}
		}
	}
	return values, nil
}

// Empty says whether the request has nothing to do: its list named by nothing_if_empty is empty.
func (op *Operation) Empty(request proto.Message) bool {
	if op.nothing == nil {
		return false
	}
	m, ok := op.nothing.message(request.ProtoReflect())
	return !ok || m.Get(op.nothing.leaf).List().Len() == 0
}

// Lane returns the value that routes a call to a lane, and whether the operation has one.
func (op *Operation) Lane(values []Value) (Value, bool) {
	if op.lane == nil {
		return Value{}, false
	}
	return values[op.lane.Index], true
}

// checkArgument is checkValue, and also holds JSON to its grammar: a column of the type text would take
// anything. What the database returns is not read for that once more.
func (p *Parameter) checkArgument(v *Value) string {
	if rule := p.checkValue(v); rule != "" || p.Kind != JSON || v.Null {
		return rule
	}
	if !p.List {
		return notJSON(v)
	}
	for i := range v.List {
		if rule := notJSON(&v.List[i]); rule != "" {
			return fmt.Sprintf("element %d %s", i+1, rule)
		}
	}
	return ""
}

func notJSON(v *Value) string {
	if json.Valid(v.Bytes) {
		return ""
	}
	return "must be JSON"
}

func (f *Field) checkValue(v *Value) string {
	if f.List {
		for i := range v.List {
			if rule := f.check(&v.List[i]); rule != "" {
				return fmt.Sprintf("element %d %s", i+1, rule)
			}
		}
		return ""
	}
	if v.Null {
		if f.Optional {
			return ""
		}
		return "is missing"
	}
	return f.check(v)
}

// message walks to the message that holds the field; false if one on the way is not there.
func (f *Field) message(m protoreflect.Message) (protoreflect.Message, bool) {
	for _, fd := range f.path {
		if !m.Has(fd) {
			return m, false
		}
		m = m.Get(fd).Message()
	}
	return m, true
}

func (f *Field) read(m protoreflect.Message, v *Value) {
	m, ok := f.message(m)
	if !ok || (f.leaf.HasPresence() && !m.Has(f.leaf)) {
		v.Null = true
		return
	}
	if !f.List {
		f.fromProto(m.Get(f.leaf), v)
		return
	}
	list := m.Get(f.leaf).List()
	v.List = make([]Value, list.Len())
	for i := range v.List {
		f.fromProto(list.Get(i), &v.List[i])
	}
}

func (f *Field) fromProto(p protoreflect.Value, v *Value) {
	switch f.Kind {
	case Text:
		v.Text = p.String()
	case Int:
		if f.leaf.Kind() == protoreflect.Uint32Kind {
			v.Int = int64(p.Uint())
		} else {
			v.Int = p.Int()
		}
	case Float:
		v.Float = p.Float()
	case Bool:
		v.Bool = p.Bool()
	case Time:
		v.Time = timeOf(p.Message())
	case Addr:
		addr, _ := netip.AddrFromSlice(p.Bytes())
		v.Addr = addr.Unmap()
	case JSON:
		if f.leaf.Kind() == protoreflect.StringKind {
			v.Bytes = []byte(p.String())
			return
		}
		v.Bytes = p.Bytes()
	default:
		v.Bytes = p.Bytes()
		if v.Bytes == nil {
			v.Bytes = []byte{} // an empty value, which is not NULL
		}
	}
}

func timeOf(m protoreflect.Message) time.Time {
	if ts, ok := m.Interface().(*timestamppb.Timestamp); ok {
		return ts.AsTime().Truncate(time.Microsecond)
	}
	fields := m.Descriptor().Fields()
	return time.Unix(m.Get(fields.ByNumber(1)).Int(), m.Get(fields.ByNumber(2)).Int()).UTC().Truncate(time.Microsecond)
}

// A BadColumn says which column of a row breaks the contract, and how. It never holds the value.
type BadColumn struct {
	Column string
	Rule   string
}

// Error names the column and the rule.
func (e *BadColumn) Error() string { return "column " + e.Column + " " + e.Rule }

// Load reads a column's value back from a row.
func (c *Column) Load(row proto.Message) Value {
	var v Value
	c.read(row.ProtoReflect(), &v)
	return v
}

// Store puts a column's value into a row after checking it against the contract; clamped says that
// the number was brought into the column's range. The value's memory is not kept.
func (c *Column) Store(row proto.Message, v *Value) (clamped bool, err error) {
	if v.Null && c.Rules.GetNullIsZero() && !c.Optional {
		return false, nil
	}
	if c.Kind == Int && !v.Null && c.Rules.GetClamp() {
		v.Int, clamped = c.clamp(v.Int)
	}
	if rule := c.checkColumn(v); rule != "" {
		return false, &BadColumn{Column: c.Name, Rule: rule}
	}
	if v.Null {
		return false, nil
	}
	c.write(row.ProtoReflect(), v)
	return clamped, nil
}

func (c *Column) checkColumn(v *Value) string {
	if v.Null && !c.Optional && !c.List {
		return "is NULL"
	}
	if v.Null {
		return ""
	}
	return c.checkValue(v)
}
