package bench

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Settings are what the environment says; see the package's comment.
type settings struct {
	// config is the query file, database a DSN or empty for the embedded server, schema its schema.
	config, database, schema string
	// peers are loaded, over so many swarms.
	peers, swarms int
	// aliases are stored for the media domain.
	aliases int64
	callers []int
	// plugin is the plugin's program; empty is to build it.
	plugin string
	// clients is how many clients of each purpose a way has.
	clients [purposes]int
}

const (
	defaultPeers   = 20000
	defaultCallers = "1,8,64"
	swarmCount     = 500
	quickPeers     = 1000
	quickSwarms    = 100
	defaultAliases = 10_000
	quickAliases   = 500
)

// readSettings reads the environment. A run without benchmarks, as of `go test ./...`, is quick.
func readSettings() (settings, error) {
	s := settings{config: os.Getenv("MORTISE_BENCH_CONFIG"), database: os.Getenv("MORTISE_BENCH_DATABASE"),
		schema: os.Getenv("MORTISE_BENCH_SCHEMA"), plugin: os.Getenv("MORTISE_BENCH_PLUGIN"), peers: defaultPeers, swarms: swarmCount, aliases: defaultAliases}
	quick := flag.Lookup("test.bench").Value.String() == ""
	if quick {
		s.peers, s.swarms, s.aliases = quickPeers, quickSwarms, quickAliases
	}
	if text := os.Getenv("MORTISE_BENCH_PEERS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 10_000_000 {
			return s, fmt.Errorf("MORTISE_BENCH_PEERS must be a number up to ten million")
		}
		s.peers = n
	}
	if text := os.Getenv("MORTISE_BENCH_ALIASES"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 100 || n > 10_000_000 {
			return s, fmt.Errorf("MORTISE_BENCH_ALIASES must be a number from a hundred up to ten million")
		}
		s.aliases = n
	}
	list := os.Getenv("MORTISE_BENCH_CALLERS")
	if list == "" {
		list = defaultCallers
	}
	most := 0
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || n > 1024 {
			return s, fmt.Errorf("MORTISE_BENCH_CALLERS must be numbers from 1 to 1024 with commas between them, as in %s", defaultCallers)
		}
		s.callers = append(s.callers, n)
		most = max(most, n)
	}
	if s.config == "" {
		s.config = filepath.Join("..", "queries.example.yaml")
	}
	if s.schema == "" {
		s.schema = filepath.Join(filepath.Dir(s.config), "schema.sql")
	}
	some := max(512, 4*most)
	s.clients = [purposes]int{staying: some, passing: some, finishing: some, batched: 16 * batchSize}
	if quick {
		s.clients = [purposes]int{staying: 64, passing: 64, finishing: 64, batched: 2 * batchSize}
	}
	return s, nil
}
