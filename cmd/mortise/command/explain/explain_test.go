package explain

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestPlain(t *testing.T) {
	dsn := testdb.Database(t, tables+rowsOfPeers)
	file := queries(t, dsn, section)
	before := count(t, dsn)
	r := invoke(t, "--config", file, "--runs", "2")
	if r.Status != command.Fine || r.Stderr != "" {
		t.Fatalf("status %d, %s%s", r.Status, r.Stderr, r.Stdout)
	}
	hold(t, "the report", r.Stdout,
		"tracker.announce.query  hot  "+file+":6:7",
		"generic plan, without the arguments",
		"Conflict: UPDATE by peers_pkey",
		"Index Cond: (",
		"info_hash = ?::bytea",
		"table downloads is empty, so the values for it are made up",
		"from peers (of a row with the most common info_hash)",
		"is_v6 derived from @address",
		"medians of 2 and 2",
		"operation ", "indexes ",
		"[index-unused]", "no query of this file uses the index peers_port of public.peers",
		"(explained by PostgreSQL ",
	)
	lack(t, "the report", r.Stdout, `\x`, "00ff", "10.0.", "\x1b[")
	line := regexp.MustCompile(`tracker\.peer\.del_query +warm +delete, index +peers_pkey +[0-9.]+ +[0-9.]+ +0`)
	if !line.MatchString(r.Stdout) {
		t.Errorf("the table says something else of del_query:\n%s", r.Stdout)
	}
	if after := count(t, dsn); after != before {
		t.Errorf("the tables hold %s, and %s before", after, before)
	}
}

func count(t *testing.T, dsn string) string {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(t.Context()) }()
	var digest string
	if err := conn.QueryRow(t.Context(), "SELECT count(*) || md5(string_agg(p::text, ',' ORDER BY p::text)) || (SELECT count(*) FROM downloads) FROM peers AS p").Scan(&digest); err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestOneOperationWithValues(t *testing.T) {
	file := queries(t, testdb.Database(t, tables+rowsOfPeers), section)
	ff := strings.Repeat("0", 38) + "ff"
	r := invoke(t, "announce", "-c", file, "--values", "-p", "info_hash="+ff, "--param", "@count=7", "--runs", "1")
	if r.Status != command.Fine {
		t.Fatalf("status %d, %s%s", r.Status, r.Stderr, r.Stdout)
	}
	hold(t, "the report", r.Stdout, "@info_hash = "+ff, "@count = 7  given", `'\x`+ff+`'::bytea`)
	lack(t, "the report", r.Stdout, "tracker.peer", "index-unused")
}

func TestNoRun(t *testing.T) {
	file := queries(t, testdb.Database(t, tables+rowsOfPeers), section)
	r := invoke(t, "peer", "-c", file, "--no-run")
	if r.Status != command.Fine {
		t.Fatalf("status %d, %s", r.Status, r.Stderr)
	}
	hold(t, "the report", r.Stdout, "cost ", "tracker.peer.add_query", "tracker.peer.by_info_hash_clause")
	lack(t, "the report", r.Stdout, "run in", "pages ", "medians")
}

func TestJSON(t *testing.T) {
	file := queries(t, testdb.Database(t, tables+rowsOfPeers), section)
	for _, values := range []bool{false, true} {
		arguments := []string{"peer.del", "announce", "-c", file, "--json", "--runs", "3"}
		if values {
			arguments = append(arguments, "--values")
		}
		r := invoke(t, arguments...)
		var got struct {
			Server     string
			Warnings   int
			Operations []struct {
				Operation, Heat, File, SQL string
				Line                       int
				Generic                    struct {
					Root map[string]any
				}
				Cases []struct {
					Sample    string
					SamePlan  bool `json:"same_plan"`
					Arguments []struct {
						Name, Origin string
						Value        any
					}
					Custom struct {
						Analyzed    bool
						ExecutionMS float64 `json:"execution_ms"`
						Runs        []float64
						Root        map[string]any
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil || r.Status != command.Fine || r.Stderr != "" {
			t.Fatalf("%v, status %d, %s%s", err, r.Status, r.Stderr, r.Stdout)
		}
		if len(got.Operations) != 2 || !strings.HasPrefix(got.Server, "PostgreSQL ") {
			t.Fatalf("got %+v", got)
		}
		del := got.Operations[0]
		if del.Operation != "tracker.peer.del_query" || del.Line != 14 || !strings.Contains(del.SQL, "mortise_write") || del.Generic.Root["Node Type"] == "" {
			t.Errorf("got %+v", del)
		}
		c := del.Cases[0]
		if c.Sample != "common" || !c.SamePlan || !c.Custom.Analyzed || len(c.Custom.Runs) != 3 || c.Custom.ExecutionMS <= 0 || c.Arguments[0].Origin == "" {
			t.Errorf("got %+v", c)
		}
		if (c.Arguments[0].Value != nil) != values || strings.Contains(r.Stdout, "000000ff") != values {
			t.Errorf("values shown: %v, asked for: %v", c.Arguments[0].Value, values)
		}
	}
}

func TestUsage(t *testing.T) {
	file := queries(t, testdb.Database(t, tables), section)
	for _, c := range []struct {
		name      string
		arguments []string
		status    int
		stderr    string
	}{
		{"no file", nil, command.Usage, "--config"},
		{"an unknown operation", []string{"anounce", "-c", file}, command.Usage, "did you mean"},
		{"no query for it", []string{"tracker.data.get_query", "-c", file}, command.Problems, "no query is configured"},
		{"an unknown parameter", []string{"announce", "-c", file, "-p", "info_hsah=00"}, command.Usage, "did you mean info_hash?"},
		{"no value", []string{"announce", "-c", file, "-p", "count"}, command.Usage, "name=value"},
		{"not of the kind", []string{"announce", "-c", file, "-p", "count=many"}, command.Usage, "--param count"},
		{"against the contract", []string{"announce", "-c", file, "-p", "info_hash=aabb"}, command.Usage, "must have 20 or 32 bytes"},
		{"no run at all", []string{"-c", file, "--runs", "0"}, command.Usage, "--runs"},
		{"an unknown flag", []string{"--colour"}, command.Usage, "unknown flag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("MORTISE_CONFIG", "")
			r := invoke(t, c.arguments...)
			if r.Status != c.status || !strings.Contains(r.Stderr, c.stderr) || r.Stdout != "" {
				t.Errorf("status %d, %q, %q", r.Status, r.Stderr, r.Stdout)
			}
			lack(t, "the error", r.Stderr, "aabb", "many")
		})
	}
}

func TestWrongDatabaseAndRights(t *testing.T) {
	dsn := testdb.Database(t, tables+"DROP ROLE IF EXISTS mortise_explain_guest; CREATE ROLE mortise_explain_guest LOGIN;")
	defer testdb.Exec(t, dsn, "DROP ROLE mortise_explain_guest")
	r := invoke(t, "announce", "-c", queries(t, dsn+" user=mortise_explain_guest", section))
	if r.Status != command.Problems {
		t.Errorf("status %d, %s%s", r.Status, r.Stderr, r.Stdout)
	}
	hold(t, "the report", r.Stdout, "[plan-refused]", "permission denied for table peers (SQLSTATE 42501)", "GRANT", "no plan: the server refuses the query")
	r = invoke(t, "-c", queries(t, "host=/nowhere/at/all user=u password=hush dbname=d", section))
	if r.Status != command.Problems || !strings.Contains(r.Stderr, "check that the server runs") || strings.Contains(r.Stderr, "hush") {
		t.Errorf("status %d, %s", r.Status, r.Stderr)
	}
	r = invoke(t, "-c", queries(t, testdb.Database(t), section), "--json")
	if r.Status != command.Problems || !strings.Contains(r.Stdout, "does-not-prepare") {
		t.Errorf("status %d without tables, %s%s", r.Status, r.Stderr, r.Stdout)
	}
}

func TestBrokenFile(t *testing.T) {
	dsn := testdb.Database(t, tables)
	file := queries(t, dsn, strings.Replace(section, "@count", "@cuont", 1))
	r := invoke(t, "announce", "-c", file)
	if r.Status != command.Problems || !strings.Contains(r.Stdout, "@cuont") {
		t.Errorf("status %d, %s%s", r.Status, r.Stderr, r.Stdout)
	}
	if r = invoke(t, "peer.add", "-c", file); r.Status != command.Fine {
		t.Errorf("a query that is right is not explained: %d, %s%s", r.Status, r.Stderr, r.Stdout)
	}
}
