package benchmark

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/storage/query"
)

// settings are those of the server on which figures depend most.
var settings = []string{"shared_buffers", "work_mem", "effective_cache_size", "random_page_cost", "jit", "synchronous_commit", "fsync",
	"wal_level", "max_wal_size", "plan_cache_mode", "default_statistics_target", "autovacuum", "max_connections"}

// machine describes this machine.
func machine() (name string, memoryGB float64) {
	name = runtime.GOOS + "/" + runtime.GOARCH
	if model := procValue("/proc/cpuinfo", "model name"); model != "" {
		name = model + ", " + name
	}
	if kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(procValue("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		memoryGB = float64(int(kilobytes/(1<<20)*10)) / 10
	}
	return name, memoryGB
}

// procValue reads one line of a file of Linux's; empty elsewhere.
func procValue(file, key string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// queriesHash stands for the texts of a query set: two files with the same queries have the same.
func queriesHash(sources query.Sources) string {
	hash := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(sources.ByKey)) {
		fmt.Fprintf(hash, "%s\x00%s\x00", key, sources.ByKey[key].SQL)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:8])
}

func schemaHash(script string) string {
	if script == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(script))
	return fmt.Sprintf("%x", sum[:8])
}

// info describes a side.
func (s *side) info(ctx context.Context, place string) (SetInfo, error) {
	requests, _ := s.pool.Stat()
	info := SetInfo{Name: s.set.Name, File: s.set.Config.File, Server: s.server.String(), Place: place, Connections: requests.MaxConns(),
		QueriesHash: queriesHash(s.set.Config.Storage.Sources), SchemaHash: schemaHash(s.set.Schema), Data: map[string]string{}, Settings: map[string]string{}}
	err := s.ask(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY ($1)", settings)
		if err != nil {
			return err
		}
		var name, value string
		_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
			info.Settings[name] = value
			return nil
		})
		return err
	})
	return info, err
}

// ask uses a connection of its own.
func (s *side) ask(ctx context.Context, question func(conn *pgx.Conn) error) error {
	config, err := pgxpool.ParseConfig(s.set.ConnString)
	if err != nil {
		return fmt.Errorf("connection_string cannot be read")
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return fmt.Errorf("no connection to %s", s.pool.Target())
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return question(conn)
}

// vacuum brings the tables into the state of a database that has been running for a while: without it
// the planner knows nothing of them, and a vacuum would come while something is measured. What the role
// may not touch is left out by the server, with a warning. The operator's own tables are only analysed.
func (s *side) vacuum(ctx context.Context, place Place) error {
	if s.server.Product != "PostgreSQL" {
		return nil // CockroachDB looks after its statistics itself
	}
	return s.ask(ctx, func(conn *pgx.Conn) error {
		command := "ANALYZE"
		switch place {
		case ScratchDatabase:
			command = "VACUUM (ANALYZE)"
		case ScratchSchema: // the database's other tables are no affair of ours
			rows, err := conn.Query(ctx, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = current_schema()")
			if err != nil {
				return err
			}
			tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil || len(tables) == 0 {
				return err
			}
			command = "VACUUM (ANALYZE) " + strings.Join(tables, ", ")
		}
		_, err := conn.Exec(ctx, command)
		return err
	})
}
