package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise"
)

// storage is the built plugin, on its embedded server with the default query set and tables.
var storage *mortise.Host

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tracker-test-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	// Where the tests run as root, the database runs as somebody else, who must get through.
	if err := os.Chmod(dir, 0o755); err != nil {
		return fail(err)
	}
	if storage, err = start(dir); err != nil {
		return fail(err)
	}
	code := m.Run()
	storage.Close()
	if err := goleak.Find(); err != nil && code == 0 {
		return fail(err)
	}
	return code
}

// start builds the plugin and connects to it.
func start(dir string) (*mortise.Host, error) {
	program := filepath.Join(dir, "mortise")
	// The plugin is built in its own module: the examples' does not list what its commands need.
	build := exec.Command("go", "build", "-o", program, "./cmd/mortise")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the plugin: %w\n%s", err, out)
	}
	config := filepath.Join(dir, "queries.yaml")
	head := fmt.Sprintf("data_dir: %q\n", filepath.Join(dir, "postgres"))
	if err := os.WriteFile(config, []byte(head+mortise.ExampleQueries), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return mortise.Connect(ctx, mortise.ConnectOptions{
		Program: program, Config: config, Env: []string{"MORTISE_DATABASE=embedded"},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// begin starts a tracker on the plugin, on free ports of both loopback addresses.
func begin(t *testing.T, o Options) *Server {
	t.Helper()
	o.HTTP, o.UDP = []string{"127.0.0.1:0", "[::1]:0"}, []string{"127.0.0.1:0", "[::1]:0"}
	o.Interval = 17 * time.Second
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := Start(storage.Conn(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// get returns status and body of a page of the tracker.
func get(t *testing.T, s *Server, path string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + s.HTTPAddrs()[0].String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
