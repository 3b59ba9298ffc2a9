package benchmark

import (
	"os"
	"regexp"
	"testing"
	"time"
)

// Two query sets for schemas that have nothing in common answer every call alike, where the contract
// fixes the answer.
func TestMediaSetsAnswerAlike(t *testing.T) {
	o := brief(t, querySet(t, "A", ""), querySet(t, "B", "pict-rs"))
	o.Only = regexp.MustCompile("^media|^(Repo|Hashes|Aliases|Variants|Details|Settings|Queue|Uploads|Proxies|Access|StoreMigration)")
	o.Checks, o.Rounds, o.Duration = 4, 2, 4*time.Millisecond
	report := run(t, o)
	for _, result := range report.Results {
		if len(result.Wrong) > 0 || len(result.Differences) > 0 {
			t.Errorf("%s: wrong %+v, differences %+v", result.Name(), result.Wrong, result.Differences)
		}
		for _, side := range result.Sides {
			if side.Calls == 0 || side.Errors > 0 {
				t.Errorf("%s: %+v", result.Name(), *side)
			}
		}
	}
	if len(report.Results) < 150 {
		t.Errorf("only %d cases", len(report.Results))
	}
}

// A query that forgets which variant is meant answers quickly, and wrongly.
func TestAWrongFileIsFound(t *testing.T) {
	o := brief(t, querySet(t, "", "pict-rs", "LEFT JOIN details AS d ON d.identifier = v.identifier", "LEFT JOIN details AS d ON false"))
	o.Only = regexp.MustCompile("^media.variants.resolve_query$|^Variants.Resolve$")
	for _, result := range run(t, o).Results {
		if len(result.Wrong) == 0 {
			t.Errorf("%s: nothing is found wrong", result.Name())
		}
	}
}

func TestMediaThroughThePlugin(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := querySet(t, "", "pict-rs")
	s.Plugin = &Plugin{Program: program}
	o := brief(t, s)
	o.Only = regexp.MustCompile(`^(Aliases.Resolve|Uploads.Save|Queue.(Pop|Next))`)
	report := run(t, o)
	if len(report.Results) != 5 {
		t.Errorf("%d cases", len(report.Results))
	}
	for _, result := range report.Results {
		if side := result.Sides[0]; side.Calls == 0 || side.Errors > 0 || len(result.Wrong) > 0 {
			t.Errorf("%s: %+v, wrong %+v", result.Name(), *side, result.Wrong)
		}
	}
}
