package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tables reads the operator's own tables, past the plugin: what the demo shows is what is stored. The
// queries are written for the default tables.
type tables struct{ pool *pgxpool.Pool }

func openTables(ctx context.Context, dsn string) (*tables, error) {
	pool, err := pgxpool.New(ctx, dsn)
	if err == nil {
		err = pool.Ping(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the database to show its tables: %w", err)
	}
	return &tables{pool}, nil
}

func (t *tables) close() { t.pool.Close() }

// names lists the tables of the media domain.
func (t *tables) names(ctx context.Context) ([]string, error) {
	return collect[string](ctx, t, `SELECT tablename::text FROM pg_tables WHERE tablename LIKE 'media\_%' AND schemaname = current_schema() ORDER BY 1`)
}

// clear forgets what an earlier demo left.
func (t *tables) clear(ctx context.Context) error {
	names, err := t.names(ctx)
	if err != nil {
		return err
	}
	for i, name := range names {
		names[i] = pgx.Identifier{name}.Sanitize()
	}
	_, err = t.pool.Exec(ctx, "TRUNCATE "+strings.Join(names, ", "))
	return err
}

// counts returns how many rows each table has.
func (t *tables) counts(ctx context.Context) (map[string]int64, error) {
	names, err := t.names(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, name := range names {
		var n int64
		if err := t.pool.QueryRow(ctx, "SELECT count(*) FROM "+pgx.Identifier{name}.Sanitize()).Scan(&n); err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, nil
}

// A job that runs, as its row says.
type job struct {
	ID     uuid.UUID
	Queue  string
	Kind   string
	Worker uuid.UUID
	Beat   time.Time
}

// running lists the jobs that workers hold.
func (t *tables) running(ctx context.Context) ([]job, error) {
	rows, err := t.pool.Query(ctx, `
SELECT id, queue, coalesce(job->>'kind', '?'), worker, heartbeat
FROM media_jobs
WHERE worker IS NOT NULL
ORDER BY queue_time, id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[job])
}

// worker returns who holds a job; ok is false if the job is gone, and the worker zero if nobody does.
func (t *tables) worker(ctx context.Context, id uuid.UUID) (worker uuid.UUID, ok bool, err error) {
	found, err := collect[*uuid.UUID](ctx, t, `SELECT worker FROM media_jobs WHERE id = $1`, id)
	if err != nil || len(found) == 0 {
		return uuid.Nil, false, err
	}
	if found[0] != nil {
		worker = *found[0]
	}
	return worker, true, nil
}

// An original is a hash as it is stored, with its aliases.
type original struct {
	Hash       []byte
	Identifier string
	Aliases    []string
}

func (t *tables) originals(ctx context.Context) ([]original, error) {
	rows, err := t.pool.Query(ctx, `
SELECT h.hash, h.identifier, array_agg(a.alias ORDER BY a.alias) FILTER (WHERE a.alias IS NOT NULL)
FROM media_hashes h LEFT JOIN media_aliases a USING (hash)
GROUP BY h.hash, h.identifier`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[original])
}

// A variant as it is stored.
type storedVariant struct {
	Hash                []byte
	Variant, Identifier string
}

func (t *tables) variants(ctx context.Context) ([]storedVariant, error) {
	rows, err := t.pool.Query(ctx, `SELECT hash, variant, identifier FROM media_variants`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[storedVariant])
}

// identifiers lists the files that anything refers to, and those that details are known of.
func (t *tables) identifiers(ctx context.Context) (referred, described []string, err error) {
	referred, err = collect[string](ctx, t, `
SELECT identifier FROM media_hashes
UNION ALL SELECT motion_identifier FROM media_hashes WHERE motion_identifier IS NOT NULL
UNION ALL SELECT identifier FROM media_variants`)
	if err == nil {
		described, err = collect[string](ctx, t, `SELECT identifier FROM media_details`)
	}
	return referred, described, err
}

// collect returns the only column of a query.
func collect[T any](ctx context.Context, t *tables, query string, args ...any) ([]T, error) {
	rows, err := t.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}
