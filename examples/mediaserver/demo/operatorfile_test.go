package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// The demo's copy of the operator's file is a good one, with only what it needs and other times.
func TestOperatorFile(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "queries.yaml")
	if err := os.WriteFile(source, []byte(mortise.ExampleQueries), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := writeOperatorFile(dir, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MORTISE_DATABASE", "host=nowhere")
	config, problems := mortise.Load(path)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	settings, ok := config.Storage.Settings["media"].(*mediav1.SectionSettings)
	if !ok || len(config.Storage.Settings) != 1 {
		t.Fatalf("it has the sections %v", config.Storage.Settings)
	}
	want, err := time.ParseDuration(staleAfter)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []time.Duration{settings.GetQueueStaleAfter().AsDuration(), settings.GetVariantsStaleAfter().AsDuration()} {
		if got != want {
			t.Errorf("stale after %s instead of %s", got, want)
		}
	}
	if config.Storage.Connection != "host=nowhere" || config.Storage.EmbeddedDir != filepath.Join(dir, dataDir) {
		t.Errorf("connection %q, data in %q", config.Storage.Connection, config.Storage.EmbeddedDir)
	}
}

func TestOperatorFileRefused(t *testing.T) {
	for want, content := range map[string]string{
		"no section media":  "tracker: {}\n",
		"no group variants": "media: {queue: {}}\n",
		"from other files":  "media: {queue: {}, variants: {x_query: !file x.sql}}\n",
		"did not find":      "media: [\n",
	} {
		_, err := changeOperatorFile([]byte(content), "data")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestEmbeddedSocket(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := embeddedSocket(dir); err == nil {
		t.Error("a server was found where there is none")
	}
	if err := os.Mkdir(filepath.Join(dir, "16"), 0o700); err != nil {
		t.Fatal(err)
	}
	pid := filepath.Join(dir, "16", "postmaster.pid")
	for _, tt := range []struct {
		content, folder, port string
	}{{"1\n/data\n123\n5432\n/run/it\nlocalhost\n", "/run/it", "5432"}, {"1\n", "", ""}} {
		if err := os.WriteFile(pid, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		folder, port, err := embeddedSocket(dir)
		if folder != tt.folder || port != tt.port || (err == nil) != (tt.folder != "") {
			t.Errorf("%q, %q, %v", folder, port, err)
		}
	}
}
