package mortise_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	mortise "github.com/mortise-storage/mortise"
	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
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

// SIGHUP has the file read whether or not it changed, and does not end the plugin.
func TestHangupReloads(t *testing.T) {
	log := new(record)
	h := mustConnect(t, mortise.ConnectOptions{Config: exampleConfig(t, newDatabase(t)), Logger: log.logger()})
	pid := h.PID()
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reload", func() bool { return strings.Contains(log.text(), "cause=SIGHUP") })
	expectParts(t, "the log", log.text(), "INFO reload: nothing has changed; in use is generation 1", "outcome=unchanged", "generation=1")
	if h.PID() != pid {
		t.Error("SIGHUP ended the plugin")
	}
}

// A file with a problem changes nothing, and is told wherever an operator or a host may look, with its
// lines; and the plugin is as healthy as before.
func TestBadFileIsReportedEverywhere(t *testing.T) {
	dsn := newDatabase(t)
	path := exampleConfig(t, dsn)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(old) + "metrics:\n    listen: 127.0.0.1:0\n"
	replaceFile(t, path, text)
	log := new(record)
	h := mustConnect(t, mortise.ConnectOptions{Config: path, Logger: log.logger()})
	plugin, data := pluginv1.NewPluginClient(h.Conn()), trackerv1.NewDataClient(h.Conn())
	mustPut(t, data, "k", "old")
	first, err := h.Info(limited(t))
	if err != nil || first.GetConfig().GetGeneration() != 1 || len(first.GetConfig().GetHash()) != 64 || first.GetConfig().GetFile() != path ||
		first.GetConfig().GetLoadedAt() == nil || first.GetConfig().GetLastReload() != nil {
		t.Fatalf("Info: %v, %v", first, err)
	}
	health := func() *pluginv1.HealthResponse {
		answer, err := plugin.Health(limited(t), &pluginv1.HealthRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if answer.GetState() != pluginv1.HealthResponse_SERVING {
			t.Errorf("Health: %v", answer)
		}
		return answer
	}
	address := "http://" + log.attribute("metrics are served", "address")
	since := time.Time{}
	for name, c := range map[string]struct{ old, new, message string }{
		"a syntax error of YAML": {"tracker:\n", "tracker: {\n", ""},
		"a syntax error of SQL":  {getQuery, "            SELEC value\n            FROM tracker_kv\n", `syntax error at or near "SELEC"`},
		"a missing column":       {getQuery, strings.Replace(getQuery, "value", "valeu", 1), `column "valeu" does not exist`},
		"an unknown key":         {"get_query:", "git_query:", "git_query"},
		"an unknown parameter":   {"AND name = @key\n", "AND name = @kee\n", "@kee"},
		"another database":       {"connection_string: \"", "connection_string: \"connect_timeout=9 ", "belongs to the running process"},
	} {
		if !strings.Contains(text, c.old) {
			t.Fatalf("the example has no %q", c.old)
		}
		bad := strings.Replace(text, c.old, c.new, 1)
		replaceFile(t, path, bad)
		answer, err := h.Reload(limited(t))
		if err != nil || answer.GetApplied() || answer.GetOutcome() != pluginv1.ReloadOutcome_REJECTED || answer.GetGeneration() != 1 {
			t.Fatalf("%s: %v, %v", name, answer, err)
		}
		var found *pluginv1.Problem
		for _, p := range answer.GetProblems() {
			if p.GetSeverity() == pluginv1.Problem_ERROR && strings.Contains(p.GetMessage()+p.GetKey(), c.message) {
				found = p
			}
		}
		if found == nil || found.GetFile() != path || found.GetLine() == 0 {
			t.Fatalf("%s: %v", name, answer)
		}
		place := fmt.Sprintf("%s:%d", path, found.GetLine())
		now := health()
		expectParts(t, name+": the note", now.GetNote(), "the last reload failed at ", place, found.GetMessage(), "generation 1 stays in use")
		last := now.GetConfig().GetLastReload()
		if last.GetOutcome() != pluginv1.ReloadOutcome_REJECTED || len(last.GetProblems()) == 0 || last.GetProblems()[0].GetLine() == 0 ||
			last.GetFailingSince().AsTime().After(last.GetAt().AsTime()) {
			t.Errorf("%s: %v", name, last)
		}
		if since.IsZero() {
			since = last.GetFailingSince().AsTime()
		}
		if !last.GetFailingSince().AsTime().Equal(since) {
			t.Errorf("%s: failing since %s, want %s", name, last.GetFailingSince().AsTime(), since)
		}
		if now.GetConfig().GetHash() != first.GetConfig().GetHash() || !now.GetConfig().GetLoadedAt().AsTime().Equal(first.GetConfig().GetLoadedAt().AsTime()) {
			t.Errorf("%s: in use is %v", name, now.GetConfig())
		}
		expectParts(t, name+": /health", mustGet(t, address+"/health"), "serving\n", place)
		expectParts(t, name+": the metrics", mustGet(t, address+"/metrics"), "mortise_config_generation 1\n", "mortise_config_last_reload_successful 0\n",
			"mortise_config_last_reload_success_timestamp_seconds 1", `mortise_reloads_total{outcome="applied"} 0`)
		if strings.Contains(mustGet(t, address+"/metrics"), `mortise_reloads_total{outcome="rejected"} 0`) {
			t.Errorf("%s is not counted", name)
		}
		if got := loads(t, data); got != "old" {
			t.Errorf("%s: the answer is %q", name, got)
		}
		eventually(t, "the log", func() bool { return strings.Contains(log.text(), "ERROR "+place) })
	}
	if strings.Contains(log.text(), "outcome=applied") {
		t.Errorf("the log says that a file was taken over:\n%s", log.text())
	}

	replaceFile(t, path, strings.Replace(text, getQuery, strings.Replace(getQuery, "value", "'new'::bytea", 1), 1))
	answer, err := h.Reload(limited(t))
	if err != nil || !answer.GetApplied() || answer.GetGeneration() != 2 || loads(t, data) != "new" {
		t.Errorf("the good file: %v, %v", answer, err)
	}
	now := health()
	if now.GetNote() != "" || now.GetConfig().GetGeneration() != 2 || now.GetConfig().GetHash() == first.GetConfig().GetHash() || now.GetConfig().GetLastReload().GetFailingSince() != nil {
		t.Errorf("Health: %v", now)
	}
	expectParts(t, "the metrics", mustGet(t, address+"/metrics"), "mortise_config_generation 2\n", "mortise_config_last_reload_successful 1\n",
		`mortise_reloads_total{outcome="failed"} 0`)
	if answer, err = h.Rollback(limited(t)); err != nil || !answer.GetApplied() || answer.GetOutcome() != pluginv1.ReloadOutcome_ROLLED_BACK ||
		answer.GetGeneration() != 3 || loads(t, data) != "old" {
		t.Errorf("the rollback: %v, %v", answer, err)
	}
	if got := health().GetConfig().GetHash(); got != first.GetConfig().GetHash() {
		t.Errorf("after the rollback the hash is %s", got)
	}
	if _, err = h.Rollback(limited(t)); fault.ReasonOf(err) != fault.Precondition || status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a rollback from the first set: %v", err)
	}
}

// A call that is under way when the queries are replaced is answered by the ones it began with, while new
// calls are answered by the new ones. The test holds a lock that the call waits for.
func TestSlowCallFinishesOnItsSet(t *testing.T) {
	dsn := newDatabase(t)
	text := func(mark, from string) string {
		return strings.Replace(getQuery, "value\n            FROM tracker_kv", "'"+mark+"'::bytea AS value FROM (SELECT context, name FROM tracker_kv) AS rows"+from, 1)
	}
	path := exampleConfig(t, dsn, getQuery, text("old", ", pg_advisory_xact_lock_shared(815)"))
	h := mustConnect(t, mortise.ConnectOptions{Config: path})
	data := trackerv1.NewDataClient(h.Conn())
	mustPut(t, data, "k", "v")

	conn, err := pgx.Connect(limited(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(limited(t), "SELECT pg_advisory_lock(815)"); err != nil {
		t.Fatal(err)
	}
	slow := make(chan string, 1)
	go func() {
		answer, err := data.Load(limited(t), &trackerv1.LoadRequest{Context: "test", Key: []byte("k")})
		slow <- fmt.Sprint(string(answer.GetValue()), err)
	}()
	eventually(t, "the call to wait for the lock", func() bool {
		return count(t, dsn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1
	})
	changed, err := os.ReadFile(exampleConfig(t, dsn, getQuery, text("new", "")))
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, path, string(changed))
	if answer, err := h.Reload(limited(t)); err != nil || !answer.GetApplied() {
		t.Fatalf("%v, %v", answer, err)
	}
	if got := loads(t, data); got != "new" {
		t.Errorf("a new call is answered %q", got)
	}
	select {
	case got := <-slow:
		t.Fatalf("the slow call did not wait: %s", got)
	default:
	}
	if _, err := conn.Exec(limited(t), "SELECT pg_advisory_unlock(815)"); err != nil {
		t.Fatal(err)
	}
	if got := <-slow; got != "old<nil>" {
		t.Errorf("the slow call was answered %s", got)
	}
}

// A configuration that no file holds cannot be reloaded.
func TestReloadWithoutFile(t *testing.T) {
	config, problems := mortise.Load(exampleConfig(t, newDatabase(t)))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	ctx, stop := context.WithCancel(limited(t))
	socket, ended, ready := filepath.Join(newFolder(t), "s"), make(chan error, 1), make(chan struct{})
	go func() {
		ended <- mortise.ServeListen(ctx, mortise.ListenOptions{Address: "unix://" + socket, Ready: func(string, string) { close(ready) },
			ServeOptions: mortise.ServeOptions{Config: config, Logger: new(record).logger()}})
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-ready:
	case <-limited(t).Done():
		t.Fatal("it does not start")
	}
	plugin := pluginv1.NewPluginClient(dial(t, "unix://"+socket, insecure.NewCredentials()))
	if _, err := plugin.Reload(limited(t), &pluginv1.ReloadRequest{}); fault.ReasonOf(err) != fault.Precondition {
		t.Errorf("got %v", err)
	}
}
