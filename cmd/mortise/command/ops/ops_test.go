package ops_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command/commandtest"
	"github.com/mortise-storage/mortise/cmd/mortise/command/ops"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/operation"
)

func contract(t testing.TB) *operation.Contract {
	t.Helper()
	built, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// The table and JSON have every operation of the contract once, those of a group side by side.
func TestAll(t *testing.T) {
	t.Setenv("MORTISE_CONFIG", "")
	table, d := must(t), decode(t, must(t, "--json"))
	var want, got, shown, groups []string
	for _, op := range contract(t).Operations() {
		want = append(want, op.Key)
	}
	for _, entry := range d.Operations {
		got = append(got, entry.Key)
		if group := entry.Key[:strings.LastIndexByte(entry.Key, '.')]; len(groups) == 0 || groups[len(groups)-1] != group {
			groups = append(groups, group)
		}
		if entry.Description == "" || entry.Method == "" || entry.State != "" {
			t.Errorf("%s: %+v", entry.Key, entry)
		}
	}
	for _, line := range strings.Split(table, "\n") {
		if word, _, _ := strings.Cut(line, " "); slices.Contains(want, word) {
			shown = append(shown, word)
		}
	}
	if !slices.Equal(got, shown) {
		t.Errorf("the table has %v, JSON %v", shown, got)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("listed are %v; the contract has %v", got, want)
	}
	if sorted := slices.Sorted(slices.Values(groups)); len(slices.Compact(sorted)) != len(groups) {
		t.Errorf("the groups come as %v", groups)
	}
	for _, text := range []string{
		"tracker  needs the groups announce and peer, or data\n", "key ", "method ", "result ", "parameters ", "need ", "heat",
		"tracker.peer.add_query            Swarms.PutPeer              affected  info_hash peer_id address port is_seeder +8  required     hot\n",
		"(Operations.GC)", "has default", "required*",
	} {
		if !strings.Contains(table, text) {
			t.Errorf("no %q in\n%s", text, table)
		}
	}
	if strings.Contains(table, "\x1b") {
		t.Error("a pipe is coloured")
	}
}

func TestChoice(t *testing.T) {
	for word, want := range map[string]int{"tracker": 17, "tracker.data": 3, "data": 3, "downloads": 2, "tracker.peer.add_query": 1, "tracker.peer.add": 1, "gc": 1} {
		if got := len(decode(t, must(t, word, "--json")).Operations); got != want {
			t.Errorf("%s means %d operations; expected %d", word, got, want)
		}
	}
	says(t, 2, []string{`no operation "tracker.peer.addquery"; did you mean tracker.peer.add_query?`}, "tracker.peer.addquery")
	says(t, 2, []string{`did you mean tracker?`}, "traker")
	says(t, 2, []string{"all are listed by: mortise ops"}, "zzzzzzzzzzzzzzzz")
	says(t, 2, nil, "tracker", "peer")
}

// A card says what the annotations of the .proto say.
func TestCard(t *testing.T) {
	for key, texts := range map[string][]string{
		"tracker.peer.del_query": {
			"DeletePeer removes a peer if it has the given role; a peer in the other role stays.",
			"$1   @info_hash   bytes  says which rows are meant; 20 or 32 bytes\n", "$5   @is_seeder   bool   says which rows are meant\n",
			"$6   @created     time?  the service's clock, unless the host says otherwise", "$7   @is_v6       bool   whether @address is IPv6\n",
			"result    the number of rows changed", "empty     no row, or no row changed, is answered NOT_FOUND\n", "bound     at most 1 row;",
			"called    by hosts, as mortise.tracker.v1.Swarms/DeletePeer\n", "heat      often\n", "need      required if its group is used\n",
			"tracker.peer.del_query            the query\n", "tracker.peer.del_timeout ", "tracker.peer.del_max_rows ", "tracker.peer.del_affected_column ",
			"mortise run tracker.peer.del_query \\\n", "--param port=10 \\\n",
		},
		"tracker.peer.by_family_clause": {
			"clause    its text is appended to that of tracker.peer.by_info_hash_clause\n", "without   ScrapeFamily counts both families and says so\n",
			"called    by composed methods and background work only\n", "seeders   int   at least 0, brought into that range; NULL counts as 0\n",
			"tracker.peer.count_seeders_column ", "the clause, appended to tracker.peer.by_info_hash_clause",
		},
		"tracker.announce.query":           {"bad rows  a row that breaks the contract is left out", "port     int    1 to 65535\n", "tracker.announce.peer_id_column ", "tracker.announce.timeout "},
		"tracker.ping_query":               {"No parameters.\n", "result    none; whatever comes back is ignored\n", "default   SELECT 0\n", "tracker.ping_timeout ", "  mortise run tracker.ping_query\n"},
		"tracker.downloads.get_query":      {"result    the first column of the first row: downloads, int (at least 0, brought into that range;\n          NULL counts as 0)\n"},
		"tracker.peer.by_info_hash_clause": {"need      required, unless there is tracker.peer.scrape_query\n"},
	} {
		says(t, 0, texts, key)
	}
	if strings.Contains(must(t, "tracker.peer.by_family_clause"), "by_family_timeout") {
		t.Error("a clause has a timeout of its own")
	}
}

// Every key that a card names is one that the file may have, and the other way round: a file of all of them
// loads without an unknown key.
func TestKeysAreThoseOfTheFile(t *testing.T) {
	values := map[string]string{"_timeout": "1s", "timeout": "1s", "_max_rows": "2", "_column": "x"}
	sections := map[string]map[string]map[string]string{} // keys by section and group
	for _, entry := range decode(t, must(t, "--json")).Operations {
		if sections[entry.Section] == nil {
			sections[entry.Section] = map[string]map[string]string{}
		}
		groups := sections[entry.Section]
		for _, key := range entry.Keys {
			parts := strings.Split(strings.TrimPrefix(key.Key, entry.Section+"."), ".")
			group, name := strings.Join(parts[:len(parts)-1], "."), parts[len(parts)-1]
			value := "SELECT 1"
			for ending, other := range values {
				if strings.HasSuffix(name, ending) {
					value = other
				}
			}
			if groups[group] == nil {
				groups[group] = map[string]string{}
			}
			groups[group][name] = value
		}
	}
	t.Setenv("MORTISE_DATABASE", "host=x")
	for section, groups := range sections {
		text := "connection_string: ${MORTISE_DATABASE}\n" + section + ":\n"
		for name, value := range groups[""] {
			text += "  " + name + ": " + value + "\n"
		}
		for group, keys := range groups {
			if group == "" {
				continue
			}
			text += "  " + group + ":\n"
			for name, value := range keys {
				text += "    " + name + ": " + value + "\n"
			}
		}
		path := filepath.Join(t.TempDir(), "queries.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, problems := mortise.LoadWith(path, contract(t))
		for _, p := range problems {
			if p.Rule == "unknown-key" {
				t.Errorf("%s", p)
			}
		}
		if !strings.Contains(text, "_affected_column") {
			t.Errorf("there is too little in\n%s", text)
		}
	}
}

// With a file: where each query is, and what is missing.
func TestConfigured(t *testing.T) {
	t.Setenv("MORTISE_DATABASE", "host=x")
	says(t, 0, []string{"in queries.example.yaml\n", "line 177\n", "line 344\n"}, "-c", example)
	says(t, 0, []string{"state     configured at " + example + ":177:20\n", "--config " + example}, "peer.add", "-c", example)
	d := decode(t, must(t, "-c", example, "--json"))
	for _, entry := range d.Operations {
		if entry.State != "configured" || entry.Place == nil || entry.Place.Line == 0 || entry.Place.File != example {
			t.Errorf("%s: %s at %+v", entry.Key, entry.State, entry.Place)
		}
	}
	file := commandtest.Queries(t, "  data:\n    get_query: |\n      SELECT @contex\n    add_query: |\n      SELECT @key\n")
	got := says(t, 1, []string{"line 4, has mistakes\n", "missing\n", "not used\n", "default\n", "mortise check --config " + file}, "-c", file)
	if got.Stdout == "" {
		t.Error("nothing is listed")
	}
	states := map[string]string{}
	for _, entry := range decode(t, invoke(t, "-c", file, "--json").Stdout).Operations {
		states[entry.Key] = entry.State
	}
	for key, want := range map[string]string{"tracker.data.get_query": "has mistakes", "tracker.data.add_query": "configured", "tracker.data.del_query": "missing",
		"tracker.ping_query": "default", "tracker.gc_query": "not used", "tracker.peer.add_query": "not used"} {
		if states[key] != want {
			t.Errorf("%s: %q; expected %q", key, states[key], want)
		}
	}
	says(t, 0, []string{"state     configured"}, "data.add", "-c", file)
	says(t, 0, []string{"tracker.announce.peer_id_column        what the query calls the column peer_id  line 158\n"}, "announce.mixed", "-c", example)
	says(t, 1, []string{"the file does not exist"}, "-c", "none.yaml")
}

// A contract that is compiled at run time has its comments with it, and a section that the file lacks is said
// to be not served.
func TestOwnContract(t *testing.T) {
	proto := filepath.Join(t.TempDir(), "shop.proto")
	text := `syntax = "proto3"; package test.v1; import "mortise/annotation/annotation.proto";
		option (mortise.section) = { name: "shop" };
		service Shop {
			// List gives what is
			// in the shop.
			rpc List(Filter) returns (stream Item) { option (mortise.operation) = { query: "shop.list_query" result: ROWS timeout: "3s" }; }
		}
		message Filter {
			// What is asked for.
			repeated string skus = 1 [(mortise.field) = { min_length: 2 max_length: 9 }];
			string mood = 2 [(mortise.field) = { values: ["good", "bad"] capability: true }];
		}
		message Item { string sku = 1; optional int64 size = 2 [(mortise.field) = { may_be_missing: true max: 5 }]; }`
	if err := os.WriteFile(proto, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, 0, []string{"List gives what is in the shop.\n", "$1  @skus      text[]  2 to 9 characters; What is asked for\n",
		"one of good, bad; a host that sets it is refused if the query\n", "size    int?  at most 5; may be missing\n", "limit     3s for a call", "--contract " + proto}, "shop.list", "--contract", proto)
	says(t, 0, []string{"shop\nkey ", "What one must do"}, "shop", "--contract", proto)
	t.Setenv("MORTISE_DATABASE", "host=x")
	says(t, 0, []string{"\nshop\n", "not served\n", "tracker  needs"}, "--contract", proto, "-c", example)
}

// Operations, groups and sections are completed in the shell.
func TestCompletion(t *testing.T) {
	cmd := ops.New()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs([]string{"__complete", ""})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"tracker", "tracker.peer", "tracker.peer.add_query"} {
		if !slices.Contains(strings.Split(out.String(), "\n"), word) {
			t.Errorf("%s is not among\n%s", word, out.String())
		}
	}
}

// On a terminal there are colours, unless they are not wanted, and a card fits its width.
func TestOnTerminal(t *testing.T) {
	if out := onTerminal(t, "peer.add"); !strings.Contains(out, "\x1b[1m@info_hash\x1b[0m") || !strings.Contains(out, "\x1b[1mheat    \x1b[0m  on every request\n") {
		t.Errorf("a terminal shows\n%q", out)
	}
	t.Setenv("NO_COLOR", "1")
	out := onTerminal(t, "peer.add") + onTerminal(t) + onTerminal(t, "-c", example)
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, "\x1b") || utf8.RuneCountInString(line) > 100 {
			t.Errorf("a terminal shows the line %q", line)
		}
	}
}
