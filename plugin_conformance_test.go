package mortise_test

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	mortise "github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage/conformance"
)

// TestConformanceOverThePlugin runs the whole suite through the built program, on every query set,
// each on tables of its own. What each set lacks on purpose is stated where the suite runs in-process.
func TestConformanceOverThePlugin(t *testing.T) {
	sets := map[string][2]string{"default": {"queries.example.yaml", "schema.sql"}}
	folders, err := filepath.Glob("schemas/*/queries.yaml")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no query sets under schemas: %v", err)
	}
	for _, queries := range folders {
		folder := filepath.Dir(queries)
		sets[filepath.Base(folder)] = [2]string{queries, filepath.Join(folder, "schema.sql")}
	}
	for name, files := range sets {
		t.Run(name, func(t *testing.T) {
			schema, err := os.ReadFile(files[1])
			if err != nil {
				t.Fatal(err)
			}
			dsn := emptyDatabase(t)
			mustExec(t, dsn, string(schema))
			config, problems := mortise.Load(files[0])
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			host := mustConnect(t, mortise.ConnectOptions{Config: files[0], Env: []string{"MORTISE_DATABASE=" + dsn}})
			for _, domain := range conformance.Domains() {
				if settings, served := config.Storage.Settings[domain.Section]; served {
					t.Run(domain.Section, func(t *testing.T) { runConformance(t, host, domain, settings) })
				}
			}
		})
	}
}

func runConformance(t *testing.T, host *mortise.Host, domain conformance.Domain, settings proto.Message) {
	suite, err := domain.Bind(host.Conn(), settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	summary, err := suite.Run(t.Context(), func(r conformance.Result) {
		if r.Outcome == conformance.Failed || r.Outcome == conformance.NotRun {
			t.Errorf("%s: %s\nthe contract says: %s\n%v", r.Name, r.Outcome, r.Says, r.Failures)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d passed, %d not applicable, lacking %v", summary.Passed, summary.NotApplicable, summary.Capabilities.Lacking())
	if !summary.OK() || summary.Passed < 100 {
		t.Errorf("%d cases passed, and more are expected", summary.Passed)
	}
}
