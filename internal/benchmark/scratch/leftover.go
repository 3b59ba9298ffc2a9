package scratch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// lockNumber is the number of the advisory lock for the name $1.
const lockNumber = "('x' || substr(md5($1), 1, 15))::bit(60)::bigint"

// A Leftover is a scratch whose run is gone.
type Leftover struct {
	Name string
	Kind Kind
}

// String names it.
func (l Leftover) String() string { return string(l.Kind) + " " + l.Name }

// Leftovers finds what runs left behind that were killed: databases of the server, and schemas of the
// database that a connection string leads to. What a living run uses is not among them.
func Leftovers(ctx context.Context, connString string) ([]Leftover, error) {
	conn, err := connect(ctx, connString)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return leftovers(ctx, conn)
}

func leftovers(ctx context.Context, conn *pgx.Conn) ([]Leftover, error) {
	pattern := strings.ReplaceAll(Prefix, "_", `\_`) + "%"
	rows, err := conn.Query(ctx, `
		SELECT datname, 'database' FROM pg_database AS d
		WHERE datname LIKE $1 AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datname = d.datname)
		UNION ALL
		SELECT nspname, 'schema' FROM pg_namespace WHERE nspname LIKE $1 ORDER BY 1`, pattern)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Leftover])
	if err != nil {
		return nil, err
	}
	var free []Leftover
	for _, l := range all {
		var unused bool
		// The lock is given back at once: only whether somebody has it matters.
		err := conn.QueryRow(ctx, "SELECT CASE WHEN pg_try_advisory_lock("+lockNumber+") THEN pg_advisory_unlock("+lockNumber+") ELSE false END", l.Name).Scan(&unused)
		if err != nil {
			return nil, err
		}
		if unused {
			free = append(free, l)
		}
	}
	return free, nil
}

// RemoveLeftovers drops what Leftovers finds, and returns what was dropped. A database that somebody is
// connected to stays.
func RemoveLeftovers(ctx context.Context, connString string) (removed []Leftover, err error) {
	conn, err := connect(ctx, connString)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	all, err := leftovers(ctx, conn)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, l := range all {
		if err := drop(ctx, conn, l, false); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", l, err))
			continue
		}
		removed = append(removed, l)
	}
	return removed, errors.Join(failed...)
}
