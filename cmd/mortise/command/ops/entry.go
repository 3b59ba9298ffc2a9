package ops

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/cmd/mortise/command/statements"
	"github.com/mortise-storage/mortise/internal/reference"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// A catalogue makes entries of operations.
type catalogue struct {
	contract *operation.Contract
	comments reference.Comments
	// file is the operator's, or nil; further are the files of contracts beyond the built-in one.
	file    *statements.File
	further []string
}

// An entry is what can be told about one operation. Its JSON is for programs.
type entry struct {
	Key     string `json:"key"`
	Section string `json:"section"`
	Method  string `json:"method"`
	// Internal says that hosts cannot call the method.
	Internal    bool        `json:"internal"`
	Description string      `json:"description"`
	Extends     string      `json:"extends,omitempty"`
	Parameters  []parameter `json:"parameters"`
	Result      string      `json:"result"`
	Columns     []column    `json:"columns"`
	// Empty is the gRPC code that stands for an empty result: OK for nothing special.
	Empty   string   `json:"empty"`
	Need    string   `json:"need"`
	Unless  []string `json:"unless,omitempty"`
	Without string   `json:"without,omitempty"`
	Default string   `json:"default_query,omitempty"`
	Retry   string   `json:"retry"`
	Heat    string   `json:"heat"`
	MaxRows int64    `json:"max_rows"`
	Timeout string   `json:"timeout,omitempty"`
	BadRows string   `json:"bad_rows"`
	Keys    []key    `json:"keys"`
	// State and the place are told with an operator's file only.
	State string            `json:"state,omitempty"`
	Place *problem.Position `json:"place,omitempty"`

	operation *operation.Operation
	further   []string
}

type parameter struct {
	Number      int    `json:"number"`
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Optional    bool   `json:"optional"`
	Identity    bool   `json:"identity"`
	Capability  bool   `json:"capability"`
	Derived     string `json:"derived,omitempty"`
	Rules       string `json:"rules,omitempty"`
	Description string `json:"description,omitempty"`
}

type column struct {
	Name         string   `json:"name"`
	Kind         string   `json:"kind"`
	Optional     bool     `json:"optional"`
	MayBeMissing bool     `json:"may_be_missing"`
	Rules        string   `json:"rules,omitempty"`
	RenamedBy    []string `json:"renamed_by"`
	Description  string   `json:"description,omitempty"`
}

// A key is one of the operator's file that belongs to the operation.
type key struct {
	Name    string `json:"key"`
	Meaning string `json:"meaning"`
	// Place is where the operator's file has it, if it does.
	Place *problem.Position `json:"place,omitempty"`
}

// The states of an operation in an operator's file.
const (
	stateConfigured = "configured"
	stateDefault    = "default"      // the contract's own query is used
	stateOff        = "not used"     // it may be left out, and is
	stateUnserved   = "not served"   // its section is not in the file
	stateMissing    = "missing"      // it is needed
	stateBroken     = "has mistakes" // its query cannot be used
)

func (c *catalogue) entry(op *operation.Operation) *entry {
	spec := op.Spec
	e := &entry{Key: op.Key, Section: op.Section, Method: strings.TrimPrefix(op.FullMethod, "/"), Internal: op.Internal,
		Description: c.comment(op.Method), Result: spec.GetResult().String(), Empty: spec.GetEmpty().String(), Need: spec.GetNeed().String(),
		Unless: spec.GetUnless(), Without: spec.GetWithout(), Default: spec.GetDefaultQuery(), Retry: spec.GetRetry().String(),
		Heat: spec.GetHeat().String(), MaxRows: spec.GetMaxRows(), BadRows: spec.GetBadRows().String(), Keys: keys(op),
		Parameters: []parameter{}, Columns: []column{}, operation: op, further: c.further}
	if op.Extends != nil {
		e.Extends = op.Extends.Key
	}
	if op.Timeout > 0 {
		e.Timeout = op.Timeout.String()
	}
	for i, p := range op.Parameters {
		e.Parameters = append(e.Parameters, parameter{Number: i + 1, Name: p.Name, Kind: p.TypeName(), Optional: p.Optional, Identity: p.Identity(),
			Capability: p.Rules.GetCapability(), Derived: derived(p), Rules: rules(&p.Field), Description: c.fieldComment(p.Declaration())})
	}
	for _, col := range op.Columns {
		e.Columns = append(e.Columns, column{Name: col.Name, Kind: col.TypeName(), Optional: col.Optional, MayBeMissing: col.MayBeMissing(),
			Rules: columnRules(col), RenamedBy: renamedBy(op, col), Description: c.fieldComment(col.Declaration())})
	}
	if c.file != nil {
		e.State, e.Place = c.state(op)
		for i := range e.Keys {
			if name := e.Keys[i].Name; c.file.Config.Given(name) {
				at := c.file.Config.Place(name)
				e.Keys[i].Place = &at
			}
		}
	}
	return e
}

// comment is a declaration's comment. That of a contract which was compiled at run time is with it.
func (c *catalogue) comment(d protoreflect.Descriptor) string {
	if text := c.comments[d.FullName()]; text != "" {
		return text
	}
	return strings.Join(strings.Fields(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments), " ")
}

func (c *catalogue) fieldComment(name protoreflect.FullName) string {
	if text := c.comments[name]; text != "" {
		return text
	}
	for _, op := range c.contract.Operations() {
		messages := op.Method.ParentFile().Messages()
		if message := messages.ByName(name.Parent().Name()); message != nil && message.FullName() == name.Parent() {
			return c.comment(message.Fields().ByName(name.Name()))
		}
	}
	return ""
}

func derived(p *operation.Parameter) string {
	switch p.Derive {
	case annotation.Derive_NOW:
		return "the service's clock, unless the host says otherwise"
	case annotation.Derive_IS_V6:
		return "whether @" + p.Rules.GetOf() + " is IPv6"
	}
	return ""
}

// rules are what the contract asks of a value beyond its kind.
func rules(f *operation.Field) string {
	r := f.Rules
	if r == nil {
		return ""
	}
	unit := "bytes"
	if f.Kind == operation.Text {
		unit = "characters"
	}
	var parts []string
	if lengths := r.GetLength(); len(lengths) > 0 {
		parts = append(parts, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(lengths)), " or "), "[]")+" "+unit)
	}
	if text := span(r.MinLength, r.MaxLength); text != "" {
		parts = append(parts, text+" "+unit)
	}
	if text := span(r.Min, r.Max); text != "" {
		parts = append(parts, text)
	}
	if values := r.GetValues(); len(values) > 0 {
		parts = append(parts, "one of "+strings.Join(values, ", "))
	}
	return strings.Join(parts, "; ")
}

func span[N uint32 | int64](lowest, highest *N) string {
	switch {
	case lowest != nil && highest != nil:
		return fmt.Sprintf("%d to %d", *lowest, *highest)
	case lowest != nil:
		return fmt.Sprintf("at least %d", *lowest)
	case highest != nil:
		return fmt.Sprintf("at most %d", *highest)
	}
	return ""
}

func columnRules(c *operation.Column) string {
	var parts []string
	if text := rules(&c.Field); text != "" {
		if c.Rules.GetClamp() {
			text += ", brought into that range"
		}
		parts = append(parts, text)
	}
	if c.Rules.GetNullIsZero() {
		parts = append(parts, "NULL counts as 0")
	}
	if c.MayBeMissing() {
		parts = append(parts, "may be missing")
	}
	return strings.Join(parts, "; ")
}

// inGroup is the whole key of something in the operation's group.
func inGroup(op *operation.Operation, name string) string {
	if op.Group == "" {
		return op.Section + "." + name
	}
	return op.Section + "." + op.Group + "." + name
}

func renamedBy(op *operation.Operation, c *operation.Column) []string {
	if op.Spec.GetResult() == annotation.Result_SCALAR {
		return nil // the name does not count
	}
	var names []string
	for _, name := range op.ColumnKeys(c) {
		names = append(names, inGroup(op, name))
	}
	return names
}

// keys are what the operator's file may say of the operation.
func keys(op *operation.Operation) []key {
	list := []key{{Name: op.Key, Meaning: "the query"}}
	if op.Extends != nil {
		list[0].Meaning = "the clause, appended to " + op.Extends.Key
	}
	if op.Extends == nil {
		list = append(list, key{Name: op.SiblingKey("timeout"), Meaning: "how long a call may take"})
		if n := op.Spec.GetMaxRows(); n > 0 {
			list = append(list, key{Name: op.SiblingKey("max_rows"), Meaning: fmt.Sprintf("another bound on affected rows than %d; 0 is none", n)})
		}
	}
	for _, c := range op.Columns {
		for _, name := range renamedBy(op, c) {
			meaning := "what the query calls the column " + c.Name
			if !slices.ContainsFunc(list, func(k key) bool { return k.Name == name }) {
				list = append(list, key{Name: name, Meaning: meaning})
			}
		}
	}
	return list
}

// state tells how the operator's file stands to the operation.
func (c *catalogue) state(op *operation.Operation) (string, *problem.Position) {
	_, given := c.file.Config.Storage.Sources.ByKey[op.Key]
	missing := slices.ContainsFunc(c.file.Problems, func(p problem.Problem) bool { return p.Key == op.Key && p.Rule == "missing-query" })
	place := c.file.Config.Place(op.Key)
	switch {
	case given && broken(c.file.Problems, op):
		return stateBroken, &place
	case given:
		return stateConfigured, &place
	case missing:
		return stateMissing, nil
	case !c.served(op.Section):
		return stateUnserved, nil
	case op.Spec.GetDefaultQuery() != "":
		return stateDefault, nil
	}
	return stateOff, nil
}

func (c *catalogue) served(section string) bool {
	for name := range c.file.Config.Storage.Sources.ByKey {
		if strings.HasPrefix(name, section+".") {
			return true
		}
	}
	return false
}
