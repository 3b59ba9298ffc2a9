package check_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/document"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// load reads a file as the command does, for a target, and returns what loading and the rules find.
func load(t *testing.T, path, target string) problem.List {
	t.Helper()
	c, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	config, loaded := mortise.LoadWith(path, c)
	if loaded.Err() != nil {
		t.Fatal(loaded)
	}
	set, _ := query.CompileSet(c, config.Storage.Sources)
	in := check.Input{Contract: c, Set: set, Sources: config.Storage.Sources, Settings: config.Storage.Settings, Connection: config.Storage.Connection}
	if in.Target, err = check.ParseTarget(target); err != nil {
		t.Fatal(err)
	}
	in.Given, in.Place = keysOf(t, path)
	found := check.Merge(loaded, check.Texts(in))
	for i := range found {
		found[i].File = ""
	}
	return found
}

// keysOf reads where the keys of a file are.
func keysOf(t *testing.T, path string) (given func(string) bool, place func(string) problem.Position) {
	t.Helper()
	root, _ := document.Load(path, os.LookupEnv)
	section := root
	if inner := root.Get("storage").Get("config"); inner != nil {
		root, section = inner, inner
	} else {
		section = root.Get("tracker")
	}
	find := func(key string) *document.Node {
		if name, ok := strings.CutPrefix(key, "tracker."); ok {
			return section.Get(name)
		}
		return root.Get(key)
	}
	return func(key string) bool { return find(key) != nil }, func(key string) problem.Position {
		if n := find(key); n != nil {
			return n.Position
		}
		return section.Position
	}
}

// sets are the query sets that Mortise brings, and all that is said of each: in general, for
// CockroachDB, and behind a pooler where that is more. What a server would refuse is in the last two: the
// default set is written for PostgreSQL, and listens.
var sets = map[string]struct{ general, cockroach, pooler []string }{
	"queries.example.yaml": {
		[]string{"tracker-unused-query info 68:13", "D13-postgres-only info 363:15"},
		[]string{"tracker-unused-query info 68:13", "D13-postgres-only error 363:15", "D12-skip-locked warning 368:30",
			"D10-notify error 889:27", "D09-listen error 933:13", "D10-notify error 940:20", "D09-listen error 1188:13",
			"D10-notify error 1195:20", "D09-listen error 1277:13", "D10-notify error 1284:20"},
		[]string{"tracker-unused-query info 68:13", "D13-postgres-only info 363:15",
			"D09-listen warning 933:13", "D09-listen warning 1188:13", "D09-listen warning 1277:13"},
	},
	"schemas/mochi-corrected/queries.yaml": {
		[]string{"tracker-unused-query info 11:13"},
		[]string{"tracker-unused-query info 11:13"},
		nil,
	},
	"schemas/mochi-bytea/queries.yaml": {
		[]string{"tracker-unused-query info 11:13"},
		[]string{"tracker-unused-query info 11:13"},
		nil,
	},
	"schemas/functions/queries.yaml": {
		[]string{"tracker-derived info 16:13", "unknown-count info 61:9"},
		[]string{"tracker-derived info 16:13", "unknown-count info 61:9"},
		nil,
	},
	"schemas/private-tracker/queries.yaml": {
		[]string{"tracker-unused-query info 7:13", "tracker-derived info 39:13"},
		[]string{"tracker-unused-query info 7:13", "tracker-derived info 39:13", "D12-skip-locked warning 132:24"},
		nil,
	},
	"schemas/mochi/queries.yaml": {sample, sample, nil},
	// Its tables notify by triggers.
	"schemas/pict-rs/queries.yaml": {
		nil,
		[]string{"D09-listen error 233:13", "D09-listen error 339:13", "D09-listen error 362:13"},
		[]string{"D09-listen warning 233:13", "D09-listen warning 339:13", "D09-listen warning 362:13"},
	},
	// What its tables cannot hold: blurhashes, attempts, new identifiers. Variants go by a foreign key.
	"schemas/pict-rs-sketch/queries.yaml": {
		[]string{"unused-parameter warning 33:13", "M14 info 42:13", "unused-parameter warning 193:13", "unused-parameter warning 314:13", "M11 warning 318:57"},
		[]string{"unused-parameter warning 33:13", "M14 info 42:13", "unused-parameter warning 193:13", "D09-listen error 245:13", "unused-parameter warning 314:13", "M11 warning 318:57"},
		[]string{"unused-parameter warning 33:13", "M14 info 42:13", "unused-parameter warning 193:13", "D09-listen warning 245:13", "unused-parameter warning 314:13", "M11 warning 318:57"},
	},
}

// sample is what the tracker's contract says of MoChi's documented query set. T02 stands for the
// scanner's own warning of the unused parameter.
var sample = []string{
	"T13 warning 8:9", "T15 info 8:28",
	"T06 info 16:17", "T07 info 16:17", "T04 info 16:35", "T05 warning 17:17",
	"T08 warning 25:29",
	"T02 warning 36:17", "T03 warning 37:17", "T01 warning 38:50",
	"T08 warning 56:29", "T09 warning 57:17",
	"T08 warning 63:29", "T10 warning 65:45",
	"T11 info 78:13", "T12 warning 85:40",
}

func TestSets(t *testing.T) {
	for name, want := range sets {
		if want.pooler == nil {
			want.pooler = want.general
		}
		for target, want := range map[string][]string{"": want.general, "postgres": want.general, "postgres 12 pooler": want.pooler, "cockroachdb 24.1": want.cockroach} {
			t.Run(name+" "+target, func(t *testing.T) {
				var got []string
				for _, p := range load(t, filepath.Join("..", "..", name), target) {
					got = append(got, brief(p))
				}
				if !slices.Equal(got, want) {
					t.Errorf("\n got %q\nwant %q", got, want)
				}
			})
		}
	}
	found, err := filepath.Glob("../../schemas/*/queries.yaml")
	if err != nil || len(found)+1 != len(sets) {
		t.Errorf("there are %d query sets in schemas, and %d are tried", len(found), len(sets)-1)
	}
}

// The words of the contract's table, with the advice behind the message.
func TestSampleMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queries.yaml")
	text, err := os.ReadFile("../../schemas/mochi/queries.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const ours = "host=127.0.0.1 port=5432 database=mochi user=mochi"
	open := strings.Replace(string(text), ours, "host=127.0.0.1 port=5432 database=... user=...", 1)
	if err := os.WriteFile(path, []byte(open), 0o600); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, p := range load(t, path, "") {
		if _, again := said[p.Rule]; !again {
			said[p.Rule] = p.Message + "; " + p.Fix
		}
	}
	for rule, want := range map[string]string{
		"T01": "peer_id = peer_id is always true: every leecher at this address and port is promoted; write @peer_id",
		"T02": "required parameter @peer_id is not used",
		"T03": "a graduated peer keeps its old timestamp and can be collected while alive; set it from @created",
		"T04": "positional parameters read as info_hash, is_seeder, is_v6, count",
		"T05": "no ORDER BY: all requesters of a large swarm get the same peers",
		"T06": "stale peers stay visible until collection; compare with @alive_since",
		"T07": "requester not excluded; the service drops it and reads one extra row",
		"T08": "INSERT without column list",
		"T09": "no counter value inserted: relies on the column default being 1",
		"T10": "existing keys keep their first value (first write wins)",
		"T11": "deletes all stale rows at once; add @limit for chunks",
		"T12": "statistics scan the whole table every 1s; raise the interval or use counters",
		"T13": "peer_lifetime 30m should exceed the announce interval",
		"T14": "placeholder in connection_string",
		"T15": "database= works here, not in psql",
	} {
		if !strings.HasPrefix(said[rule], want) {
			t.Errorf("%s says %q, want %q", rule, said[rule], want)
		}
		delete(said, rule)
	}
	if len(said) > 0 {
		t.Errorf("more than the contract's: %v", said)
	}
}

func TestAnnounceInterval(t *testing.T) {
	in, _ := input(t, "", add, goodAdd)
	in.AnnounceInterval = time.Hour
	if found := check.Texts(in); len(found) > 0 {
		t.Errorf("without settings nothing can be said of them: %v", found)
	}
}
