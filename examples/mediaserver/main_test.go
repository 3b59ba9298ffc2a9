package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise"
)

// Command lines that cannot be meant are refused before anything is started.
func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		line, want string
	}{
		{"paint", `no command "paint"`},
		{"serve --colour red", "unknown flag: --colour"},
		{"serve here", `unexpected argument "here"`},
		{"serve --read-only --workers 1", "contradict"},
		{"serve --workers -1", "--workers"},
		{"work --process 0 --cleanup 0", "--process"},
		{"work --cleanup -1", "--cleanup"},
		{"work --allow-fetch everywhere", "--allow-fetch"},
		{"demo --pictures 0", "--pictures"},
	} {
		t.Run(tt.line, func(t *testing.T) {
			root := command()
			root.SetArgs(strings.Fields(tt.line))
			err := root.ExecuteContext(t.Context())
			if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want something about %s", err, tt.want)
			}
		})
	}
	if status := run([]string{"serve", "--colour", "red"}); status != exitUsage {
		t.Errorf("status %d", status)
	}
	if status := run([]string{"serve", "--plugin", "/nonexistent", "--files", t.TempDir()}); status != exitFailed {
		t.Errorf("status %d", status)
	}
}

// told is an output on which one waits for a line.
type told struct{ lines chan string }

func (o told) Write(p []byte) (int, error) {
	o.lines <- string(p)
	return len(p), nil
}

// The server and its workers in one process, with the built plugin on an embedded database: they get
// ready, answer, show the metrics of both, and end when they are told to.
func TestServe(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir, err := os.MkdirTemp("", "mediaserver-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// Where the tests run as root, the database runs as somebody else, who must get through.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	plugin, queries := filepath.Join(dir, "mortise"), filepath.Join(dir, "queries.yaml")
	build := exec.Command("go", "build", "-o", plugin, "./cmd/mortise")
	build.Dir = "../.." // its own module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(queries, []byte(mortise.ExampleQueries), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MORTISE_DATABASE", "embedded")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, ended := told{make(chan string, 1)}, make(chan error, 1)
	root := command()
	root.SetOut(out)
	root.SetArgs([]string{"serve", "--plugin", plugin, "--config", queries, "--state", filepath.Join(dir, "state"),
		"--files", filepath.Join(dir, "files"), "--listen", "127.0.0.1:0", "--workers", "1"})
	go func() { ended <- root.ExecuteContext(ctx) }()
	var url string
	select {
	case line := <-out.lines:
		if _, err := fmt.Sscanf(line, "ready %s\n", &url); err != nil {
			t.Fatalf("it said %q", line)
		}
	case err := <-ended:
		t.Fatalf("it ended before it was ready: %v", err)
	}
	for path, want := range map[string]string{"/": "<title>Pictures</title>", "/healthz": "", "/metrics": "mortise_media_round_trips_total"} {
		if body := fetch(t, url+path); !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s does not have %s", path, want)
		}
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !bytes.Contains(fetch(t, url+"/metrics"), []byte("mediaserver_worker_loop")) {
		select {
		case err := <-ended:
			t.Fatalf("it ended before its workers were there: %v", err)
		case <-look.C:
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return body
}
