package swarmdemo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestStopTakesGroup ends a process that ignores signals and has a child of its own.
func TestStopTakesGroup(t *testing.T) {
	l := newLauncher()
	defer l.close()
	reader, writer := io.Pipe()
	p, err := l.start(exec.Command("sh", "-c", "trap '' TERM; sleep 600 & echo up; wait; sleep 600"), writer, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if !p.running() {
		t.Fatal("it does not run")
	}
	p.stop(syscall.SIGTERM, 50*time.Millisecond)
	if p.running() {
		t.Error("it still runs")
	}
	group := -p.cmd.Process.Pid
	err = wait(t.Context(), "the group to go", func() (bool, error) { return errors.Is(syscall.Kill(group, 0), syscall.ESRCH), nil })
	if err != nil {
		t.Error(err)
	}
}

func TestStartFails(t *testing.T) {
	l := newLauncher()
	defer l.close()
	if _, err := l.start(exec.Command("/nonexistent/program"), nil, filepath.Join(t.TempDir(), "log")); err == nil {
		t.Error("a program that is not there was started")
	}
}

func TestWait(t *testing.T) {
	n := 0
	if err := wait(t.Context(), "three", func() (bool, error) { n++; return n == 3, nil }); err != nil || n != 3 {
		t.Errorf("%d looks, %v", n, err)
	}
	cause := errors.New("broken")
	if err := wait(t.Context(), "nothing", func() (bool, error) { return false, cause }); !errors.Is(err, cause) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(ctx, "nothing", func() (bool, error) { return false, nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestEmbeddedDSN(t *testing.T) {
	dir := t.TempDir()
	if _, err := embeddedDSN(dir); err == nil {
		t.Error("a server was found where there is none")
	}
	if err := os.Mkdir(filepath.Join(dir, "cluster"), 0o700); err != nil {
		t.Fatal(err)
	}
	pid := "123\n/x/cluster\n1700000000\n5432\n/x/socket\n\n  1 2\nready\n"
	if err := os.WriteFile(filepath.Join(dir, "cluster", "postmaster.pid"), []byte(pid), 0o600); err != nil {
		t.Fatal(err)
	}
	dsn, err := embeddedDSN(dir)
	if want := "host='/x/socket' port=5432 user=mortise dbname=mortise sslmode=disable"; err != nil || dsn != want {
		t.Errorf("%q, %v; want %q", dsn, err, want)
	}
}

// TestClient runs the demo's own client as a seeder: it says that it has the file, and goes when it
// is told to and its input ends.
func TestClient(t *testing.T) {
	dir := t.TempDir()
	p, err := makePayload(dir, 2*pieceLength)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := p.torrent("http://127.0.0.1:1/announce") // nobody is there
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "one.torrent")
	if err := os.WriteFile(path, torrent, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, writer := io.Pipe()
	in, closeInput := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Client(ctx, []string{path, dir, "127.0.0.1:0", "true"}, writer, in)
		_ = writer.Close()
	}()
	lines := json.NewDecoder(out)
	for {
		var now progress
		if err := lines.Decode(&now); err != nil {
			t.Fatalf("%v; %v", err, <-ended)
		}
		if now.Complete {
			break
		}
	}
	cancel()
	_ = closeInput.Close()
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := Client(t.Context(), nil, io.Discard, in); err == nil {
		t.Error("a client without arguments ran")
	}
}
