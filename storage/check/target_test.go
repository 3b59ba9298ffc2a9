package check_test

import (
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/storage/check"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]check.Target{
		"":                        {},
		"  ":                      {},
		"postgres":                {Product: check.PostgreSQL},
		"PostgreSQL":              {Product: check.PostgreSQL},
		"pg 12":                   {Product: check.PostgreSQL, Version: 12},
		"postgres 15":             {Product: check.PostgreSQL, Version: 15},
		"15.3 postgres":           {Product: check.PostgreSQL, Version: 15},
		"postgres 14 pooler":      {Product: check.PostgreSQL, Version: 14, Pooler: true},
		"pgbouncer, postgres, 14": {Product: check.PostgreSQL, Version: 14, Pooler: true},
		"pooler":                  {Pooler: true},
		"cockroachdb":             {Product: check.CockroachDB},
		"CockroachDB v24.1.3":     {Product: check.CockroachDB, Version: 241},
		"23.2 crdb":               {Product: check.CockroachDB, Version: 232},
		"cockroach pooler":        {Product: check.CockroachDB, Pooler: true},
	} {
		got, err := check.ParseTarget(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v (%v), want %+v", text, got, err, want)
		}
		again, err := check.ParseTarget(got.String())
		if got != (check.Target{}) && (err != nil || again != got) {
			t.Errorf("%q is printed as %q, which is read as %+v (%v)", text, got, again, err)
		}
	}
	if got := (check.Target{}).String(); got != "any server" {
		t.Errorf("nothing known is printed as %q", got)
	}
	if got := (check.Target{Product: check.CockroachDB, Version: 241, Pooler: true}).String(); got != "cockroachdb 24.1 pooler" {
		t.Errorf("printed as %q", got)
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"postgers":                      "did you mean postgres?",
		"postgres15":                    "did you mean postgres?",
		"cockraochdb 24.1":              "did you mean cockroachdb?",
		"poler":                         "did you mean pooler?",
		"mysql":                         "possible are postgres",
		"15":                            "write postgres 15",
		"pooler 15":                     "write postgres 15",
		"postgres 9.6":                  "from 10",
		"postgres 150000":               "from 10",
		"postgres 14 15":                "two versions",
		"postgres cockroachdb":          "one product",
		"cockroachdb 24":                "for example 24.1",
		"cockroachdb 241":               "for example 24.1",
		"postgres 1..":                  "from 10",
		"postgres 99999999999999999999": "is no version",
	} {
		got, err := check.ParseTarget(text)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), want) || got != (check.Target{}) {
			t.Errorf("%q: %+v, %v; want an error with %q", text, got, err, want)
		}
	}
}
