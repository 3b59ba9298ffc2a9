package bench

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/benchmark/scratch"
	"github.com/mortise-storage/mortise/internal/testdb"
)

const root = "../../../../"

// TestMain makes this program the command as well, so that a process can be sent a signal.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		top := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
		top.AddCommand(New())
		os.Exit(command.Status(top.Execute(), os.Stderr))
	}
	testdb.Main(m)
}

// A result is how the command ended.
type result struct {
	status         int
	stdout, stderr string
}

// invoke runs the command as the program does.
func invoke(t *testing.T, dsn string, arguments ...string) result {
	t.Helper()
	t.Setenv("MORTISE_DATABASE", dsn)
	t.Setenv("MORTISE_CONFIG", "")
	cmd := New()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var stdout, stderr bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(arguments)
	cmd.SetContext(t.Context())
	status := command.Status(cmd.Execute(), &stderr)
	return result{status, stdout.String(), stderr.String()}
}

func (r result) expect(t *testing.T, status int, parts ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d; expected %d", r.status, status)
	}
	for _, part := range parts {
		if !strings.Contains(r.stdout+r.stderr, part) {
			t.Errorf("%q is missing", part)
		}
	}
	if t.Failed() {
		t.Logf("printed\n%s%s", r.stdout, r.stderr)
	}
}

// short makes a run as short as can be.
func short(more ...string) []string {
	return append([]string{"--size", "100", "--duration", "16ms", "--warmup", "1ms", "--rounds", "8", "--checks", "3", "--callers", "2"}, more...)
}

// query writes a variant of MoChi's query set; replacements come in pairs.
func query(t *testing.T, replacements ...string) string {
	t.Helper()
	text, err := os.ReadFile(mochi)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(replacements...).Replace(string(text))
	if changed == string(text) {
		t.Fatalf("nothing of %q is there", replacements)
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	mochi       = root + "schemas/mochi/queries.yaml"
	mochiSchema = root + "schemas/mochi/schema.sql"
)

// scratches counts what is left of scratches on the tests' server.
func scratches(t *testing.T, dsn string) int {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	var n int
	if err := conn.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM pg_database WHERE starts_with(datname, $1)) +
		(SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, $1))`, scratch.Prefix).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func nothingLeft(t *testing.T, dsn string) {
	t.Helper()
	if n := scratches(t, dsn); n != 0 {
		t.Errorf("%d scratches are left", n)
	}
}
