package mortise_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

const getQuery = "            SELECT value\n            FROM tracker_kv\n"

// replaceFile replaces a file in one step, as editors and deployments do.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	writeFile(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// loads returns what the key of these tests is answered with.
func loads(t *testing.T, data trackerv1.DataClient) string {
	t.Helper()
	response, err := data.Load(limited(t), &trackerv1.LoadRequest{Context: "test", Key: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	return string(response.GetValue())
}

func TestChangedFileIsReloaded(t *testing.T) {
	path := exampleConfig(t, newDatabase(t))
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log := new(record)
	h := mustConnect(t, mortise.ConnectOptions{Config: path, Logger: log.logger()})
	pid, data := h.PID(), trackerv1.NewDataClient(h.Conn())
	mustPut(t, data, "k", "old")

	replaceFile(t, path, strings.Replace(string(old), getQuery, strings.Replace(getQuery, "tracker_kv", "tracker_kvv", 1), 1))
	eventually(t, "the problem in the log", func() bool { return strings.Contains(log.text(), `relation "tracker_kvv" does not exist`) })
	expectParts(t, "the log", log.text(), "ERROR "+path+":", "tracker.data.get_query")
	if got := loads(t, data); got != "old" {
		t.Errorf("after a bad file: %q", got)
	}
	replaceFile(t, path, strings.Replace(string(old), getQuery, strings.Replace(getQuery, "value", "'new'::bytea", 1), 1))
	eventually(t, "the new query", func() bool { return loads(t, data) == "new" })
	if h.PID() != pid {
		t.Error("the plugin was restarted for it")
	}
}

// SIGHUP reloads what the file includes, too, which is not watched.
func TestHangupReloads(t *testing.T) {
	path := exampleConfig(t, newDatabase(t),
		"get_query: |\n"+getQuery+"            WHERE context = @context\n              AND name = @key\n", "get_query: !file get.sql\n")
	query := filepath.Join(filepath.Dir(path), "get.sql")
	const text = "SELECT value FROM tracker_kv WHERE context = @context AND name = @key\n"
	writeFile(t, query, text)
	h := mustConnect(t, mortise.ConnectOptions{Config: path})
	pid, data := h.PID(), trackerv1.NewDataClient(h.Conn())
	mustPut(t, data, "k", "old")
	if got := loads(t, data); got != "old" {
		t.Fatalf("before: %q", got)
	}
	replaceFile(t, query, strings.Replace(text, "value", "'new'::bytea AS value", 1))
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new query", func() bool { return loads(t, data) == "new" })
	if h.PID() != pid {
		t.Error("SIGHUP ended the plugin")
	}
}
