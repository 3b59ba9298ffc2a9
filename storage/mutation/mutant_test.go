package mutation

import (
	"slices"
	"strings"
	"testing"
)

func TestMutantsAreDifferent(t *testing.T) {
	set := setOf(t, map[string]string{
		list: "SELECT peer_id, address, port FROM t WHERE (a = 1 AND a = 1) OR a < 2 OR a <= 2 ORDER BY b LIMIT 1 -- and more",
	})
	all := Mutants(set)
	seen := map[string]bool{fingerprint(set.Statements()[0].Source().SQL): true}
	for _, m := range all {
		if m.Operation != list {
			continue
		}
		if seen[fingerprint(m.SQL)] {
			t.Errorf("%s makes what was there before: %s", m.Operator, m.SQL)
		}
		seen[fingerprint(m.SQL)] = true
		if m.Before == m.After {
			t.Errorf("%s at %d does not show what it changes: %s", m.Operator, m.Offset, m.Before)
		}
	}
	if len(seen) < 15 {
		t.Errorf("only %d mutants", len(seen))
	}
	if again := Mutants(set); !slices.Equal(all, again) {
		t.Errorf("the same set gives other mutants")
	}
}

// What only looks like a clause is left alone.
func TestMutantsOfNothing(t *testing.T) {
	for _, sql := range []string{
		`SELECT 'a AND b LIMIT 1 TRUE' FROM "WHERE" -- ORDER BY x`,
		`SELECT $$NOT 1 = 2$$, a.limit, a.true FROM t AS a /* WHERE 1 = 1 */`,
	} {
		for _, m := range Mutants(setOf(t, map[string]string{list: sql})) {
			if m.Operation == list && m.Operator != "swap-columns" {
				t.Errorf("%s of %s: %s", m.Operator, sql, m.SQL)
			}
		}
	}
}

func TestMutantsOfAClause(t *testing.T) {
	const (
		base   = "tracker.peer.count_query"
		clause = "tracker.peer.by_info_hash_clause"
	)
	all := Mutants(setOf(t, map[string]string{
		base:   "SELECT count(*) AS seeders, count(*) AS leechers FROM t\nWHERE a < 2; -- the end",
		clause: "AND info_hash = @info_hash\n  AND b",
	}))
	var got []string
	for _, m := range all {
		switch m.Operation {
		case clause:
			got = append(got, m.Operator+": "+m.SQL)
			if m.Position.File != clause || m.Position.Column != m.Offset+1 {
				t.Errorf("%s at %d is said to be at %v", m.Operator, m.Offset, m.Position)
			}
		case base:
			if strings.Contains(m.SQL, "@info_hash") {
				t.Errorf("a mutant of the base holds the clause: %s", m.SQL)
			}
		}
	}
	want := []string{
		"drop-predicate: \n  AND b", "and-or: OR info_hash = @info_hash\n  AND b", "flip-comparison: AND info_hash <> @info_hash\n  AND b",
		"parameter-to-column: AND info_hash = info_hash\n  AND b", "drop-predicate: AND info_hash = @info_hash\n  ",
		"and-or: AND info_hash = @info_hash\n  OR b", "negate: AND info_hash = @info_hash\n  AND NOT (b)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestExcerpts(t *testing.T) {
	const sql = "SELECT a\nFROM t\nWHERE a = 1\n  AND b = 2\nORDER BY a"
	got := mutantsOf(t, list, sql, "flip-comparison")
	if len(got) != 2 || got[0].Before != "WHERE a = 1" || got[0].After != "WHERE a <> 1" || got[1].Before != "AND b = 2" {
		t.Errorf("%+v", got)
	}
	twins := mutantsOf(t, list, "SELECT a\nWHERE b < 1\nUNION ALL SELECT c\nWHERE b < 1", "flip-comparison")
	if len(twins) != 2 || twins[0].Before != twins[1].Before || twins[0].Occurrence != 1 || twins[1].Occurrence != 2 {
		t.Errorf("%+v", twins)
	}
	long := "SELECT a FROM t WHERE a IN (" + strings.Repeat("'something long', ", 40) + "'x') AND b = 1 AND c IN (" + strings.Repeat("'more', ", 60) + "'y')"
	for _, m := range mutantsOf(t, list, long, "flip-comparison") {
		if len(m.Before) > 150 || !strings.Contains(m.Before, "b = 1") || !strings.Contains(m.After, "b <> 1") {
			t.Errorf("%d bytes: %s -> %s", len(m.Before), m.Before, m.After)
		}
	}
}
