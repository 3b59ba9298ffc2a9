package operation

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
)

// An Operation is one thing that the database must do.
type Operation struct {
	// Key is the YAML key of its query, and the operation's name in errors and statement tags:
	// "tracker.peer.add_query".
	Key string
	// Section, Group and Name are the parts of the key: "tracker", "peer", "add". Group is empty
	// for a key directly below the section, Name for the only query of a group.
	Section, Group, Name string
	// Method declares the operation; FullMethod is its name as gRPC writes it.
	Method     protoreflect.MethodDescriptor
	FullMethod string
	// Internal says that hosts cannot call the method.
	Internal bool
	// Spec is the annotation itself.
	Spec *annotation.Operation
	// Extends is the operation to whose text this one's clause is appended, or nil.
	Extends *Operation
	// Parameters in the contract's order, which is also that of $1, $2, ...
	Parameters []*Parameter
	// Columns of a result's row; empty for NONE.
	Columns []*Column
	// Timeout is the contract's own limit for a call; 0 leaves it to the configuration.
	Timeout time.Duration

	row     protoreflect.MessageType
	rows    protoreflect.FieldDescriptor // the response's list of rows, if the method does not stream
	request protoreflect.MessageType
	lane    *Parameter
	nothing *Parameter
}

func newOperation(method protoreflect.MethodDescriptor, spec *annotation.Operation, internal bool, timeout string) (*Operation, error) {
	op := &Operation{
		Key:        spec.GetQuery(),
		Method:     method,
		FullMethod: "/" + string(method.Parent().FullName()) + "/" + string(method.Name()),
		Internal:   internal,
		Spec:       spec,
		request:    messageType(method.Input()),
	}
	if err := op.splitKey(); err != nil {
		return nil, err
	}
	if spec.GetTimeout() != "" {
		timeout = spec.GetTimeout()
	}
	if timeout != "" {
		limit, err := time.ParseDuration(timeout)
		if err != nil {
			return nil, fmt.Errorf("timeout: %w", err)
		}
		op.Timeout = limit
	}
	if err := op.readParameters(); err != nil {
		return nil, err
	}
	if err := op.readColumns(); err != nil {
		return nil, err
	}
	return op, nil
}

func (op *Operation) splitKey() error {
	parts := strings.Split(op.Key, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return fmt.Errorf("query %q: expected section.group.op_query or section.op_query", op.Key)
	}
	for _, part := range parts {
		if !isName(part) {
			return fmt.Errorf("query %q: each part must begin with a lower-case letter and hold lower-case letters, digits and underscores only", op.Key)
		}
	}
	last := parts[len(parts)-1]
	name, isQuery := strings.CutSuffix(last, "_query")
	clause, isClause := strings.CutSuffix(last, "_clause")
	switch {
	case last == "query":
		if len(parts) == 2 {
			return fmt.Errorf("query %q: a key that is just query needs a group", op.Key)
		}
		name = ""
	case isClause:
		name = clause
	case !isQuery:
		return fmt.Errorf("query %q: the last part must end in _query or _clause", op.Key)
	}
	if extends := op.Spec.GetExtends() != ""; extends != isClause {
		return fmt.Errorf("query %q: a key ends in _clause exactly if the operation extends another", op.Key)
	}
	op.Section, op.Name = parts[0], name
	if len(parts) == 3 {
		op.Group = parts[1]
	}
	return nil
}

// isName says whether a word can be a part of a key: what an operator can write without quotes.
func isName(word string) bool {
	for i, r := range word {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || (r != '_' && (r < '0' || r > '9'))) {
			return false
		}
	}
	return word != ""
}

// isParameterName says whether a query can write the word behind an @: a lower-case letter or an
// underscore, then letters, digits and underscores.
func isParameterName(word string) bool {
	for i, r := range word {
		start := r == '_' || (r >= 'a' && r <= 'z')
		if !start && (i == 0 || !((r >= '0' && r <= '9') || (r >= 'A' && r <= 'Z'))) {
			return false
		}
	}
	return word != ""
}

func (op *Operation) readParameters() error {
	seen := map[string]bool{}
	err := walk(op.Method.Input(), nil, func(path []protoreflect.FieldDescriptor, rules *annotation.Field) error {
		f, err := newField(path, rules)
		if err != nil {
			return err
		}
		if seen[f.Name] {
			return fmt.Errorf("parameter @%s is declared twice", f.Name)
		}
		if !isParameterName(f.Name) {
			return fmt.Errorf("%q cannot be the name of a parameter: it must begin with a lower-case letter or an underscore", f.Name)
		}
		if rules.GetDerive() == annotation.Derive_NOW && (f.Kind != Time || f.List) {
			return fmt.Errorf("@%s cannot be the time of the call: it is no time", f.Name)
		}
		seen[f.Name] = true
		op.Parameters = append(op.Parameters, &Parameter{Field: *f, Index: len(op.Parameters), Derive: rules.GetDerive(), from: -1})
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range op.Parameters {
		if p.Derive == annotation.Derive_IS_V6 {
			source := op.Parameter(p.Rules.GetOf())
			if source == nil || source.Kind != Addr {
				return fmt.Errorf("@%s is derived from %q, which is no address", p.Name, p.Rules.GetOf())
			}
			p.from = source.Index
		}
	}
	if lane := op.Spec.GetLane(); lane != "" {
		if op.lane = op.Parameter(lane); op.lane == nil {
			return fmt.Errorf("lane %q is no parameter", lane)
		}
	}
	if name := op.Spec.GetNothingIfEmpty(); name != "" {
		if op.nothing = op.Parameter(name); op.nothing == nil || !op.nothing.List {
			return fmt.Errorf("nothing_if_empty %q is no list", name)
		}
	}
	return nil
}

func (op *Operation) readColumns() error {
	row := op.Method.Output()
	result := op.Spec.GetResult()
	if result == annotation.Result_ROWS && !op.Method.IsStreamingServer() {
		if row.Fields().Len() != 1 || !row.Fields().Get(0).IsList() || row.Fields().Get(0).Message() == nil {
			return fmt.Errorf("result ROWS: the response must be a stream, or hold one repeated message")
		}
		op.rows = row.Fields().Get(0)
		row = op.rows.Message()
	}
	op.row = messageType(row)
	if result == annotation.Result_NONE {
		return nil
	}
	seen := map[string]bool{}
	err := walk(row, nil, func(path []protoreflect.FieldDescriptor, rules *annotation.Field) error {
		f, err := newField(path, rules)
		if err != nil {
			return err
		}
		name := strings.ToLower(f.Name) // results are searched without regard to case
		if seen[name] {
			return fmt.Errorf("column %s is declared twice", f.Name)
		}
		seen[name] = true
		op.Columns = append(op.Columns, &Column{Field: *f, Index: len(op.Columns)})
		return nil
	})
	if err != nil {
		return err
	}
	switch result {
	case annotation.Result_AFFECTED:
		if len(op.Columns) != 1 || op.Columns[0].leaf.Kind() != protoreflect.Int64Kind || !op.Columns[0].Optional {
			return fmt.Errorf("result AFFECTED: the response must be one optional int64")
		}
	case annotation.Result_SCALAR:
		if len(op.Columns) != 1 {
			return fmt.Errorf("result SCALAR: the response must have one field")
		}
	}
	return nil
}

// walk visits the fields of a message in order; a nested message contributes its own.
func walk(m protoreflect.MessageDescriptor, path []protoreflect.FieldDescriptor,
	visit func([]protoreflect.FieldDescriptor, *annotation.Field) error) error {
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		rules, _ := proto.GetExtension(fd.Options(), annotation.E_Field).(*annotation.Field)
		if rules.GetIgnore() {
			continue
		}
		if err := walkable(fd, path); err != nil {
			return err
		}
		here := append(append([]protoreflect.FieldDescriptor{}, path...), fd)
		var err error
		if fd.Message() != nil && !isTime(fd) && !fd.IsList() {
			err = walk(fd.Message(), here, visit)
		} else {
			err = visit(here, rules)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// walkable reports fields that cannot contribute to parameters or columns.
func walkable(fd protoreflect.FieldDescriptor, path []protoreflect.FieldDescriptor) error {
	if fd.IsMap() {
		return fmt.Errorf("field %s: a map has no kind", fd.FullName())
	}
	if fd.Message() == nil {
		return nil
	}
	if fd.Message() == fd.ContainingMessage() {
		return fmt.Errorf("field %s: a message cannot hold itself", fd.FullName())
	}
	for _, outer := range path {
		if outer.ContainingMessage() == fd.Message() {
			return fmt.Errorf("field %s: a message cannot hold itself", fd.FullName())
		}
	}
	return nil
}

// Parameter returns the parameter with this name, or nil.
func (op *Operation) Parameter(name string) *Parameter {
	for _, p := range op.Parameters {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// ParameterNames returns the names in the contract's order.
func (op *Operation) ParameterNames() []string {
	names := make([]string, len(op.Parameters))
	for i, p := range op.Parameters {
		names[i] = p.Name
	}
	return names
}

// Label is the operation's name without its section, as metrics show it: "peer.add", "announce".
func (op *Operation) Label() string {
	switch {
	case op.Group == "":
		return op.Name
	case op.Name == "":
		return op.Group
	default:
		return op.Group + "." + op.Name
	}
}

// ColumnKeys returns the YAML keys, below the operation's group, that rename a result column; the
// first one given wins.
func (op *Operation) ColumnKeys(c *Column) []string {
	general := c.Name + "_column"
	base := op
	for base.Extends != nil {
		base = base.Extends
	}
	if base.Name == "" {
		return []string{general}
	}
	return []string{base.Name + "_" + general, general}
}

// SiblingKey returns the full YAML key of something that belongs to the operation: with "timeout"
// the key "tracker.peer.add_timeout", or "tracker.announce.timeout" for a group's only query.
func (op *Operation) SiblingKey(suffix string) string {
	if op.Name != "" {
		suffix = op.Name + "_" + suffix
	}
	if op.Group != "" {
		suffix = op.Group + "." + suffix
	}
	return op.Section + "." + suffix
}

// NewRequest and NewRow make empty messages: the request, and what one row of the result fills.
func (op *Operation) NewRequest() proto.Message { return op.request.New().Interface() }

// NewRow makes an empty message for one row of the result.
func (op *Operation) NewRow() proto.Message { return op.row.New().Interface() }

// NewResponse makes the response of a method that does not stream from the rows of its result.
func (op *Operation) NewResponse(rows []proto.Message) proto.Message {
	if op.rows == nil {
		if len(rows) > 0 {
			return rows[0]
		}
		return op.NewRow()
	}
	response := messageType(op.Method.Output()).New()
	list := response.Mutable(op.rows).List()
	for _, row := range rows {
		list.Append(protoreflect.ValueOfMessage(row.ProtoReflect()))
	}
	return response.Interface()
}

// Background says whether the operation is periodic work that must not compete with requests.
func (op *Operation) Background() bool { return op.Spec.GetHeat() == annotation.Heat_BACKGROUND }

// messageType prefers generated Go types, and falls back to dynamic messages for contracts that
// were compiled at run time.
func messageType(m protoreflect.MessageDescriptor) protoreflect.MessageType {
	if t, err := protoregistry.GlobalTypes.FindMessageByName(m.FullName()); err == nil && t.Descriptor() == m {
		return t
	}
	return dynamicpb.NewMessageType(m)
}

func isTime(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && fd.Message().FullName() == "google.protobuf.Timestamp"
}
