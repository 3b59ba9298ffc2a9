package run

import (
	"encoding/json"
	"errors"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// A report is the outcome for programs.
type report struct {
	Operation  string   `json:"operation"`
	Parameters object   `json:"parameters,omitempty"`
	Columns    []column `json:"columns"`
	Rows       []object `json:"rows"`
	Affected   *int64   `json:"affected"`
	// Answer is what a host is answered for an empty result, if that is an error: NOT_FOUND.
	Answer    string    `json:"answer,omitempty"`
	Committed bool      `json:"committed"`
	Seconds   float64   `json:"seconds"`
	Server    string    `json:"server,omitempty"`
	LeftOut   []leftOut `json:"left_out,omitempty"`
	Notes     []string  `json:"notes,omitempty"`
	Notices   []notice  `json:"notices,omitempty"`
	Error     *failure  `json:"error,omitempty"`
}

type column struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// A failure is an error for programs.
type failure struct {
	Reason   string       `json:"reason,omitempty"`
	SQLState string       `json:"sqlstate,omitempty"`
	Problems problem.List `json:"problems,omitempty"`
	Missing  []string     `json:"missing,omitempty"`
	Example  string       `json:"example,omitempty"`
}

func (o *outcome) printJSON(w io.Writer) error {
	r := report{Operation: o.operation.Key, Columns: []column{}, Rows: []object{}, Committed: o.committed,
		Seconds: o.elapsed.Seconds(), Server: o.server, Answer: o.answered(), LeftOut: o.leftOut, Notes: o.notes, Notices: o.notices}
	if o.values != nil {
		for i, p := range o.operation.Parameters {
			r.Parameters = append(r.Parameters, member{p.Name, literal.JSON(&p.Field, &o.values[i])})
		}
	}
	if o.err != nil {
		r.Error = o.failure()
	} else if o.call.Counted {
		r.Affected = &o.call.Affected
	}
	if result := o.operation.Spec.GetResult(); result != annotation.Result_AFFECTED {
		for _, c := range o.columns() {
			r.Columns = append(r.Columns, column{Name: c.Name, Kind: c.TypeName()})
		}
	}
	if o.err == nil {
		for _, row := range o.call.Rows {
			r.Rows = append(r.Rows, o.row(row))
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

func (o *outcome) row(row proto.Message) object {
	values := object{}
	for _, c := range o.columns() {
		v := c.Get(row)
		values = append(values, member{c.Name, literal.JSON(&c.Field, &v)})
	}
	return values
}

// An object is a JSON object that keeps the contract's order.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			text = append(text, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, name...), ':'), m.value...)
	}
	return append(text, '}'), nil
}

func (o *outcome) failure() *failure {
	var mistakes literal.Mistakes
	if errors.As(o.err, &mistakes) {
		f := &failure{Reason: string(fault.InvalidArgument), Missing: mistakes.Missing(), Example: o.example()}
		for _, mistake := range mistakes {
			f.Problems = append(f.Problems, problem.Problem{Severity: problem.Error, Rule: "parameter", Key: o.operation.Key, Message: mistake.String()})
		}
		return f
	}
	return &failure{Reason: string(fault.ReasonOf(o.err)), SQLState: fault.SQLStateOf(o.err), Problems: o.problems()}
}
