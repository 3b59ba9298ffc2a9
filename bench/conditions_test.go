package bench

import (
	"context"
	"fmt"
	"runtime"
	"strings"
)

// announceConditions prints under which conditions is measured, once, as configuration lines of Go's
// benchmark format. The processor and the system are printed by package testing.
func (e *environment) announceConditions() {
	e.announced.Do(func() {
		server, _, _ := e.storage.About()
		if e.server != nil {
			server += ", embedded, default settings"
		}
		for _, line := range [][2]string{
			{"go-version", runtime.Version()},
			{"cores", fmt.Sprint(runtime.GOMAXPROCS(0))},
			{"database", server},
			{"database-settings", e.databaseSettings()},
			{"connections", fmt.Sprint(e.plain.pool.Config().MaxConns)},
			{"peers", fmt.Sprintf("%d in %d swarms", len(e.population.loaded), len(e.population.swarms))},
			{"query-file", e.settings.config},
		} {
			fmt.Printf("%s: %s\n", line[0], line[1])
		}
	})
}

// databaseSettings are those on which the figures depend most; a database that lacks one (CockroachDB)
// is not asked further.
func (e *environment) databaseSettings() string {
	var all []string
	for _, name := range []string{"fsync", "synchronous_commit", "wal_sync_method", "shared_buffers"} {
		var value string
		if err := e.plain.pool.QueryRow(context.Background(), "SELECT current_setting($1, true)", name).Scan(&value); err != nil {
			continue
		}
		all = append(all, name+"="+value)
	}
	return strings.Join(all, " ")
}
