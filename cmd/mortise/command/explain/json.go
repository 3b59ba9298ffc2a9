package explain

import (
	"encoding/json"
	"io"

	"github.com/mortise-storage/mortise/storage/explain"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// A jsonOperation is what print shows of one operation, for programs.
type jsonOperation struct {
	Operation string `json:"operation"`
	Heat      string `json:"heat"`
	problem.Position
	// SQL is what was explained: what is really sent.
	SQL     string        `json:"sql,omitempty"`
	Generic *explain.Plan `json:"generic,omitempty"`
	// Indexed is the generic plan without sequential scans.
	Indexed  *explain.Plan `json:"indexed,omitempty"`
	Cases    []jsonCase    `json:"cases"`
	Problems problem.List  `json:"problems"`
}

type jsonCase struct {
	Sample    string         `json:"sample"`
	Arguments []jsonArgument `json:"arguments"`
	Notes     []string       `json:"notes,omitempty"`
	NotRun    string         `json:"not_run,omitempty"`
	Custom    *explain.Plan  `json:"custom"`
	// Generic is the generic plan as it went with these arguments.
	Generic *explain.Plan `json:"generic,omitempty"`
	// SamePlan says that both have the same shape.
	SamePlan bool `json:"same_plan"`
}

type jsonArgument struct {
	Name   string `json:"name"`
	Origin string `json:"origin"`
	// Value is only there with --values.
	Value json.RawMessage `json:"value,omitempty"`
}

func (o *outcome) printJSON(w io.Writer) error {
	operations := []jsonOperation{}
	for _, r := range o.reports {
		operations = append(operations, o.jsonOperation(r))
	}
	list := o.all()
	errs := list.Count(problem.Error)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(map[string]any{
		"server":     o.server,
		"operations": operations,
		"problems":   list,
		"errors":     errs,
		"warnings":   list.Count(problem.Warning) - errs,
	})
}

func (o *outcome) jsonOperation(r *explain.Report) jsonOperation {
	j := jsonOperation{Operation: r.Statement.Operation.Key, Heat: heat(r), Position: r.Statement.At(0), Generic: r.Generic, Indexed: r.Indexed,
		Cases: []jsonCase{}, Problems: append(problem.List{}, r.Problems...)}
	if sent := r.Statement.Plan(); sent != nil {
		j.SQL = sent.SQL
	}
	for _, c := range r.Cases {
		one := jsonCase{Sample: c.Sample.Name, Arguments: []jsonArgument{}, Notes: c.Sample.Notes, NotRun: c.NotRun, Custom: c.Custom, Generic: c.Generic,
			SamePlan: c.Custom.Shape() == r.Generic.Shape()}
		for i, p := range r.Statement.Operation.Parameters {
			if !r.Statement.Uses(p.Name) {
				continue
			}
			argument := jsonArgument{Name: p.Name, Origin: c.Sample.Origins[i]}
			if o.values {
				argument.Value = literal.JSON(&p.Field, &c.Sample.Arguments[i])
			}
			one.Arguments = append(one.Arguments, argument)
		}
		j.Cases = append(j.Cases, one)
	}
	return j
}
