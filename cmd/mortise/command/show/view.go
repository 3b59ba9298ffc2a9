package show

import (
	"context"
	"fmt"
	"time"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/cmd/mortise/command/statements"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// A view is what can be told about one operation's statement. Its JSON is for programs.
type view struct {
	Operation string `json:"operation"`
	problem.Position
	// SQL is the text that is sent; Text is the same without the row bound.
	SQL  string `json:"sql"`
	Text string `json:"text"`
	// Arguments are $1, $2, ...
	Arguments []argument `json:"arguments"`
	// Unused are the parameters that the query does not use.
	Unused []string `json:"unused"`
	// Columns are those of the result, in the database's order; without a database, the contract's.
	Columns []column `json:"columns"`
	Result  string   `json:"result"`
	// MaxRows is the bound on affected rows, 0 for none; Bound says how it is kept.
	MaxRows int64  `json:"max_rows"`
	Bound   string `json:"bound,omitempty"`
	// Limit is the time that a call may take; LimitFrom is who says so.
	Limit     string `json:"limit,omitempty"`
	LimitFrom string `json:"limit_from"`
	// Described says that the database was asked: only then there are types, a name and a mode.
	Described bool   `json:"described"`
	Name      string `json:"prepared_name,omitempty"`
	Mode      string `json:"statement_mode"`
	Server    string `json:"server,omitempty"`

	statement *query.Statement
}

type argument struct {
	Number int    `json:"number"`
	Name   string `json:"parameter"`
	Kind   string `json:"kind"`
	Type   string `json:"type,omitempty"`
	problem.Position

	parameter *operation.Parameter
}

type column struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
	// Reads is the contract's column that is read from it; empty if it is not read.
	Reads string `json:"column,omitempty"`
	Kind  string `json:"kind,omitempty"`
	// Own says that the column is the row bound's.
	Own bool `json:"row_bound,omitempty"`
}

// newView tells what is known without a database.
func newView(file *statements.File, statement *query.Statement) *view {
	op := statement.Operation
	v := &view{Operation: op.Key, Position: statement.Place(0), SQL: statement.Text(), Text: statement.Text(), MaxRows: statement.MaxRows,
		Arguments: []argument{}, Unused: []string{}, Columns: []column{}, Result: op.Spec.GetResult().String(),
		Mode: file.Config.Storage.Mode.String(), statement: statement}
	for i, name := range statement.Arguments() {
		p := op.Parameter(name)
		v.Arguments = append(v.Arguments, argument{Number: i + 1, Name: name, Kind: p.TypeName(), Position: statement.ArgumentPosition(i + 1), parameter: p})
	}
	for _, name := range op.ParameterNames() {
		if !statement.Uses(name) {
			v.Unused = append(v.Unused, name)
		}
	}
	v.limit(file.Config.Storage.CallTimeout)
	return v
}

// limit follows what the pool does: the operation's own limit, else the general one; periodic work has only
// its own.
func (v *view) limit(general time.Duration) {
	op := v.statement.Operation
	switch {
	case v.statement.Source().Timeout > 0:
		v.Limit, v.LimitFrom = v.statement.Timeout.String(), op.SiblingKey("timeout")
	case v.statement.Timeout > 0:
		v.Limit, v.LimitFrom = v.statement.Timeout.String(), "the contract"
	case op.Background():
		v.LimitFrom = "periodic work has none"
	case general > 0:
		v.Limit, v.LimitFrom = general.String(), "call_timeout"
	default:
		v.Limit, v.LimitFrom = "5s", "the default of call_timeout"
	}
}

// offline completes the view by what the contract expects.
func (v *view) offline() {
	if v.statement.Operation.Spec.GetResult() == annotation.Result_AFFECTED {
		return // most statements tell the number without a column
	}
	for _, c := range v.statement.Operation.Columns {
		name := v.statement.ColumnName(c)
		v.Columns = append(v.Columns, column{Name: name, Reads: c.Name, Kind: c.TypeName()})
	}
}

// describe asks the database about all views.
func describe(ctx context.Context, session *statements.Session, views []*view) (problem.List, error) {
	mode, err := session.Mode(ctx)
	if err != nil {
		return nil, err
	}
	var problems problem.List
	for _, v := range views {
		v.Mode, v.Server = mode.String(), session.Server.String()
		found, err := session.Describe(ctx, v.statement)
		if err != nil {
			return nil, fmt.Errorf("describing %s: %w", v.Operation, err)
		}
		for _, p := range found {
			if p.Severity > problem.Info { // the others are told by the view itself
				problems = append(problems, p)
			}
		}
		v.Described = v.statement.Plan() != nil
	}
	return problems, nameTypes(ctx, session, views)
}

// nameTypes completes the views that the database described, with one question for all types.
func nameTypes(ctx context.Context, session *statements.Session, views []*view) error {
	var oids []uint32
	for _, v := range views {
		if plan := v.statement.Plan(); plan != nil {
			oids = append(oids, plan.ParamOIDs...)
			for _, f := range plan.Description().Fields {
				oids = append(oids, f.DataTypeOID)
			}
		}
	}
	names, err := session.TypeNames(ctx, oids)
	if err != nil {
		return fmt.Errorf("asking for the names of types: %w", err)
	}
	for _, v := range views {
		if plan := v.statement.Plan(); plan != nil {
			v.described(plan, names)
		} else {
			v.offline()
		}
	}
	return nil
}

func (v *view) described(plan *query.Plan, names map[uint32]string) {
	v.SQL, v.Name = plan.SQL, plan.Name
	for i := range v.Arguments {
		v.Arguments[i].Type = names[plan.ParamOIDs[i]]
	}
	reads := plan.Reads()
	for i, f := range plan.Description().Fields {
		c := column{Name: f.Name, Type: names[f.DataTypeOID]}
		if reads[i] != nil {
			c.Reads, c.Kind = reads[i].Name, reads[i].TypeName()
		}
		c.Own = plan.Wrapped() && f.Name == "mortise_bound"
		v.Columns = append(v.Columns, c)
	}
	switch {
	case v.MaxRows == 0:
	case plan.Wrapped():
		v.Bound = "by the statement that is sent around the query: the server rolls back"
	case plan.TwoSteps:
		v.Bound = "by a transaction that is committed after the number was seen: further round trips"
	case v.statement.Compiled().SingleRowInsert:
		v.Bound = "by itself: the query inserts one row"
	default:
		v.Bound = "not at all: the query does not tell how many rows it affects"
	}
}
