package query

import (
	"context"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// A Plan is how a statement is sent and read on one database: made when the database describes the
// statement, immutable, and replaced when the database's types change.
type Plan struct {
	// Name is the name under which the statement is prepared on a connection. It stands for the text,
	// its types and its result, so that plans with the same name are sent and read alike: a reload that
	// does not touch a query keeps what connections have prepared for it.
	Name string
	// SQL is the text that is sent, with tag and row bound.
	SQL string
	// ParamOIDs are the types that the server reported for $1, $2, ...
	ParamOIDs []uint32
	// TwoSteps says that the statement must run in a transaction that is committed only after the
	// number of affected rows was seen.
	TwoSteps bool

	content       string // what Name begins with
	statement     *Statement
	prefix        string // what stands before the operator's own text
	arguments     []argument
	paramFormats  []int16
	resultFormats []int16
	fields        []pgconn.FieldDescription
	columns       []columnPlan
	affected      *columnPlan // the column that holds the count, if one does
	required      *Plan       // for calls that must affect a row
	base          *Plan       // of a required plan, the one that it was made from
}

type argument struct {
	parameter *operation.Parameter
	encode    encoder
	typeName  string
}

type columnPlan struct {
	position int
	column   *operation.Column
	decode   decoder
}

// A Describer asks a database about a statement.
type Describer interface {
	// Describe prepares the text and returns the types of its parameters and columns.
	Describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error)
	// Types returns what is known about the database's types, after learning those given.
	Types(ctx context.Context, oids []uint32) (*Types, error)
}

// Describe asks the database about the statement and, if all fits the contract, gives it its plan.
// What does not fit is returned as problems; an error means that the database could not be asked.
func (s *Statement) Describe(ctx context.Context, d Describer) (problem.List, error) {
	described, err := d.Describe(ctx, s.Text())
	if err != nil {
		return s.refused(err)
	}
	types, err := d.Types(ctx, oidsOf(described))
	if err != nil {
		return nil, err
	}
	before, after, way := s.boundText(described, types)
	sql, prefix := s.Text(), s.tag()
	if way == boundWrapped {
		wrapped := s.tag() + before + s.compiled.Text + after
		again, err := d.Describe(ctx, wrapped)
		switch {
		case err == nil:
			sql, prefix, described = wrapped, s.tag()+before, again
		case !isServerError(err):
			return nil, err
		default: // a write inside WITH cannot stand inside another one
			way = boundTwoSteps
		}
	}
	problems := s.boundProblems(way)
	if types, err = d.Types(ctx, oidsOf(described)); err != nil {
		return nil, err
	}
	name, content := s.planName(sql, described)
	plan := &Plan{Name: name, content: content, SQL: sql, ParamOIDs: described.ParamOIDs,
		TwoSteps: way == boundTwoSteps, statement: s, prefix: prefix, fields: described.Fields}
	problems = append(problems, plan.planArguments(types)...)
	problems = append(problems, plan.planColumns(types)...)
	if problems.Count(problem.Error) == 0 {
		plan.required = s.requiredPlan(plan, way, types)
		s.plan.Store(plan)
	}
	return problems, nil
}

// boundProblems tells what the row bound costs, or that it cannot be kept.
func (s *Statement) boundProblems(way boundWay) problem.List {
	switch way {
	case boundTwoSteps:
		return problem.List{s.problem(problem.Info, "row-bound-two-steps", problem.Position{},
			"the bound on affected rows costs further round trips, because the statement cannot be nested", "write it as a single INSERT, UPDATE or DELETE")}
	case boundUnknown:
		return problem.List{s.problem(problem.Info, "row-bound-unknown", problem.Position{},
			fmt.Sprintf("the query does not tell how many rows it affects, so the bound of %d is not enforced", s.MaxRows),
			`let it return the number in a column named "affected"`)}
	}
	return nil
}

// replans counts the plans of this process that look like the one before them.
var replans atomic.Int64

// planName makes a name that stands for one text with one set of types and one form of result: behind
// a pooler, a name that another program prepared too can then never mean another statement.
//
// What the server compares when it finds a prepared statement outdated is more than it reports (a
// column's collation, for example). So if a statement has to be described again and looks as before,
// its name gets a number that is never used again: the name before stands for a form that connections
// have and cannot use.
func (s *Statement) planName(sql string, described *pgconn.StatementDescription) (name, content string) {
	content = planContent(sql, described)
	if before := s.plan.Load(); before != nil && before.content == content {
		return fmt.Sprintf("%s_%d", content, replans.Add(1)), content
	}
	return content, content
}

func planContent(sql string, described *pgconn.StatementDescription) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%d:%s%v", len(sql), sql, described.ParamOIDs)
	for _, f := range described.Fields {
		fmt.Fprintf(hash, "|%d:%s %d %d", len(f.Name), f.Name, f.DataTypeOID, f.TypeModifier)
	}
	return fmt.Sprintf("mortise_%x", hash.Sum(nil)[:12])
}

// refused turns a server's refusal to prepare the statement into a problem.
func (s *Statement) refused(err error) (problem.List, error) {
	pgErr := serverError(err)
	if pgErr == nil {
		return nil, err
	}
	message, number := s.inOwnWords(pgErr.Message)
	at := s.position(s.tag(), int(pgErr.Position))
	if pgErr.Position == 0 && number > 0 {
		at = s.ArgumentPosition(number)
	}
	return problem.List{s.problem(problem.Error, "does-not-prepare", at,
		fmt.Sprintf("the database refuses the query: %s (SQLSTATE %s)", message, pgErr.Code), hint(pgErr))}, nil
}

var ordinal = regexp.MustCompile(`\$[1-9][0-9]*`)

// inOwnWords puts the operator's @name where a message of the server has $n. It also returns n, or 0.
func (s *Statement) inOwnWords(message string) (text string, number int) {
	text = ordinal.ReplaceAllStringFunc(message, func(found string) string {
		n, err := strconv.Atoi(found[1:])
		if err != nil || n > len(s.compiled.Args) {
			return found
		}
		number = n
		if s.compiled.Style == sqltext.Positional {
			return "$" + strconv.Itoa(s.compiled.Args[n-1]+1)
		}
		return "@" + s.Operation.Parameters[s.compiled.Args[n-1]].Name
	})
	return text, number
}

func hint(err *pgconn.PgError) string {
	switch {
	case err.Hint != "":
		return strings.TrimSuffix(err.Hint, ".")
	case err.Code == "42P18":
		return "say which type the parameter has: @name::bigint"
	case err.Code == "42P01":
		return "create the table (mortise init applies a schema) or set the search_path of the role"
	}
	return ""
}

func (s *Statement) problem(severity problem.Severity, rule string, at problem.Position, message, fix string) problem.Problem {
	if at == (problem.Position{}) {
		at = s.source.locate(0)
	}
	return problem.Problem{Severity: severity, Rule: rule, Position: at, Key: s.Operation.Key, Message: message, Fix: fix}
}

func (p *Plan) planArguments(types *Types) problem.List {
	var problems problem.List
	s := p.statement
	p.arguments = make([]argument, len(s.compiled.Args))
	p.paramFormats = make([]int16, len(s.compiled.Args))
	for i, index := range s.compiled.Args {
		parameter := s.Operation.Parameters[index]
		if i >= len(p.ParamOIDs) {
			continue
		}
		t := types.lookup(p.ParamOIDs[i])
		c, ok := fieldCodec(&parameter.Field, t)
		if !ok {
			problems = append(problems, s.problem(problem.Error, "parameter-type", s.ArgumentPosition(i+1),
				fmt.Sprintf("@%s is %s, and the database wants %s for it", parameter.Name, parameter.TypeName(), t.Name), "cast it, or compare it with a column of a fitting type"))
			continue
		}
		p.arguments[i] = argument{parameter: parameter, encode: c.encode, typeName: t.Name}
		p.paramFormats[i] = t.format()
	}
	return problems
}

func (p *Plan) planColumns(types *Types) problem.List {
	p.resultFormats = make([]int16, len(p.fields))
	for i, f := range p.fields {
		p.resultFormats[i] = types.lookup(f.DataTypeOID).format()
	}
	op := p.statement.Operation
	switch op.Spec.GetResult() {
	case annotation.Result_NONE:
		if p.TwoSteps {
			return p.planAffected(types) // the number is not answered, but the bound needs it
		}
		return nil
	case annotation.Result_AFFECTED:
		return p.planAffected(types)
	case annotation.Result_SCALAR:
		if len(p.fields) == 0 {
			return problem.List{p.statement.problem(problem.Error, "no-result", problem.Position{}, "the query returns nothing; one value is needed", "select it, or add RETURNING")}
		}
		return p.planColumn(types, op.Columns[0], 0)
	}
	var problems problem.List
	for _, column := range op.Columns {
		position, found := p.find(column)
		problems = append(problems, found...)
		if position >= 0 {
			problems = append(problems, p.planColumn(types, column, position)...)
		}
	}
	return problems
}

// planAffected finds the column that holds the number of affected rows, for statements that tell it
// in a result instead of their command tag.
func (p *Plan) planAffected(types *Types) problem.List {
	position := p.statement.affectedField(p.fields)
	if p.prefix != p.statement.tag() {
		position = 0 // the row bound's own text
	}
	if position < 0 {
		return nil
	}
	t := types.lookup(p.fields[position].DataTypeOID)
	if number, ok := intCodec(t); ok {
		p.affected = &columnPlan{position: position, decode: number.decode}
		return nil
	}
	truth, ok := boolCodec(t)
	if !ok {
		return problem.List{p.statement.problem(problem.Error, "column-type", problem.Position{},
			fmt.Sprintf("column %s has the type %s, and a number or a boolean is needed", p.fields[position].Name, t.Name), "cast it in the query")}
	}
	// A function may answer whether it did something.
	p.affected = &columnPlan{position: position, decode: func(wire []byte, v *operation.Value) error {
		err := truth.decode(wire, v)
		if v.Bool {
			v.Int = 1
		}
		return err
	}}
	return nil
}

// affectedField returns the position of the column that holds the number of affected rows, or -1.
func (s *Statement) affectedField(fields []pgconn.FieldDescription) int {
	op := s.Operation
	name := "affected"
	if op.Spec.GetResult() == annotation.Result_AFFECTED {
		name = s.ColumnName(op.Columns[0])
	}
	for i, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return i
		}
	}
	return -1
}

func (p *Plan) planColumn(types *Types, column *operation.Column, position int) problem.List {
	t := types.lookup(p.fields[position].DataTypeOID)
	c, ok := fieldCodec(&column.Field, t)
	if !ok {
		return problem.List{p.statement.problem(problem.Error, "column-type", problem.Position{},
			fmt.Sprintf("column %s has the type %s, and %s is needed", p.fields[position].Name, t.Name, column.TypeName()), "cast it in the query")}
	}
	p.columns = append(p.columns, columnPlan{position: position, column: column, decode: c.decode})
	return nil
}

// ColumnName is the name under which the operator's query returns a column.
func (s *Statement) ColumnName(c *operation.Column) string {
	if renamed := s.source.Columns[c.Name]; renamed != "" {
		return renamed
	}
	return c.Name
}

// find returns the position of a column in the result, by name without regard to case; -1 if it is
// not there.
func (p *Plan) find(column *operation.Column) (int, problem.List) {
	name := p.statement.ColumnName(column)
	position, several := -1, false
	var all []string
	for i, f := range p.fields {
		all = append(all, f.Name)
		if strings.EqualFold(f.Name, name) {
			several = position >= 0
			position = i
		}
	}
	switch {
	case several:
		return -1, problem.List{p.statement.problem(problem.Error, "doubled-column", problem.Position{},
			fmt.Sprintf("the query returns column %s twice", name), "rename one of them")}
	case position < 0 && !column.MayBeMissing():
		keys := p.statement.Operation.ColumnKeys(column)
		fix := fmt.Sprintf("name it so, or set %s to the name that it has", keys[0])
		if near := problem.Nearest(name, all); near != "" {
			fix = fmt.Sprintf("did you mean %s? set %s to it", near, keys[0])
		}
		return -1, problem.List{p.statement.problem(problem.Error, "missing-column", problem.Position{},
			fmt.Sprintf("the query returns no column %s; it returns %s", name, list(all)), fix)}
	}
	return position, nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

func oidsOf(d *pgconn.StatementDescription) []uint32 {
	oids := append([]uint32{}, d.ParamOIDs...)
	for _, f := range d.Fields {
		oids = append(oids, f.DataTypeOID)
	}
	return oids
}

// Description is what a connection needs to run the statement under the plan's name without asking
// for the columns again.
func (p *Plan) Description() *pgconn.StatementDescription {
	return &pgconn.StatementDescription{Name: p.Name, SQL: p.SQL, ParamOIDs: p.ParamOIDs, Fields: p.fields}
}

// Formats returns the wire formats of the parameters and of the result's columns.
func (p *Plan) Formats() (params, results []int16) { return p.paramFormats, p.resultFormats }

// Statement returns the statement that the plan is for.
func (p *Plan) Statement() *Statement { return p.statement }
