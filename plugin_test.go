package mortise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	mortise "github.com/mortise-storage/mortise"
	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

func TestPluginServesItsHost(t *testing.T) {
	h := mustConnect(t, mortise.ConnectOptions{Config: exampleConfig(t, newDatabase(t))})
	info, err := h.Info(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	if info.GetVersion() == "" || info.GetProtocol() != mortise.ProtocolVersion || !slices.Equal(info.GetDomains(), []string{"tracker", "media"}) ||
		!strings.HasPrefix(info.GetServer(), "PostgreSQL ") || info.GetStatementMode() != "prepared" {
		t.Errorf("Info: %v", info)
	}
	data := trackerv1.NewDataClient(h.Conn())
	mustPut(t, data, "key", "value")
	loaded, err := data.Load(limited(t), &trackerv1.LoadRequest{Context: "test", Key: []byte("key")})
	if err != nil || string(loaded.GetValue()) != "value" {
		t.Errorf("Load: %q, %v", loaded.GetValue(), err)
	}
	pid := h.PID()
	if !processExists(pid) {
		t.Errorf("there is no process %d", pid)
	}
	h.Close()
	h.Close() // may be called again
	if processExists(pid) {
		t.Errorf("process %d is still there after Close", pid)
	}
	_, err = h.Info(limited(t))
	expectFault(t, err, codes.Canceled, fault.Closed)
}

// Errors must be the same over the process border as without one: code, reason, operation, SQLSTATE
// and text.
func TestErrorsKeepTheirIdentity(t *testing.T) {
	path := exampleConfig(t, newDatabase(t), "AND name = @key\n", "AND name = @key AND 1 / length(@context) = 1\n")
	h := mustConnect(t, mortise.ConnectOptions{Config: path})
	config, problems := mortise.Load(path)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	s, err := storage.Open(limited(t), config.Storage, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Settled(limited(t)); err != nil {
		t.Fatal(err)
	}
	hash := []byte(strings.Repeat("h", 20))
	peer := &trackerv1.Peer{PeerId: []byte(strings.Repeat("p", 20)), Address: []byte{192, 0, 2, 1}, Port: 6881}
	for name, c := range map[string]struct {
		call func(swarms trackerv1.SwarmsClient, data trackerv1.DataClient) error
		want fault.Error
	}{
		"no row": {
			func(s trackerv1.SwarmsClient, _ trackerv1.DataClient) error {
				_, err := s.DeletePeer(limited(t), &trackerv1.DeletePeerRequest{InfoHash: hash, Peer: peer})
				return err
			}, fault.Error{Reason: fault.DoesNotExist, Operation: "tracker.peer.del_query"}},
		"bad argument": {
			func(s trackerv1.SwarmsClient, _ trackerv1.DataClient) error {
				_, err := s.PutPeer(limited(t), &trackerv1.PutPeerRequest{InfoHash: hash[:7], Peer: peer})
				return err
			}, fault.Error{Reason: fault.InvalidArgument, Operation: "tracker.peer.add_query"}},
		"refused by the database": {
			func(_ trackerv1.SwarmsClient, d trackerv1.DataClient) error {
				_, err := d.Load(limited(t), &trackerv1.LoadRequest{Context: "", Key: []byte("k")})
				return err
			}, fault.Error{Reason: fault.Rejected, Operation: "tracker.data.get_query", SQLState: "22012"}},
	} {
		t.Run(name, func(t *testing.T) {
			over := c.call(trackerv1.NewSwarmsClient(h.Conn()), trackerv1.NewDataClient(h.Conn()))
			within := c.call(trackerv1.NewSwarmsClient(s.Conn()), trackerv1.NewDataClient(s.Conn()))
			got := fault.Error{Reason: fault.ReasonOf(over), Operation: fault.OperationOf(over), SQLState: fault.SQLStateOf(over)}
			if got != c.want {
				t.Errorf("over the plugin: %+v, want %+v (%v)", got, c.want, over)
			}
			if a, b := status.Convert(over).Proto(), status.Convert(within).Proto(); a.String() != b.String() {
				t.Errorf("over the plugin %v, within the process %v", a, b)
			}
		})
	}
}

// thrownText is what the test's service panics with; it may hold a request's values.
const thrownText = "secret argument value"

// A panic ends its own call, in whichever service, and nothing else.
func TestPanicEndsOnlyItsCall(t *testing.T) {
	log := new(record)
	h := mustConnect(t, mortise.ConnectOptions{Program: self(t), Env: role("plugin"), Logger: log.logger(), Config: exampleConfig(t, newDatabase(t))})
	pid := h.PID()
	err := h.Conn().Invoke(limited(t), "/mortise.test.Faults/Panic", &emptypb.Empty{}, &emptypb.Empty{})
	expectFault(t, err, codes.Internal, fault.Internal)
	if strings.Contains(err.Error(), thrownText) {
		t.Errorf("the error has the text of the panic: %v", err)
	}
	mustPut(t, trackerv1.NewDataClient(h.Conn()), "after", "the panic")
	if h.PID() != pid {
		t.Error("the panic ended the process")
	}
	eventually(t, "the panic in the host's log", func() bool { return strings.Contains(log.text(), "a call panicked") })
	if strings.Contains(log.text(), thrownText) {
		t.Error("the log has the text of the panic")
	}
}

// SIGINT goes to the whole group of a terminal, so the plugin leaves it to its host.
func TestInterruptIsTheHostsAffair(t *testing.T) {
	h := mustConnect(t, mortise.ConnectOptions{Config: exampleConfig(t, newDatabase(t))})
	pid := h.PID()
	for range 3 {
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		mustPut(t, trackerv1.NewDataClient(h.Conn()), "after", "SIGINT")
	}
	if h.PID() != pid {
		t.Error("SIGINT ended the plugin")
	}
}

func TestDatabaseAbsentAtStart(t *testing.T) {
	server, folder := ownServer(t)
	dsn := server.ConnString()
	mustStop(t, server)
	h := mustConnect(t, mortise.ConnectOptions{Config: exampleConfig(t, dsn)})
	plugin, data := pluginv1.NewPluginClient(h.Conn()), trackerv1.NewDataClient(h.Conn())
	health, err := plugin.Health(limited(t), &pluginv1.HealthRequest{})
	if err != nil || health.GetState() != pluginv1.HealthResponse_DEGRADED || health.GetReason() == "" {
		t.Errorf("Health without the database: %v, %v", health, err)
	}
	_, err = data.Put(limited(t), &trackerv1.PutRequest{Context: "test", Entries: []*trackerv1.Entry{{Key: []byte("k")}}})
	expectFault(t, err, codes.Unavailable, fault.Unavailable)

	pid := h.PID()
	startServer(t, folder)
	eventually(t, "SERVING", func() bool {
		health, err := plugin.Health(limited(t), &pluginv1.HealthRequest{})
		return err == nil && health.GetState() == pluginv1.HealthResponse_SERVING
	})
	mustPut(t, data, "k", "v")
	if h.PID() != pid {
		t.Error("the plugin was restarted for it")
	}
}

func TestMetricsOverRPCAndHTTP(t *testing.T) {
	log := new(record)
	path := exampleConfig(t, newDatabase(t))
	prepend(t, path, "metrics: {listen: \"127.0.0.1:0\"}\n")
	h := mustConnect(t, mortise.ConnectOptions{Config: path, Logger: log.logger()})
	mustPut(t, trackerv1.NewDataClient(h.Conn()), "k", "v")
	answer, err := pluginv1.NewPluginClient(h.Conn()).Metrics(limited(t), &pluginv1.MetricsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var address string
	eventually(t, "the listener's address in the log", func() bool {
		address = log.attribute("metrics are served", "address")
		return address != ""
	})
	scraped := mustGet(t, "http://"+address+"/metrics")
	for where, text := range map[string]string{"RPC": string(answer.GetText()), "HTTP": scraped} {
		if !strings.Contains(text, "mortise_") || !strings.Contains(text, `"data.add"`) || !strings.Contains(text, "\nprocess_") {
			t.Errorf("%s: the metrics lack something:\n%s", where, text)
		}
	}
	if got := mustGet(t, "http://"+address+"/health"); got != "serving\n" {
		t.Errorf("/health: %q", got)
	}
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(limited(t))
	log := new(record)
	failed := make(chan error)
	go func() {
		h, err := mortise.Connect(ctx, mortise.ConnectOptions{Program: self(t), Env: role("mute"), Logger: log.logger()})
		if err == nil {
			h.Close()
		}
		failed <- err
	}()
	var pid int
	eventually(t, "the process", func() bool {
		_, _ = fmt.Sscan(log.attribute("mute", "number"), &pid)
		return pid != 0
	})
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("Connect: %v", err)
	}
	if processExists(pid) {
		t.Errorf("process %d was left behind", pid)
	}
}

func prepend(t *testing.T, path, text string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte(text), old...), 0o600); err != nil {
		t.Fatal(err)
	}
}
