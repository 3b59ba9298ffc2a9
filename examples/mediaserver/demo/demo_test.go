package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// programs are the built plugin and media server.
var programs struct{ plugin, server string }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "demo-test-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	programs.plugin, programs.server = filepath.Join(dir, "mortise"), filepath.Join(dir, "mediaserver")
	// The plugin is built in its own module: the examples' does not list what its commands need.
	for _, b := range []struct{ program, folder, source string }{
		{programs.plugin, "../../..", "./cmd/mortise"},
		{programs.server, "..", "."},
	} {
		build := exec.Command("go", "build", "-o", b.program, b.source)
		build.Dir, build.Env = b.folder, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return failed(errors.New(string(out)))
		}
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		return failed(err)
	}
	return code
}

func failed(err error) int {
	_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
	return 1
}

// options of a demo that is small.
func options(t *testing.T, out, story io.Writer) Options {
	t.Helper()
	state, err := os.MkdirTemp("", "demo-state-")
	if err != nil {
		t.Fatal(err)
	}
	// Where the tests run as root, the database runs as somebody else, who must get through.
	if err := os.Chmod(state, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(state); err != nil {
			t.Error(err)
		}
	})
	return Options{Program: programs.server, Plugin: programs.plugin, Queries: "../../../queries.example.yaml", State: state,
		Pictures: 12, Timeout: 3 * time.Minute, JSON: true, Out: out, Err: story}
}

// The demo, with few pictures, finds everything as it must be.
func TestDemo(t *testing.T) {
	var out, story bytes.Buffer
	err := Run(t.Context(), options(t, &out, &story))
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, &story, &out)
	}
	var result Result
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	if !result.OK || len(result.Checks) != 11 || len(result.Killed.Returned) == 0 {
		t.Errorf("%+v", result)
	}
	trips := map[string]float64{}
	for _, kind := range result.Trips {
		trips[kind.Kind] = kind.RoundTrips
	}
	for kind, want := range map[string]float64{kindOriginal: 1, kindVariant: 1, kindDetails: 1, kindUpload: 1, kindBackground: 2} {
		if trips[kind] != want {
			t.Errorf("%s: %v round trips instead of %v", kind, trips[kind], want)
		}
	}
	var jobs int64
	for _, w := range result.Workers {
		jobs += w.Process
	}
	if least := result.Rows["media_variants"]; jobs < least {
		t.Errorf("%d jobs made %d variants", jobs, least)
	}
}

// cancelling ends a context when a text is written.
type cancelling struct {
	text   string
	cancel context.CancelFunc
}

func (c cancelling) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.cancel()
	}
	return len(p), nil
}

// Ctrl-C in the middle ends everything that was started.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(t, io.Discard, cancelling{"are ready", cancel})
	if err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	for _, file := range []string{"postmaster.pid", filepath.Join("*", "postmaster.pid")} {
		if found, _ := filepath.Glob(filepath.Join(o.State, dataDir, file)); len(found) > 0 {
			t.Errorf("the database was left running: %s", found)
		}
	}
}

// A demo that cannot begin says why.
func TestNoQueries(t *testing.T) {
	o := options(t, io.Discard, io.Discard)
	o.Queries = filepath.Join(o.State, "nothing.yaml")
	if err := Run(t.Context(), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it ended with %v", err)
	}
}
