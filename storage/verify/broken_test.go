package verify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/verify"
)

// changed is a query set's file with a text replaced, on a database of its own.
func (s querySet) changed(t *testing.T, from, to string) storage.Config {
	t.Helper()
	text, err := os.ReadFile(s.queries)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), from) != 1 {
		t.Fatalf("%q is %d times in %s", from, strings.Count(string(text), from), s.queries)
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.Load(file)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	config.Storage.Connection = testdb.Database(t, s.script(t))
	return config.Storage
}

// textAt returns the operator's line from a place on.
func textAt(t *testing.T, at problem.Position) string {
	t.Helper()
	text, err := os.ReadFile(at.File)
	if err != nil {
		t.Fatal(err)
	}
	return string([]rune(strings.Split(string(text), "\n")[at.Line-1])[at.Column-1:])
}

// trace writes the calls of a proof on one line each.
func trace(f *verify.Finding) string {
	var b strings.Builder
	for _, c := range f.Calls {
		affected := "?"
		if c.Affected != nil {
			affected = fmt.Sprint(*c.Affected)
		}
		fmt.Fprintf(&b, "\n%s %v affected %s rows %v %s", c.Operation, c.Arguments, affected, c.Rows, c.Error)
	}
	return b.String()
}

func argument(c verify.Call, name string) string {
	for _, a := range c.Arguments {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// A predicate is missing: the sentence, the rows that prove it and the line are told.
func TestBrokenQueryIsFound(t *testing.T) {
	config := querySetNamed(t, "mochi").changed(t, "AND port = @port AND is_seeder = @is_seeder", "AND port = @port")
	report, err := verify.Run(t.Context(), config, verify.Options{Only: regexp.MustCompile(`peer\.del`)})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(report.Domains[0].Failures, func(f *verify.Finding) bool { return f.Case == "peer.del keeps the other role" })
	if !report.Failed() || at < 0 {
		t.Fatalf("it is not found: %+v", report.Total())
	}
	f := report.Domains[0].Failures[at]
	if f.Severity != problem.Error || f.Says != "a peer is removed if it has the given role; in the other role it stays" || len(f.Failures) == 0 {
		t.Errorf("the finding is %+v", f)
	}
	if len(f.Places) != 1 || f.Places[0].Operation != "tracker.peer.del_query" || textAt(t, f.Places[0].Position) != "DELETE FROM mo_peers" {
		t.Errorf("the places are %+v", f.Places)
	}
	// A leecher was added, deleted as seeder, and then nobody was counted.
	var added, deleted, counted *verify.Call
	for i, c := range f.Calls {
		switch {
		case c.Operation == "tracker.peer.add_query" && argument(c, "is_seeder") == "false":
			added = &f.Calls[i]
		case c.Operation == "tracker.peer.del_query" && argument(c, "is_seeder") == "true" && *c.Affected == 1 && c.About:
			deleted = &f.Calls[i]
		case c.Operation == "tracker.peer.by_info_hash_clause":
			counted = &f.Calls[i]
		}
	}
	switch {
	case added == nil || deleted == nil || counted == nil:
		t.Errorf("the proof is %s", trace(f))
	case argument(*added, "peer_id") != argument(*deleted, "peer_id") || argument(*added, "info_hash") != argument(*counted, "info_hash"):
		t.Errorf("the proof is about different peers: %s", trace(f))
	case !slices.Equal(counted.Columns, []string{"seeders", "leechers"}) || !slices.EqualFunc(counted.Rows, [][]string{{"0", "0"}}, slices.Equal[[]string]):
		t.Errorf("counted are %v %v", counted.Columns, counted.Rows)
	}
}

// A query that nothing runs because another stands in for it is verified, too.
func TestBrokenQueryBehindAShortcutIsFound(t *testing.T) {
	set := querySetNamed(t, "default")
	text, err := os.ReadFile(set.queries)
	if err != nil {
		t.Fatal(err)
	}
	clause := regexp.MustCompile(`(?m)^        by_info_hash_clause: \|\n +(.*)$`).FindStringSubmatch(string(text))
	if clause == nil {
		t.Fatal("the clause is not found")
	}
	config := set.changed(t, clause[0], strings.Replace(clause[0], clause[1], "AND @info_hash::bytea IS NOT NULL", 1))
	report, err := verify.Run(t.Context(), config, verify.Options{Only: regexp.MustCompile("ScrapeSwarms counts one hash|ScrapeSwarms answers in order")})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Domains[0].Failures {
		if f.Without == "tracker.peer.scrape_query" {
			return
		}
	}
	t.Errorf("no failure without scrape_query: %+v", report.Total())
}

func TestRefusals(t *testing.T) {
	set := querySetNamed(t, "mochi")
	config := set.config(t)
	owned := config.Connection
	testdb.Exec(t, owned, `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'verify_reader') THEN CREATE ROLE verify_reader LOGIN; END IF; END $$;
		GRANT SELECT ON mo_peers TO verify_reader; GRANT ALL ON mo_downloads, mo_kv TO verify_reader`)
	for name, c := range map[string]struct {
		connection string
		problem    bool
		want       string
	}{
		"an empty database": {connection: testdb.Database(t), problem: true, want: `relation "mo_peers" does not exist`},
		"no such database":  {connection: owned + " dbname=nowhere", want: `database "nowhere" does not exist`},
		"nobody listens":    {connection: "host=/nowhere user=x", want: "no connection to host=/nowhere"},
		"a standby":         {connection: owned + " default_transaction_read_only=on", want: "read-only"},
		"no rights":         {connection: owned + " user=verify_reader", problem: true, want: "permission denied for table mo_peers"},
		"no string":         {connection: "postgres://[", want: "connection_string"},
	} {
		t.Run(name, func(t *testing.T) {
			config.Connection = c.connection
			_, err := verify.Run(t.Context(), config, verify.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v; it should tell %q", err, c.want)
			}
			problems := problem.From(err)
			if (problems != nil) != c.problem {
				t.Errorf("the error is %T", err)
			}
			for _, p := range problems {
				if p.Line == 0 || p.Key == "" {
					t.Errorf("%+v has no place", p)
				}
			}
		})
	}
}

func TestOnlyThatMatchesNothing(t *testing.T) {
	_, err := verify.Run(t.Context(), querySetNamed(t, "mochi").config(t), verify.Options{Only: regexp.MustCompile("no such case")})
	if err == nil || !strings.Contains(err.Error(), "no such case") {
		t.Errorf("error %v", err)
	}
}

// A run that is ended early tells what it found until then, and proves that nothing is left.
func TestInterruption(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	report, err := verify.Run(ctx, querySetNamed(t, "mochi").config(t), verify.Options{Progress: func(s verify.Step) {
		if s.Done == s.Total/2 {
			cancel(errors.New("enough"))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if sum := report.Total(); sum.Passed == 0 || sum.NotRun == 0 || sum.Failed != 0 || report.Interrupted != "enough" || !report.Failed() {
		t.Errorf("%+v, interrupted %q", sum, report.Interrupted)
	}
	if len(report.Transactions) != 1 || report.Transactions[0].Status != "aborted" {
		t.Errorf("transactions %+v", report.Transactions)
	}
}

// A row that another session keeps is not waited for longer than a moment; the case is not judged.
func TestRowsThatOthersKeep(t *testing.T) {
	config := querySetNamed(t, "mochi").config(t)
	openSite(t, config, 1, 6)
	conn := testdb.Conn(t, config.Connection)
	defer func() { _ = conn.Close(context.Background()) }()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM mo_peers FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	const name = "gc deletes stale peers of both roles and families"
	report, err := verify.Run(t.Context(), config, verify.Options{Only: regexp.MustCompile(name)})
	if err != nil {
		t.Fatal(err)
	}
	if sum := report.Total(); sum.NotRun == 0 || sum.Failed != 0 || !report.Failed() {
		t.Errorf("%+v", sum)
	}
	if !slices.ContainsFunc(report.Notes, func(p problem.Problem) bool {
		return strings.Contains(p.Message, name) && strings.Contains(p.Message, "55P03")
	}) {
		t.Errorf("notes %v", report.Notes)
	}
}
