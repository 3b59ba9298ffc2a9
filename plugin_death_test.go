package mortise_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// sleepers counts the statements of a database that sleep.
const sleepers = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"

// slowPing is a change of the example that makes Ping a call of some length.
func slowPing(seconds string) []string {
	return []string{"    ping_query: |\n        SELECT 1\n", "    ping_timeout: 50s\n    ping_query: |\n        SELECT pg_sleep(" + seconds + ")\n"}
}

// startPing calls Ping and returns when the database is at it.
func startPing(t *testing.T, h *mortise.Host, dsn string) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	ctx := limited(t)
	go func() {
		_, err := trackerv1.NewDatabaseClient(h.Conn()).Ping(ctx, &trackerv1.PingRequest{})
		result <- err
	}()
	eventually(t, "the slow statement", func() bool { return count(t, dsn, sleepers) == 1 })
	return result
}

func TestPluginKilledDuringACall(t *testing.T) {
	dsn := newDatabase(t)
	h := mustConnect(t, mortise.ConnectOptions{Config: exampleConfig(t, dsn, slowPing("50")...)})
	pid, result := h.PID(), startPing(t, h, dsn)
	mustKill(t, pid)
	expectFault(t, <-result, codes.Unavailable, fault.UnknownOutcome)
	// The next call waits for the next process.
	mustPut(t, trackerv1.NewDataClient(h.Conn()), "after", "the kill")
	if h.PID() == pid || processExists(pid) {
		t.Errorf("processes: %d before, %d now", pid, h.PID())
	}
}

// While there is no plugin, a call that cannot wait is answered UNAVAILABLE: it was not sent.
func TestCallsWhileThePluginCannotStart(t *testing.T) {
	path := exampleConfig(t, newDatabase(t))
	log := new(record)
	h := mustConnect(t, mortise.ConnectOptions{Config: path, Logger: log.logger(), MaxWait: 1})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("nonsense: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustKill(t, h.PID())
	eventually(t, "a failed restart", func() bool { return strings.Contains(log.text(), "the plugin cannot be restarted") })
	_, err = h.Info(limited(t))
	expectFault(t, err, codes.Unavailable, fault.Unavailable)
	expectParts(t, "the error", err.Error(), path, "nonsense")
	ctx, cancel := context.WithCancel(limited(t))
	cancel()
	if _, err = h.Info(ctx); err == nil {
		t.Error("a cancelled call was answered")
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plugin's return", func() bool { return h.PID() != 0 })
	mustPut(t, trackerv1.NewDataClient(h.Conn()), "after", "the repair")
}

// SIGTERM lets calls under way finish; the host starts another process.
func TestTerminatedPluginDrains(t *testing.T) {
	dsn := newDatabase(t)
	h := mustConnect(t, mortise.ConnectOptions{Config: exampleConfig(t, dsn, slowPing("0.5")...)})
	pid, result := h.PID(), startPing(t, h, dsn)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Errorf("the call that was under way: %v", err)
	}
	mustPut(t, trackerv1.NewDataClient(h.Conn()), "after", "SIGTERM")
	if h.PID() == pid {
		t.Error("SIGTERM was ignored")
	}
}

// When a host dies its plugin ends by itself, with the embedded server, and leaves no socket.
func TestHostKilled(t *testing.T) {
	data, sockets := newFolder(t), newFolder(t)
	host := exec.Command(self(t), program(t), embeddedConfig(t, data))
	host.Env = append(append(os.Environ(), role("host")...), "TMPDIR="+sockets)
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr lockedBuilder
	host.Stderr = &stderr
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var plugin int
	if _, err := fmt.Fscan(bufio.NewReader(stdout), &plugin); err != nil {
		t.Fatalf("the host: %v: %s", err, stderr.text())
	}
	server := serverPID(t, data)
	if !processExists(plugin) || !processExists(server) {
		t.Fatalf("no plugin %d or no server %d", plugin, server)
	}
	if left, _ := filepath.Glob(sockets + "/plugin-dir*/plugin*"); len(left) != 1 {
		t.Errorf("sockets: %v", left)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // it was killed, which is what Wait reports
	eventually(t, "the end of the plugin", func() bool { return !processExists(plugin) })
	eventually(t, "the end of the server", func() bool { return !processExists(server) })
	left, err := os.ReadDir(sockets)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// serverPID is the process id of the embedded server in a data folder.
func serverPID(t *testing.T, folder string) (pid int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "cluster", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// Whatever ends the plugin, what it has acknowledged is there afterwards.
func TestAcknowledgedWritesSurvive(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, h *mortise.Host, folder string){
		"plugin killed": func(t *testing.T, h *mortise.Host, _ string) { mustKill(t, h.PID()) },
		"server and plugin killed": func(t *testing.T, h *mortise.Host, folder string) {
			plugin := h.PID()
			mustKill(t, serverPID(t, folder))
			mustKill(t, plugin)
		},
		"ended by go-plugin": func(_ *testing.T, h *mortise.Host, _ string) { h.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			folder := newFolder(t)
			config := embeddedConfig(t, folder)
			h := mustConnect(t, mortise.ConnectOptions{Config: config, Logger: new(record).logger()})
			w := startWriters(t, trackerv1.NewDataClient(h.Conn()))
			eventually(t, "some writes", func() bool { return w.acknowledged.Load() > 200 })
			end(t, h, folder)
			keys := w.stop()
			h.Close()

			again := mustConnect(t, mortise.ConnectOptions{Config: config})
			found, err := trackerv1.NewDataClient(again.Conn()).Contains(limited(t), &trackerv1.ContainsRequest{Context: "test", Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			for i, there := range found.GetFound() {
				if !there {
					t.Errorf("%s was acknowledged and is lost", keys[i])
				}
			}
			if len(found.GetFound()) != len(keys) {
				t.Errorf("%d answers for %d keys", len(found.GetFound()), len(keys))
			}
		})
	}
}

// writers store keys of their own until they are stopped.
type writers struct {
	acknowledged atomic.Int64
	cancel       context.CancelFunc
	work         sync.WaitGroup
	mu           sync.Mutex
	keys         [][]byte
}

func startWriters(t *testing.T, data trackerv1.DataClient) *writers {
	ctx, cancel := context.WithCancel(limited(t))
	w := &writers{cancel: cancel}
	t.Cleanup(func() { w.stop() })
	for i := range 8 {
		w.work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := fmt.Sprintf("%d-%d", i, n)
				if put(ctx, data, key, "value") != nil {
					return // the writer's plugin is gone
				}
				w.acknowledged.Add(1)
				w.mu.Lock()
				w.keys = append(w.keys, []byte(key))
				w.mu.Unlock()
			}
		})
	}
	return w
}

// stop returns the keys whose storing was acknowledged.
func (w *writers) stop() [][]byte {
	w.cancel()
	w.work.Wait()
	return w.keys
}
