package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	"github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database/embedded"
)

// An environment is the database with what is loaded into it, and the ways to reach it. All
// benchmarks of the program share one.
type environment struct {
	settings   settings
	config     *mortise.Config
	population *population
	// keys are those of key-value data, by way.
	keys map[string][][]byte
	ways map[string]way
	// dsn has pool_max_conns, so that all ways have the same number of connections.
	dsn string
	// server is the embedded server, nil if the database is somebody's own.
	server  *embedded.Server
	folder  string
	storage *storage.Storage
	plain   *plain
	// program is the plugin's, host the running plugin.
	program string
	host    *mortise.Host

	announced, batchesLoaded, dataLoaded sync.Once

	mediaOnce   sync.Once
	mediaShared *media
	mediaErr    error
}

var (
	shared      *environment
	sharedErr   error
	sharedStart sync.Once
)

// environmentFor returns the program's environment, made at first use. TestMain closes it.
func environmentFor(tb testing.TB) *environment {
	tb.Helper()
	sharedStart.Do(func() {
		s, err := readSettings()
		if err == nil {
			shared, err = openEnvironment(context.Background(), s)
		}
		sharedErr = err
	})
	if sharedErr != nil {
		tb.Fatal(sharedErr)
	}
	return shared
}

func openEnvironment(ctx context.Context, s settings) (*environment, error) {
	e := &environment{settings: s, ways: map[string]way{}}
	for _, step := range []func(context.Context) error{e.makeFolder, e.openDatabase, e.loadConfig, e.openStorage, e.loadPeers, e.openPlain, e.startPlugin} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, e.close())
		}
	}
	return e, nil
}

func (e *environment) makeFolder(context.Context) (err error) {
	e.folder, err = testdb.Folder()
	return err
}

// openDatabase starts the embedded server, durable as it is by default, and applies the schema; a
// server of one's own is taken as it is.
func (e *environment) openDatabase(ctx context.Context) error {
	e.dsn = e.settings.database
	if e.dsn == "" {
		server, err := embedded.Start(ctx, embedded.Options{DataDir: filepath.Join(e.folder, "data")})
		if err != nil {
			return err
		}
		e.server, e.dsn = server, server.ConnString()
		if err := e.applySchema(ctx); err != nil {
			return err
		}
	}
	e.dsn = withPoolSize(e.dsn)
	return nil
}

func (e *environment) applySchema(ctx context.Context) error {
	schema, err := os.ReadFile(e.settings.schema)
	if err != nil {
		return fmt.Errorf("the schema for the embedded server: %w; say where it is in MORTISE_BENCH_SCHEMA", err)
	}
	return e.execute(ctx, e.dsn, string(schema))
}

func (e *environment) execute(ctx context.Context, dsn, script string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.PgConn().Exec(ctx, script).ReadAll()
	return err
}

const poolSize = 10

// withPoolSize makes a connection string say how many connections a pool has, unless it does.
func withPoolSize(dsn string) string {
	parameter := fmt.Sprintf("pool_max_conns=%d", poolSize)
	switch {
	case strings.Contains(dsn, "pool_max_conns"):
		return dsn
	case !strings.Contains(dsn, "://"):
		return dsn + " " + parameter
	case strings.Contains(dsn, "?"):
		return dsn + "&" + parameter
	}
	return dsn + "?" + parameter
}

// loadConfig loads the query file for this database. The variable that it takes the connection string
// from is also what the plugin finds in its environment.
func (e *environment) loadConfig(context.Context) error {
	if err := os.Setenv(databaseVariable, e.dsn); err != nil {
		return err
	}
	config, problems := mortise.Load(e.settings.config)
	if err := problems.Err(); err != nil {
		return err
	}
	if config.Storage.Connection != e.dsn {
		return fmt.Errorf("%s: its connection_string is not ${%s}, so it would be measured on another database than the one that is loaded",
			e.settings.config, databaseVariable)
	}
	if config.Storage.Sources.ByKey["tracker.peer.add_query"].SQL == "" || config.Storage.Sources.ByKey["tracker.data.get_query"].SQL == "" {
		return fmt.Errorf("%s: the benchmarks need the queries of tracker.peer and tracker.data", e.settings.config)
	}
	e.config = config
	return nil
}

const databaseVariable = "MORTISE_DATABASE"

// loadPeers stores the population. Its peers are dated one day ahead, so that they are alive however
// long the benchmarks run, and are not collected.
func (e *environment) loadPeers(ctx context.Context) error {
	e.population = populate(e.settings.peers, e.settings.swarms, e.settings.clients)
	e.keys = e.dataKeys()
	ahead, err := openQuietly(ctx, e.config, func() time.Time { return time.Now().Add(24 * time.Hour) })
	if err != nil {
		return err
	}
	defer ahead.Close()
	err = e.put(ctx, ahead.Conn(), changes(e.population.loaded))
	for _, way := range allWays {
		for _, u := range []purpose{staying, finishing} {
			if err == nil {
				err = e.put(ctx, e.storage.Conn(), changes(e.population.clients[way][u]))
			}
		}
	}
	if err != nil {
		return fmt.Errorf("loading peers: %w", err)
	}
	if e.server == nil {
		return nil
	}
	// As after a while of running: without it the planner knows nothing of the tables, and a vacuum
	// would come while something is measured.
	return e.execute(ctx, e.server.AdminConnString()+" dbname=mortise", "VACUUM (ANALYZE)")
}

// openQuietly opens the storage and waits until it serves. Its background work is left out: it would
// come at times that have nothing to do with what is measured.
func openQuietly(ctx context.Context, config *mortise.Config, clock func() time.Time) (*storage.Storage, error) {
	s, err := storage.Open(ctx, config.Storage, storage.Options{Clock: clock, Quiet: true})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	problems, err := s.Settled(ctx)
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// put applies changes through the API, and demands that none fails.
func (e *environment) put(ctx context.Context, conn grpc.ClientConnInterface, all []*trackerv1.PeerChange) error {
	const atOnce = 5000
	client := trackerv1.NewSwarmsClient(conn)
	for len(all) > 0 {
		n := min(atOnce, len(all))
		response, err := client.PutPeers(ctx, &trackerv1.PutPeersRequest{Changes: all[:n]})
		if err != nil {
			return err
		}
		for _, result := range response.GetResults() {
			if failure := result.GetError(); failure != nil {
				return fmt.Errorf("%s: %s", failure.GetOperation(), failure.GetMessage())
			}
		}
		all = all[n:]
	}
	return nil
}

// loadBatches loads the clients that PutPeers refreshes, once.
func (e *environment) loadBatches(ctx context.Context) (err error) {
	e.batchesLoaded.Do(func() {
		for _, way := range allWays {
			if err == nil {
				err = e.put(ctx, e.storage.Conn(), changes(e.population.clients[way][batched]))
			}
		}
	})
	return err
}

func (e *environment) openPlain(ctx context.Context) (err error) {
	if e.plain, err = newPlain(ctx, e.config); err == nil {
		e.ways[wayPlain] = e.plain
	}
	return err
}

func (e *environment) openStorage(ctx context.Context) (err error) {
	if e.storage, err = openQuietly(ctx, e.config, nil); err == nil {
		e.ways[wayInProcess] = newAPI(e.storage.Conn())
	}
	return err
}

// close ends everything and leaves nothing behind.
func (e *environment) close() error {
	var problems []error
	if e.server == nil && e.population != nil {
		problems = append(problems, e.unload(context.Background()))
	}
	if e.mediaShared != nil {
		problems = append(problems, e.mediaShared.close(context.Background()))
	}
	if e.host != nil {
		e.host.Close()
	}
	if e.storage != nil {
		e.storage.Close()
	}
	if e.plain != nil {
		e.plain.pool.Close()
	}
	if e.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		problems = append(problems, e.server.Stop(ctx))
	}
	if e.folder != "" {
		problems = append(problems, os.RemoveAll(e.folder))
	}
	return errors.Join(problems...)
}

// unload deletes what was put into a database of somebody's own. Each role is deleted in requests of
// its own, since of several changes of one peer in a request only the last one counts.
func (e *environment) unload(ctx context.Context) error {
	for _, seeder := range []bool{true, false} {
		var all []*trackerv1.PeerChange
		for _, p := range e.population.everybody() {
			all = append(all, &trackerv1.PeerChange{Kind: trackerv1.PeerChange_DELETE, InfoHash: p.swarm.hash, Peer: p.message, IsSeeder: seeder})
		}
		if err := e.put(ctx, e.storage.Conn(), all); err != nil {
			return err
		}
	}
	for _, keys := range e.keys {
		if _, err := trackerv1.NewDataClient(e.storage.Conn()).Delete(ctx, &trackerv1.DeleteRequest{Context: dataContext, Key: keys}); err != nil {
			return err
		}
	}
	return nil
}
