package benchmark

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage/workload"
)

const repository = "../../"

// queryFiles are all query sets of the repository.
func queryFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(repository + "schemas/*/queries.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return append(files, repository+"queries.example.yaml")
}

func TestCopiedFilesHaveTheSameQueries(t *testing.T) {
	t.Setenv("MORTISE_DATABASE", "host=/run/secret password=geheim")
	t.Setenv("HERE", "host=/elsewhere")
	e := edits{connection: "${HERE}", sections: []string{"tracker", "media"}, settings: map[string]map[string]string{
		"tracker": {"gc_interval": "99h", "prometheus_reporting_interval": "0"}, "media": workload.Media{}.Quiet()}}
	for _, file := range queryFiles(t) {
		text, err := e.apply(file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		copied := filepath.Join(t.TempDir(), "copy.yaml")
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			t.Fatal(err)
		}
		before, _ := mortise.Load(file)
		after, problems := mortise.Load(copied)
		if err := problems.Err(); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if after.Storage.Connection != "host=/elsewhere" || strings.Contains(string(text), "geheim") {
			t.Errorf("%s leads to %s", file, after.Storage.Connection)
		}
		if len(after.Storage.Sources.ByKey) != len(before.Storage.Sources.ByKey) {
			t.Errorf("%s has %d queries, its copy %d", file, len(before.Storage.Sources.ByKey), len(after.Storage.Sources.ByKey))
		}
		for key, source := range before.Storage.Sources.ByKey {
			if after.Storage.Sources.ByKey[key].SQL != source.SQL {
				t.Errorf("%s: %s became %q", file, key, after.Storage.Sources.ByKey[key].SQL)
			}
		}
	}
}

func TestCopiedFilesFindTheirQueries(t *testing.T) {
	folder := t.TempDir()
	text := "connection_string: embedded\nmetrics: {listen: \":9100\"}\ntracker:\n  connection_string: embedded\n  data:\n    add_query: !file sql/add.sql\n    get_query: !file ${SQL}/get.sql\n"
	file := filepath.Join(folder, "queries.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SQL", "/srv/sql")
	got, err := edits{connection: "${X}", sections: []string{"tracker"}}.apply(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "connection_string: ${X}\ntracker:\n    data:\n        add_query: !file " + folder + "/sql/add.sql\n        get_query: !file ${SQL}/get.sql\n"
	if string(got) != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}
