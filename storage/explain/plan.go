package explain

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Plan is what the server would do, or did, for a statement.
type Plan struct {
	// Root is the top of the tree. It is nil for a command that has no plan: CALL, DO, LISTEN.
	Root *Node `json:"root"`
	// Generic says that the plan does not depend on the arguments.
	Generic bool `json:"generic"`
	// Analyzed says that the statement was executed, so that the nodes hold what really happened.
	Analyzed bool `json:"analyzed"`
	// PlanningMS and ExecutionMS are milliseconds, 0 unless Analyzed. Of several runs they are those of
	// the run with the median ExecutionMS, which is also the one that the nodes tell of.
	PlanningMS  float64 `json:"planning_ms,omitempty"`
	ExecutionMS float64 `json:"execution_ms,omitempty"`
	// Runs are the execution times of all runs in milliseconds, in order.
	Runs []float64 `json:"runs,omitempty"`
	// Triggers are those that fired, with their time; only if Analyzed.
	Triggers []Trigger `json:"triggers,omitempty"`
	// JIT tells of just-in-time compilation; nil if there was none.
	JIT *JIT `json:"jit,omitempty"`
}

// A Trigger is the work of a trigger in one execution.
type Trigger struct {
	Name     string  `json:"Trigger Name"`
	Relation string  `json:"Relation"`
	MS       float64 `json:"Time"`
	Calls    float64 `json:"Calls"`
}

// JIT is what just-in-time compilation did. MS is its time, 0 unless the statement was executed.
type JIT struct {
	Functions int     `json:"functions"`
	MS        float64 `json:"ms"`
}

// A Node is a step of a plan, with the names of EXPLAIN (PostgreSQL's manual, "Using EXPLAIN"). Costs
// are in the planner's units; rows and times are for one loop, blocks are of 8 kB and for all loops,
// each including the node's children.
type Node struct {
	Type         string `json:"Node Type"`
	Relationship string `json:"Parent Relationship,omitempty"`
	Subplan      string `json:"Subplan Name,omitempty"`
	CTE          string `json:"CTE Name,omitempty"`
	Strategy     string `json:"Strategy,omitempty"`
	PartialMode  string `json:"Partial Mode,omitempty"`
	JoinType     string `json:"Join Type,omitempty"`
	Direction    string `json:"Scan Direction,omitempty"`
	Parallel     bool   `json:"Parallel Aware,omitempty"`
	// Operation is Insert, Update, Delete or Merge for a ModifyTable.
	Operation string `json:"Operation,omitempty"`
	Schema    string `json:"Schema,omitempty"`
	Relation  string `json:"Relation Name,omitempty"`
	Alias     string `json:"Alias,omitempty"`
	Index     string `json:"Index Name,omitempty"`
	Function  string `json:"Function Name,omitempty"`

	IndexCond     string   `json:"Index Cond,omitempty"`
	RecheckCond   string   `json:"Recheck Cond,omitempty"`
	TidCond       string   `json:"TID Cond,omitempty"`
	Filter        string   `json:"Filter,omitempty"`
	OneTimeFilter string   `json:"One-Time Filter,omitempty"`
	HashCond      string   `json:"Hash Cond,omitempty"`
	MergeCond     string   `json:"Merge Cond,omitempty"`
	JoinFilter    string   `json:"Join Filter,omitempty"`
	SortKey       []string `json:"Sort Key,omitempty"`
	GroupKey      []string `json:"Group Key,omitempty"`
	// Conflict is what an INSERT does with a row that is there: NOTHING or UPDATE.
	Conflict        string   `json:"Conflict Resolution,omitempty"`
	ConflictIndexes []string `json:"Conflict Arbiter Indexes,omitempty"`

	StartupCost float64 `json:"Startup Cost"`
	TotalCost   float64 `json:"Total Cost"`
	PlanRows    float64 `json:"Plan Rows"`

	ActualStartupMS   float64 `json:"Actual Startup Time,omitempty"`
	ActualMS          float64 `json:"Actual Total Time,omitempty"`
	ActualRows        float64 `json:"Actual Rows,omitempty"`
	Loops             float64 `json:"Actual Loops,omitempty"`
	RowsRemoved       float64 `json:"Rows Removed by Filter,omitempty"`
	RowsRemovedByJoin float64 `json:"Rows Removed by Join Filter,omitempty"`
	RowsRechecked     float64 `json:"Rows Removed by Index Recheck,omitempty"`
	HeapFetches       float64 `json:"Heap Fetches,omitempty"`
	SharedHit         float64 `json:"Shared Hit Blocks,omitempty"`
	SharedRead        float64 `json:"Shared Read Blocks,omitempty"`
	SharedDirtied     float64 `json:"Shared Dirtied Blocks,omitempty"`
	SharedWritten     float64 `json:"Shared Written Blocks,omitempty"`
	TempRead          float64 `json:"Temp Read Blocks,omitempty"`
	TempWritten       float64 `json:"Temp Written Blocks,omitempty"`

	SortMethod string `json:"Sort Method,omitempty"`
	// SortSpaceKB is the sort's memory or file; SortSpaceType says which: Memory or Disk.
	SortSpaceKB   float64 `json:"Sort Space Used,omitempty"`
	SortSpaceType string  `json:"Sort Space Type,omitempty"`
	// HashBatches is above 1 if a hash join did not fit into memory; AggBatches the same of a hashed
	// aggregation, whose DiskKB is what it wrote.
	HashBatches float64 `json:"Hash Batches,omitempty"`
	AggBatches  float64 `json:"HashAgg Batches,omitempty"`
	DiskKB      float64 `json:"Disk Usage,omitempty"`
	MemoryKB    float64 `json:"Peak Memory Usage,omitempty"`

	Children []*Node `json:"Plans,omitempty"`
}

// Walk calls visit for every node, parents first.
func (p *Plan) Walk(visit func(*Node)) {
	if p != nil {
		p.Root.walk(visit)
	}
}

func (n *Node) walk(visit func(*Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, child := range n.Children {
		child.walk(visit)
	}
}

// Conditions returns the node's conditions by name, in the order in which EXPLAIN prints them.
func (n *Node) Conditions() []Condition {
	var all []Condition
	for _, c := range []Condition{{"Index Cond", n.IndexCond}, {"Recheck Cond", n.RecheckCond}, {"TID Cond", n.TidCond},
		{"Hash Cond", n.HashCond}, {"Merge Cond", n.MergeCond}, {"Join Filter", n.JoinFilter},
		{"One-Time Filter", n.OneTimeFilter}, {"Filter", n.Filter}} {
		if c.Text != "" {
			all = append(all, c)
		}
	}
	return all
}

// A Condition is an expression of a node.
type Condition struct{ Name, Text string }

// QualifiedRelation is the relation with its schema; "" if the node has none.
func (n *Node) QualifiedRelation() string {
	if n.Relation == "" || n.Schema == "" {
		return n.Relation
	}
	return n.Schema + "." + n.Relation
}

// explained is one statement of EXPLAIN's JSON. An operator's rule can make several of one.
type explained struct {
	Plan      *Node     `json:"Plan"`
	Planning  float64   `json:"Planning Time"`
	Execution float64   `json:"Execution Time"`
	Triggers  []Trigger `json:"Triggers"`
	JIT       *struct {
		Functions int `json:"Functions"`
		Timing    struct {
			Total float64 `json:"Total"`
		} `json:"Timing"`
	} `json:"JIT"`
}

// decode reads EXPLAIN (FORMAT JSON).
func decode(text []byte) (*Plan, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("the server's EXPLAIN cannot be read: %w", err)
	}
	if len(raw) == 0 {
		return nil, errors.New("the server's EXPLAIN is empty")
	}
	p := &Plan{}
	for _, one := range raw {
		var e explained
		// A utility statement is there as a text.
		if json.Unmarshal(one, &e) != nil || e.Plan == nil {
			continue
		}
		p.add(e)
	}
	return p, nil
}

// several is the type of the node that joins the statements which a rule made of one.
const several = "Statements"

func (p *Plan) add(e explained) {
	switch {
	case p.Root == nil:
		p.Root = e.Plan
	case p.Root.Type != several:
		p.Root = &Node{Type: several, TotalCost: p.Root.TotalCost, Children: []*Node{p.Root}}
		fallthrough
	default:
		p.Root.Children = append(p.Root.Children, e.Plan)
		p.Root.TotalCost += e.Plan.TotalCost
	}
	p.PlanningMS += e.Planning
	p.ExecutionMS += e.Execution
	p.Triggers = append(p.Triggers, e.Triggers...)
	if e.JIT != nil {
		p.JIT = &JIT{Functions: e.JIT.Functions, MS: e.JIT.Timing.Total}
	}
}
