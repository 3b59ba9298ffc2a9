package database_test

import (
	"testing"

	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/query"
)

// All calls of a group share its error; the one that caused it is known, and is none the next time.
func TestCulprit(t *testing.T) {
	const refused = `INSERT INTO kv VALUES ('c', 'taken', @info_hash)`
	for name, mode := range map[string]database.Mode{"prepared": database.Prepared, "unprepared": database.Unprepared} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{scripts: []string{"INSERT INTO kv VALUES ('c', 'taken', NULL)"}, replaced: queries{incQuery: refused}, options: database.Options{Mode: mode}})
			calls := []*query.Call{s.add("first", "v"), s.inc(), s.add("last", "v")}
			s.executor.Run(limited(t), query.Calls(calls...))
			for i, call := range calls {
				if call.Err == nil || call.Culprit != (i == 1) || call.Ignored() {
					t.Errorf("call %d: %v, the culprit: %t, ignored: %t", i, call.Err, call.Culprit, call.Ignored())
				}
			}
			s.behind.number("DELETE FROM kv WHERE name = 'taken' RETURNING 1")
			s.executor.Run(limited(t), query.Calls(calls...))
			for i, call := range calls {
				if call.Err != nil || call.Culprit {
					t.Errorf("call %d without the row in its way: %v, the culprit: %t", i, call.Err, call.Culprit)
				}
			}
		})
	}
}
