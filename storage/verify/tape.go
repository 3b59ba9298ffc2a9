package verify

import (
	"slices"
	"sync"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// A Call is one use of a query, as a proof shows it. Its values are the suite's own random ones, and
// whatever the queries give back.
type Call struct {
	Operation string     `json:"operation"`
	Arguments []Argument `json:"arguments"`
	// Affected is nil where the number of rows is not known.
	Affected *int64   `json:"affected,omitempty"`
	Columns  []string `json:"columns,omitempty"`
	// Rows are what came back; nil if the operation has none, empty if there were none.
	Rows [][]string `json:"rows"`
	// More counts rows that are left out.
	More  int    `json:"more_rows,omitempty"`
	Error string `json:"error,omitempty"`
	// About says that the case is about this operation.
	About bool `json:"about"`
	// Times is how often the call was made with the same answer; the place is that of the last time.
	Times int `json:"times"`
}

// An Argument is a parameter with its value. Unused says that the query does not use it.
type Argument struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Unused bool   `json:"unused,omitempty"`
}

// The limits of what is kept.
const (
	mostCalls  = 4096 // of a case
	mostRows   = 20   // of a call
	mostLooked = 256  // of a case, from its end, that are looked at for a proof
	mostShown  = 5    // calls of a proof that are about the case's operations
	mostWrites = 3    // calls of a proof that changed something
	mostLooks  = 3    // calls of a proof that looked at what was changed, one of an operation
)

// A tape records the calls of a case, and where in between it failed.
type tape struct {
	mu    sync.Mutex
	calls []Call
	cut   int // calls that were dropped
	// failed is how many calls there were at the first failure; -1 if there was none.
	failed int
	// disturbed is the SQLSTATE by which another session's work ended a call.
	disturbed string
	counts    map[string]int
	refused   map[string]string // the first refusal for want of rights, by operation
}

func newTape() *tape {
	return &tape{failed: -1, counts: map[string]int{}, refused: map[string]string{}}
}

// rewind begins a new case. The counts go on.
func (t *tape) rewind() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls, t.cut, t.failed, t.disturbed = nil, 0, -1, ""
}

// call records a call that ran.
func (t *tape) call(c *query.Call) {
	recorded := record(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[recorded.Operation]++
	switch state := fault.SQLStateOf(c.Err); state {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock timeout
		t.disturbed = state
	case "42501", "25006": // insufficient privilege, read-only transaction
		if _, known := t.refused[recorded.Operation]; !known {
			t.refused[recorded.Operation] = recorded.Error
		}
	}
	if len(t.calls) >= mostCalls {
		half := len(t.calls) / 2
		t.calls, t.cut = slices.Clone(t.calls[half:]), t.cut+half
	}
	t.calls = append(t.calls, recorded)
}

// failure marks the place of the first failure.
func (t *tape) failure(string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed < 0 {
		t.failed = t.cut + len(t.calls)
	}
}

// disturbance returns the SQLSTATE by which another session's work ended a call; empty if none did.
func (t *tape) disturbance() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.disturbed
}

// proof returns the calls that lead to the first failure, or to the end if there was none: the last ones
// of the operations that the case is about, the last ones that changed something, and then those that
// looked at the same keys. others counts the rest.
func (t *tape) proof(about []string) (calls []Call, others int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := len(t.calls)
	if t.failed >= 0 {
		end = min(max(t.failed-t.cut, 0), end)
	}
	distinct := collapse(t.calls[:end])
	chosen := make([]bool, len(distinct))
	shown, writes := 0, 0
	keys := map[string]bool{}
	for i := len(distinct) - 1; i >= 0; i-- {
		c := &distinct[i]
		c.About = slices.Contains(about, c.Operation)
		write := c.Affected != nil && *c.Affected > 0
		if chosen[i] = (c.About && shown < mostShown) || (write && writes < mostWrites); chosen[i] {
			shown += count(c.About)
			writes += count(write)
			c.addKeys(keys)
		}
	}
	seen := map[string]bool{}
	for i := len(distinct) - 1; i >= 0; i-- {
		c := distinct[i]
		if !c.About && !chosen[i] && len(seen) < mostLooks && !seen[c.Operation] && (len(keys) == 0 || c.has(keys)) {
			chosen[i], seen[c.Operation] = true, true
		}
	}
	for i, c := range distinct {
		if chosen[i] {
			calls = append(calls, c)
			others -= c.Times
		}
	}
	return calls, others + t.cut + end
}

// collapse makes one of calls that had the same arguments and the same answer, at the last one's place.
func collapse(calls []Call) []Call {
	var distinct []Call
	for _, c := range slices.Backward(calls) {
		if i := slices.IndexFunc(distinct, c.same); i >= 0 {
			distinct[i].Times++
			continue
		}
		c.Times = 1
		distinct = append(distinct, c)
		if len(distinct) == mostLooked {
			break
		}
	}
	slices.Reverse(distinct)
	return distinct
}

// addKeys collects arguments that are long enough to be those of one case only; has finds them.
func (c *Call) addKeys(keys map[string]bool) {
	for _, a := range c.Arguments {
		if len(a.Value) >= 16 {
			keys[a.Value] = true
		}
	}
}

func (c *Call) has(keys map[string]bool) bool {
	return slices.ContainsFunc(c.Arguments, func(a Argument) bool { return keys[a.Value] })
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// same says whether another call had the same arguments and the same answer.
func (c *Call) same(other Call) bool {
	return c.Operation == other.Operation && c.Error == other.Error && slices.Equal(c.Arguments, other.Arguments) &&
		(c.Affected == nil) == (other.Affected == nil) && (c.Affected == nil || *c.Affected == *other.Affected) &&
		c.More == other.More && slices.EqualFunc(c.Rows, other.Rows, slices.Equal[[]string])
}

// record formats a call at once: its values belong to it only until it is answered.
func record(c *query.Call) Call {
	op := c.Statement.Operation
	r := Call{Operation: op.Key}
	values := c.Values()
	for i, p := range op.Parameters {
		used := c.Statement.Uses(p.Name)
		if p.Optional && (!used || values[i].Null) {
			continue
		}
		r.Arguments = append(r.Arguments, Argument{Name: p.Name, Value: literal.Format(&p.Field, &values[i]), Unused: !used})
	}
	if c.Err != nil {
		r.Error = c.Err.Error()
		return r
	}
	if c.Counted {
		r.Affected = &[]int64{c.Affected}[0]
	}
	r.rows(c, op)
	return r
}

func (r *Call) rows(c *query.Call, op *operation.Operation) {
	switch op.Spec.GetResult() {
	case annotation.Result_NONE, annotation.Result_AFFECTED:
		return
	}
	r.Rows = [][]string{}
	for _, column := range op.Columns {
		r.Columns = append(r.Columns, column.Name)
	}
	r.More = max(0, len(c.Rows)-mostRows)
	for _, row := range c.Rows[:len(c.Rows)-r.More] {
		var cells []string
		for _, column := range op.Columns {
			v := column.Get(row)
			cells = append(cells, literal.Format(&column.Field, &v))
		}
		r.Rows = append(r.Rows, cells)
	}
}
