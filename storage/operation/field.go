package operation

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
)

// A Kind says which Go value stands for a field, and so which database types can hold it.
type Kind int

// The kinds. Which database types fit each is decided by package query.
const (
	Bytes Kind = iota
	Text
	Int
	Float
	Bool
	Time
	Addr
	UUID
	JSON
)

var kindNames = [...]string{"bytes", "text", "int", "float", "bool", "time", "addr", "uuid", "json"}

// String returns the kind as the contracts write it.
func (k Kind) String() string { return kindNames[k] }

// A Field is what parameters and result columns have in common.
type Field struct {
	// Name is the parameter's or the column's name.
	Name string
	Kind Kind
	// List says that the value is an array of the kind.
	List bool
	// Optional says that NULL is allowed.
	Optional bool
	// Rules is the annotation; it may be nil, whose getters return zero values.
	Rules *annotation.Field

	path []protoreflect.FieldDescriptor
	leaf protoreflect.FieldDescriptor
}

// A Parameter is a value that a query may use as @name or $n.
type Parameter struct {
	Field
	// Index is the position among the operation's parameters, from 0.
	Index int
	// Derive says where the value comes from if the request does not hold it.
	Derive annotation.Derive

	from int // the index of the parameter that this one is derived from
}

// A Column is a value that a result must hold.
type Column struct {
	Field
	// Index is the position among the operation's columns, from 0.
	Index int
}

// TypeName returns the kind with its decorations, as the contracts write it: "bytes[]", "int?".
func (f *Field) TypeName() string {
	name := f.Kind.String()
	if f.List {
		name += "[]"
	}
	if f.Optional {
		name += "?"
	}
	return name
}

// Identity says that a query which does not use the parameter hits rows that the call does not mean.
func (p *Parameter) Identity() bool { return p.Rules.GetIdentity() }

// Asked says whether a request gives the parameter a value of its own: fields without presence count as
// not given when they are zero or empty.
func (p *Parameter) Asked(v *Value) bool {
	switch {
	case p.List:
		return len(v.List) > 0
	case v.Null:
		return false
	case p.leaf.HasPresence():
		return true
	}
	return v.Bool || v.Int != 0 || v.Float != 0 || v.Text != "" || len(v.Bytes) > 0 || v.Addr.IsValid()
}

// MayBeMissing says that a result without the column is allowed.
func (c *Column) MayBeMissing() bool { return c.Rules.GetMayBeMissing() }

func newField(path []protoreflect.FieldDescriptor, rules *annotation.Field) (*Field, error) {
	leaf := path[len(path)-1]
	f := &Field{Name: rules.GetName(), Rules: rules, path: path[:len(path)-1], leaf: leaf, List: leaf.IsList()}
	if f.Name == "" {
		f.Name = string(leaf.Name())
	}
	kind, err := kindOf(leaf, rules)
	if err != nil {
		return nil, fmt.Errorf("field %s: %w", leaf.FullName(), err)
	}
	f.Kind = kind
	f.Optional = leaf.HasOptionalKeyword() || leaf.ContainingOneof() != nil || (isTime(leaf) && !f.List)
	return f, nil
}

func kindOf(fd protoreflect.FieldDescriptor, rules *annotation.Field) (Kind, error) {
	declared := rules.GetKind()
	if isTime(fd) {
		return Time, nil
	}
	switch fd.Kind() {
	case protoreflect.BytesKind:
		switch declared {
		case annotation.Kind_ADDR:
			return Addr, nil
		case annotation.Kind_UUID:
			return UUID, nil
		case annotation.Kind_JSON:
			return JSON, nil
		}
		return Bytes, nil
	case protoreflect.StringKind:
		if declared == annotation.Kind_JSON {
			return JSON, nil
		}
		return Text, nil
	case protoreflect.BoolKind:
		return Bool, nil
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return Float, nil
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return Int, nil
	}
	return 0, fmt.Errorf("a field of type %s has no kind", fd.Kind())
}

// check tells what is wrong with a value under the field's rules, or "". It never prints the value.
func (f *Field) check(v *Value) string {
	switch f.Kind {
	case Bytes:
		return f.checkLength(len(v.Bytes), "bytes")
	case Text:
		return f.checkText(v.Text)
	case Int:
		return f.checkRange(v.Int)
	case Time:
		// The range of google.protobuf.Timestamp, and well within that of every type of the database.
		if year := v.Time.Year(); year < 1 || year > 9999 {
			return "must be a time between the years 1 and 9999"
		}
	case Addr:
		if !v.Addr.IsValid() {
			return "must be an IP address of 4 or 16 bytes"
		}
	case UUID:
		if len(v.Bytes) != 16 {
			return "must be 16 bytes"
		}
	}
	return ""
}

func (f *Field) checkText(text string) string {
	if !utf8.ValidString(text) {
		return "must be valid UTF-8"
	}
	if slices.Contains([]byte(text), 0) {
		return "must not contain the character NUL, which the database cannot store"
	}
	if values := f.Rules.GetValues(); len(values) > 0 && !slices.Contains(values, text) {
		return fmt.Sprintf("must be one of %v", values)
	}
	return f.checkLength(utf8.RuneCountInString(text), "characters")
}

func (f *Field) checkLength(n int, unit string) string {
	if f.Rules == nil {
		return ""
	}
	if lengths := f.Rules.Length; len(lengths) > 0 && !slices.Contains(lengths, uint32(n)) {
		return fmt.Sprintf("must have %s %s, not %d", orList(lengths), unit, n)
	}
	if f.Rules.MinLength != nil && n < int(*f.Rules.MinLength) {
		return fmt.Sprintf("must have at least %d %s, not %d", *f.Rules.MinLength, unit, n)
	}
	if f.Rules.MaxLength != nil && n > int(*f.Rules.MaxLength) {
		return fmt.Sprintf("must have at most %d %s, not %d", *f.Rules.MaxLength, unit, n)
	}
	return ""
}

func (f *Field) checkRange(n int64) string {
	if lowest, highest := width(f.leaf.Kind()); n < lowest || n > highest {
		return "must fit into 32 bits"
	}
	if f.Rules == nil {
		return ""
	}
	if f.Rules.Min != nil && n < *f.Rules.Min {
		return fmt.Sprintf("must be at least %d", *f.Rules.Min)
	}
	if f.Rules.Max != nil && n > *f.Rules.Max {
		return fmt.Sprintf("must be at most %d", *f.Rules.Max)
	}
	return ""
}

// width is the range of an integer type of protobuf.
func width(kind protoreflect.Kind) (lowest, highest int64) {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return math.MinInt32, math.MaxInt32
	case protoreflect.Uint32Kind:
		return 0, math.MaxUint32
	}
	return math.MinInt64, math.MaxInt64
}

// clamp brings a number into the field's range and says whether it had to.
func (f *Field) clamp(n int64) (int64, bool) {
	if f.Rules.Min != nil && n < *f.Rules.Min {
		return *f.Rules.Min, true
	}
	if f.Rules.Max != nil && n > *f.Rules.Max {
		return *f.Rules.Max, true
	}
	return n, false
}

func orList(lengths []uint32) string {
	text := ""
	for i, n := range lengths {
		if i > 0 {
			text += " or "
		}
		text += fmt.Sprint(n)
	}
	return text
}

// A Setting is a YAML key of a section that is not a query.
type Setting struct {
	// Key is the key below the section; Group is its first part if it has two.
	Key, Group string
	Spec       *annotation.Setting
	// Field is the field of the settings message that holds the value.
	Field protoreflect.FieldDescriptor
}

func (s *Section) addSettings(message protoreflect.MessageDescriptor, section string) []error {
	if s == nil {
		return []error{fmt.Errorf("%s: the file declares no section", message.FullName())}
	}
	if section != s.Name {
		return []error{fmt.Errorf("%s: are the settings of %s, and the file declares the section %s", message.FullName(), section, s.Name)}
	}
	if s.SettingsMessage != nil {
		return []error{fmt.Errorf("%s: %s already holds the settings of %s", message.FullName(), s.SettingsMessage.FullName(), section)}
	}
	s.SettingsMessage = message
	var errs []error
	taken := map[string]bool{}
	for i := range message.Fields().Len() {
		fd := message.Fields().Get(i)
		spec, _ := proto.GetExtension(fd.Options(), annotation.E_Setting).(*annotation.Setting)
		if err := checkSetting(spec.GetKey(), taken); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", fd.FullName(), err))
			continue
		}
		setting := &Setting{Key: spec.GetKey(), Spec: spec, Field: fd}
		if group, _, ok := strings.Cut(setting.Key, "."); ok {
			setting.Group = group
		}
		s.Settings = append(s.Settings, setting)
	}
	return errs
}

func checkSetting(key string, taken map[string]bool) error {
	if key == "" {
		return errors.New("a setting needs a key")
	}
	parts := strings.Split(key, ".")
	if len(parts) > 2 || slices.ContainsFunc(parts, func(part string) bool { return !isName(part) }) {
		return fmt.Errorf("setting %q: expected key or group.key", key)
	}
	if taken[key] {
		return fmt.Errorf("setting %q is declared twice", key)
	}
	taken[key] = true
	return nil
}

// NewSettings makes an empty settings message of the section; nil if it has none.
func (s *Section) NewSettings() proto.Message {
	if s.SettingsMessage == nil {
		return nil
	}
	return messageType(s.SettingsMessage).New().Interface()
}

// Declaration is the full name of the field that declares a parameter or column.
func (f *Field) Declaration() protoreflect.FullName { return f.leaf.FullName() }
