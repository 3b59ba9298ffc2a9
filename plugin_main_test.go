package mortise_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/database/embedded"
	"github.com/mortise-storage/mortise/storage/fault"
)

// patience bounds every wait of these tests; it is no expectation of how long things take.
const patience = time.Minute

// roleVariable makes the test binary another program: one that stands on the other side of a
// process border, and does what no real one does on purpose.
const roleVariable = "MORTISE_TEST_ROLE"

func role(name string) []string { return []string{roleVariable + "=" + name} }

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "plugin": // serve --config FILE, with a service that panics and prints
		err := mortise.Serve(context.Background(), mortise.ServeOptions{ConfigFile: os.Args[3], Version: "test", Register: registerFaults})
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	case "host": // PROGRAM FILE
		runHost(os.Args[1], os.Args[2])
	case "impostor": // speaks a protocol that does not exist yet
		fmt.Println("1|7|unix|/nowhere|grpc|")
		untilKilled()
	case "mute": // never shakes hands
		fmt.Fprintf(os.Stderr, `{"@level":"info","@message":"mute","number":"%d"}`+"\n", os.Getpid())
		untilKilled()
	}
	goleak.VerifyTestMain(&world{m})
}

// world starts what tests share when it is first asked for, and ends it before leaks are looked for.
type world struct{ m *testing.M }

func (w *world) Run() int {
	code := w.m.Run()
	for _, end := range ends {
		end()
	}
	return code
}

var ends []func()

var sharedFolder = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("/tmp", "mortise-test-")
	if err != nil {
		panic(err)
	}
	ends = append(ends, func() { _ = os.RemoveAll(dir) }) // a rest in /tmp fails no test
	if err := os.Chmod(dir, 0o755); err != nil {
		panic(err)
	}
	return dir
})

// builtProgram is the program as it is shipped.
var builtProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(sharedFolder(), "mortise")
	out, err := exec.Command("go", "build", "-o", path, "./cmd/mortise").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, err
})

func program(t *testing.T) string {
	t.Helper()
	path, err := builtProgram()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// self is the test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var sharedServer = sync.OnceValues(func() (*embedded.Server, error) {
	folder := filepath.Join(sharedFolder(), "server")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := embedded.Start(ctx, embedded.Options{DataDir: folder, Settings: unsynced()})
	if err == nil {
		ends = append([]func(){func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = s.Stop(ctx)
		}}, ends...)
	}
	return s, err
})

// unsynced spares the disk where no machine crashes; a crash of the server alone loses nothing by it.
func unsynced() map[string]string { return map[string]string{"fsync": "off"} }

var databases atomic.Int64

// newDatabase makes a database with the default schema on the shared server, and returns its DSN.
func newDatabase(t *testing.T) string {
	t.Helper()
	dsn := emptyDatabase(t)
	mustExec(t, dsn, mortise.Schema)
	return dsn
}

func emptyDatabase(t *testing.T) string {
	t.Helper()
	server, err := sharedServer()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test%d", databases.Add(1))
	mustExec(t, server.AdminConnString(), "CREATE DATABASE "+name+" OWNER mortise")
	return strings.Replace(server.ConnString(), "dbname=mortise", "dbname="+name, 1)
}

// ownServer starts a server for one test that has plans with it, with the default schema.
func ownServer(t *testing.T) (*embedded.Server, string) {
	t.Helper()
	folder := newFolder(t)
	server := startServer(t, folder)
	mustExec(t, server.ConnString(), mortise.Schema)
	return server, folder
}

func startServer(t *testing.T, folder string) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(limited(t), embedded.Options{DataDir: folder, Settings: unsynced()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustStop(t, server) })
	return server
}

func mustStop(t *testing.T, server *embedded.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// newFolder returns a folder with a short path that every user can reach, unlike t.TempDir: an
// embedded server does not run as root.
func newFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "mortise-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

const exampleConnection = "connection_string: ${MORTISE_DATABASE:-embedded}\n"

// exampleConfig writes the default queries for a database. Pairs of old and new text change them.
func exampleConfig(t *testing.T, dsn string, changes ...string) string {
	t.Helper()
	text := mortise.ExampleQueries
	changes = append([]string{exampleConnection, "connection_string: \"" + dsn + "\"\n"}, changes...)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("the example has no %q", changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return writeConfig(t, text)
}

// embeddedConfig is exampleConfig on a server of the plugin's own, in folder.
func embeddedConfig(t *testing.T, folder string) string {
	t.Helper()
	return exampleConfig(t, "embedded\"\ndata_dir: \""+folder)
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustConnect starts a plugin, the real program unless another is named, that ends with the test.
func mustConnect(t *testing.T, o mortise.ConnectOptions) *mortise.Host {
	t.Helper()
	if o.Program == "" {
		o.Program = program(t)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	h, err := mortise.Connect(limited(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func mustPut(t *testing.T, data trackerv1.DataClient, key, value string) {
	t.Helper()
	if err := put(limited(t), data, key, value); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func put(ctx context.Context, data trackerv1.DataClient, key, value string) error {
	_, err := data.Put(ctx, &trackerv1.PutRequest{Context: "test", Entries: []*trackerv1.Entry{{Key: []byte(key), Value: []byte(value)}}})
	return err
}

func mustExec(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(limited(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(limited(t), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// count returns the number that a query gives.
func count(t *testing.T, dsn, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(limited(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(limited(t), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func mustGet(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(limited(t), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, response.Status, err)
	}
	return string(body)
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx := limited(t)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain waited for: %s", what)
		case <-ticker.C:
		}
	}
}

func expectFault(t *testing.T, err error, code codes.Code, reason fault.Reason) {
	t.Helper()
	if status.Code(err) != code || fault.ReasonOf(err) != reason {
		t.Errorf("error %v with code %v and reason %q, want %v and %q", err, status.Code(err), fault.ReasonOf(err), code, reason)
	}
}

func expectParts(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not say %q:\n%s", what, part, text)
		}
	}
}

// processExists says whether a process runs; one that has ended and was not reaped does not.
func processExists(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", fmt.Sprint(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func mustKill(t *testing.T, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("no process: %d", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// A record keeps log entries.
type record struct {
	mu      sync.Mutex
	entries []slog.Record
	lines   strings.Builder
}

func (r *record) logger() *slog.Logger { return slog.New(recordHandler{r}) }

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.String()
}

// attribute returns an attribute of the first entry with a message; "" if there is none.
func (r *record) attribute(message, key string) (value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, entry := range r.entries {
		if entry.Message == message {
			entry.Attrs(func(a slog.Attr) bool {
				if a.Key == key {
					value = a.Value.String()
				}
				return value == ""
			})
			return value
		}
	}
	return ""
}

type recordHandler struct{ *record }

func (recordHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h recordHandler) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h recordHandler) WithGroup(string) slog.Handler          { return h }
func (h recordHandler) Handle(_ context.Context, entry slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries = append(h.entries, entry)
	fmt.Fprintf(&h.lines, "%s %s", entry.Level, entry.Message)
	entry.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&h.lines, " %s", a)
		return true
	})
	h.lines.WriteByte('\n')
	return nil
}

// registerFaults adds a service that misbehaves, and prints where only the handshake may be printed.
func registerFaults(registrar grpc.ServiceRegistrar) {
	fmt.Println("a stray line, before the handshake")
	registrar.RegisterService(&grpc.ServiceDesc{ServiceName: "mortise.test.Faults", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		fallible("Panic", func() { panic(thrownText) }),
		fallible("Print", func() { fmt.Println("a stray line, after the handshake") }),
	}}, nil)
}

func fallible(name string, do func()) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		request := new(emptypb.Empty)
		if err := dec(request); err != nil {
			return nil, err
		}
		info := &grpc.UnaryServerInfo{FullMethod: "/mortise.test.Faults/" + name}
		return interceptor(ctx, request, info, func(context.Context, any) (any, error) {
			do()
			return new(emptypb.Empty), nil
		})
	}}
}

// runHost is a host that does nothing but have a plugin, until it is killed.
func runHost(program, config string) {
	h, err := mortise.Connect(context.Background(), mortise.ConnectOptions{Program: program, Config: config})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(h.PID())
	untilKilled()
}

func untilKilled() {
	for {
		_ = syscall.Pause()
	}
}

// A lockedBuilder is a strings.Builder for writers of other goroutines.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
