package operatorfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIn(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		copied, bad   bool
	}{
		{"ordinary", "connection_string: embedded\ntracker: {}\n", true, false},
		{"its own folder", "connection_string: embedded\ndata_dir: /x\n", false, false},
		{"a folder deeper down is another key", "tracker:\n  data_dir: x\n", true, false},
		{"queries in other files", "tracker:\n  ping_query: !file ping.sql\n", false, true},
		{"only told of in a comment", "# ping_query: !file ping.sql\ntracker: {}\n", true, false},
	} {
		state, file := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "queries.yaml")
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		path, err := In(state, file)
		if (err != nil) != tt.bad {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err != nil {
			continue
		}
		if (path != file) != tt.copied {
			t.Errorf("%s: %s", tt.name, path)
		}
		content, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(content), tt.content) {
			t.Errorf("%s: %q, %v", tt.name, content, err)
		}
		if first, _, _ := strings.Cut(string(content), "\n"); tt.copied && !strings.HasPrefix(first, `data_dir: "`+filepath.Join(state, "postgres")+`"`) {
			t.Errorf("%s: begins with %q", tt.name, first)
		}
	}
	if _, err := In(t.TempDir(), filepath.Join(t.TempDir(), "missing.yaml")); err == nil {
		t.Error("a file that is not there was taken")
	}
}
