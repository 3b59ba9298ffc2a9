package check

var lockLints = []*lint{
	{
		Rule: Rule{Name: "D12-skip-locked", Title: "SKIP LOCKED without a limit or an order",
			Explanation: "SKIP LOCKED lets several workers take different rows. Without LIMIT the first one locks everything that fits. Without ORDER BY the oldest rows may wait for ever while new ones are taken; for periodic clean-up the order does not matter, so nothing is said there. On CockroachDB (22.2 and later) a plan that filters or sorts after it has locked also locks rows that it does not return: there the index has to give exactly the wanted rows in the wanted order.",
			Source:      "PostgreSQL manual, SELECT, The Locking Clause; cockroachdb/cockroach#121917"},
		on:        severities{warning, silent, warning},
		statement: skipLocked,
	},
}

func skipLocked(r *reading, f *finder) {
	for i := r.find(0, "SKIP", "LOCKED"); i >= 0; i = r.find(i+1, "SKIP", "LOCKED") {
		limit, order := false, false
		for _, j := range r.level(i) {
			limit = limit || r.is(j, "LIMIT") || r.is(j, "FETCH")
			order = order || r.is(j, "ORDER", "BY")
		}
		at := r.offset(i)
		if version := f.input.Target.Version; f.input.Target.Product == CockroachDB && version > 0 && version < 222 {
			f.at(at, "SKIP LOCKED needs CockroachDB 22.2", "claim rows with UPDATE .. RETURNING")
		}
		switch {
		case !limit:
			f.at(at, "SKIP LOCKED without LIMIT locks every row that fits, so nothing is left for others", "add ORDER BY and a small LIMIT")
		case !order && (!r.op.Background() || f.input.Target.Product == CockroachDB):
			f.at(at, "SKIP LOCKED without ORDER BY: the oldest rows may never be taken", "add ORDER BY, in the order of an index")
		}
	}
}
