package catalogue

import (
	"fmt"
	"slices"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

type parameter = operation.Parameter

// checkUnique compares the unique indexes of a table with what the contract says identifies a row that
// is inserted.
func (c *checker) checkUnique(r *reading) {
	if r.refused != nil {
		return // the missing index is reported with that
	}
	for _, w := range r.writes {
		if w.command == "INSERT" && (w.use.table.kind == "r" || w.use.table.kind == "p") {
			c.checkInsert(r, w)
		}
	}
}

// An identityKey is what the inserted columns say of one unique index.
type identityKey struct {
	index *index
	// beyond are columns that take their values from parameters which do not identify the row.
	beyond []string
	// lacking are columns with identifying parameters that the index does not have.
	lacking []string
}

func (c *checker) checkInsert(r *reading, w *write) {
	t := w.use.table
	identifying := identifyingColumns(w)
	repeated := r.op.Spec.GetRetry() != annotation.Retry_NEVER
	if identifying == nil || w.conflict == nil && !repeated {
		return
	}
	keys := identityKeys(w, identifying)
	within := slices.IndexFunc(keys, func(k identityKey) bool { return k.beyond == nil })
	switch {
	case within < 0 && len(keys) > 0:
		c.report(problem.Warning, ruleNoUniqueKey, r, w.at,
			fmt.Sprintf("the unique index %s also has %s, so %s can store one (%s) more than once", keys[0].index.name, quoteAll(keys[0].beyond), r.op.Key, quoteAll(identifying)),
			fmt.Sprintf("CREATE UNIQUE INDEX ON %s (%s); and name its columns in ON CONFLICT", t, quoteAll(identifying)))
	case within < 0:
		c.report(problem.Warning, ruleNoUniqueKey, r, w.at,
			fmt.Sprintf("no unique index of %s is over (%s), so a second call with the same values stores a second row", t, quoteAll(identifying)),
			fmt.Sprintf("CREATE UNIQUE INDEX ON %s (%s); and name its columns in ON CONFLICT", t, quoteAll(identifying)))
	case w.conflict == nil && r.op.Spec.GetEmpty() != annotation.Empty_ALREADY_EXISTS && r.op.Spec.GetRetry() == annotation.Retry_IDEMPOTENT && len(r.writes) == 1:
		c.report(problem.Warning, ruleNoConflict, r, w.at,
			fmt.Sprintf("a second call with the same values fails at the unique index %s, and the contract wants it to do what the first did", keys[within].index.name),
			fmt.Sprintf("add ON CONFLICT (%s) DO UPDATE SET ...", quoteAll(keys[within].index.names(t))))
	}
	for _, k := range keys {
		if k.lacking != nil {
			c.report(problem.Warning, ruleNarrowIdentity, r, w.at,
				fmt.Sprintf("identity narrower than the contract: the unique index %s leaves out %s, so rows that differ only there replace each other", k.index.name, quoteAll(k.lacking)),
				"add the columns to the index if callers have to be told apart by them; otherwise this is a choice of the schema")
		}
	}
}

// identifyingColumns are the columns that get an identifying parameter as it is.
func identifyingColumns(w *write) []string {
	var columns []string
	for _, a := range w.inserts {
		if a.parameter != nil && a.parameter.Identity() {
			columns = append(columns, a.column.name)
		}
	}
	return columns
}

// identityKeys looks at the unique indexes that have to do with the row's identity: all their columns
// are inserted, and at least one of them identifies.
func identityKeys(w *write, identifying []string) []identityKey {
	var keys []identityKey
	for _, index := range w.use.table.indexes {
		if !index.unique || !index.plain() {
			continue
		}
		k, identifies, inserted := identityKey{index: index}, false, true
		for _, name := range index.names(w.use.table) {
			at := slices.IndexFunc(w.inserts, func(a assignment) bool { return a.column.name == name })
			switch {
			case at < 0:
				inserted = false
			case slices.Contains(identifying, name):
				identifies = true
			case w.inserts[at].parameter != nil && w.inserts[at].parameter.Derive != annotation.Derive_IS_V6:
				k.beyond = append(k.beyond, name)
			}
		}
		if !inserted || !identifies {
			continue
		}
		for _, name := range identifying {
			if !slices.Contains(index.names(w.use.table), name) {
				k.lacking = append(k.lacking, name)
			}
		}
		keys = append(keys, k)
	}
	return keys
}
