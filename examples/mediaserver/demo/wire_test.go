package demo

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// A wire passes everything both ways and counts how often the plugin speaks after an answer.
func TestWire(t *testing.T) {
	folder, err := os.MkdirTemp("", "wire-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	listener, err := net.Listen("unix", filepath.Join(folder, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	w, err := newWire(folder, "5432")
	if err != nil {
		t.Fatal(err)
	}
	plugin, err := net.Dial("unix", filepath.Join(w.folder, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	defer plugin.Close()
	database, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	say := func(from, to net.Conn, text string) {
		t.Helper()
		if _, err := io.WriteString(from, text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
			t.Fatalf("%q arrived instead of %q: %v", got, text, err)
		}
	}
	trips := func(want int64) {
		t.Helper()
		if got := w.trips.Load(); got != want {
			t.Errorf("%d round trips instead of %d", got, want)
		}
	}
	say(plugin, database, "one")
	say(plugin, database, "still one")
	trips(1)
	say(database, plugin, "answer")
	say(database, plugin, "more of it")
	trips(1)
	say(plugin, database, "two")
	trips(2)
	if err := w.close(); err != nil {
		t.Error(err)
	}
	if _, err := plugin.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlived the wire")
	}
	if _, err := os.Stat(w.folder); !os.IsNotExist(err) {
		t.Errorf("the wire's folder is still there: %v", err)
	}
}
