package operation

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Store puts a value into a request after checking it against the contract; NULL takes away what is
// there. An error is an *ArgumentError. The value's memory is not kept. It is how a program that has
// values instead of a message makes a request; Values is the way back.
func (p *Parameter) Store(request proto.Message, v *Value) error {
	if rule := p.checkArgument(v); rule != "" {
		return &ArgumentError{Parameter: p.Name, Rule: rule}
	}
	m := request.ProtoReflect()
	if v.Null {
		if m, ok := p.message(m); ok {
			m.Clear(p.leaf)
		}
		return nil
	}
	p.write(m, v)
	return nil
}

// Get reads the field's value out of a message: a request for a parameter, a row for a column. What is
// not there is NULL, or the zero value where the field has no presence.
func (f *Field) Get(m proto.Message) Value {
	var v Value
	f.read(m.ProtoReflect(), &v)
	return v
}

// write puts a value that was checked into a message, with the messages on the way to it.
func (f *Field) write(m protoreflect.Message, v *Value) {
	for _, fd := range f.path {
		m = m.Mutable(fd).Message()
	}
	if !f.List {
		m.Set(f.leaf, f.toProto(m, v))
		return
	}
	m.Clear(f.leaf)
	list := m.Mutable(f.leaf).List()
	for i := range v.List {
		list.Append(f.toProto(m, &v.List[i]))
	}
}

func (f *Field) toProto(m protoreflect.Message, v *Value) protoreflect.Value {
	switch f.Kind {
	case Text:
		return protoreflect.ValueOfString(v.Text)
	case Int:
		return intToProto(f.leaf.Kind(), v.Int)
	case Float:
		if f.leaf.Kind() == protoreflect.FloatKind {
			return protoreflect.ValueOfFloat32(float32(v.Float))
		}
		return protoreflect.ValueOfFloat64(v.Float)
	case Bool:
		return protoreflect.ValueOfBool(v.Bool)
	case Time:
		ts := timestamppb.New(v.Time)
		if f.List {
			return protoreflect.ValueOfMessage(ts.ProtoReflect())
		}
		target := m.NewField(f.leaf).Message()
		fields := target.Descriptor().Fields()
		target.Set(fields.ByNumber(1), protoreflect.ValueOfInt64(ts.Seconds))
		target.Set(fields.ByNumber(2), protoreflect.ValueOfInt32(ts.Nanos))
		return protoreflect.ValueOfMessage(target)
	case Addr:
		return protoreflect.ValueOfBytes(v.Addr.AsSlice())
	case JSON:
		if f.leaf.Kind() == protoreflect.StringKind {
			return protoreflect.ValueOfString(string(v.Bytes))
		}
	}
	return protoreflect.ValueOfBytes(append([]byte{}, v.Bytes...))
}

func intToProto(kind protoreflect.Kind, n int64) protoreflect.Value {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	default:
		return protoreflect.ValueOfInt64(n)
	}
}
