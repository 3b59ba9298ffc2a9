package statements

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// A Session is a connection to the database of an operator's file. It must be closed.
type Session struct {
	// Server is what the database is; Target is where, without its password.
	Server database.Server
	Target string

	reached *command.Database
	pool    *database.Pool
	conn    *database.Connection
}

// Open reaches for the file's database; an embedded server is started.
func (f *File) Open(ctx context.Context, logger *slog.Logger) (*Session, error) {
	if err := f.Connection(); err != nil {
		return nil, err
	}
	reached, err := f.Reach(ctx, logger)
	if err != nil {
		return nil, err
	}
	s := &Session{reached: reached}
	if err := s.open(ctx, database.Options{ConnString: reached.ConnString, Mode: f.Config.Storage.Mode, Logger: logger}); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) open(ctx context.Context, options database.Options) (err error) {
	if s.pool, err = database.Open(options); err != nil {
		return err
	}
	s.Target = s.pool.Target()
	if s.conn, err = s.pool.Connect(ctx); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("no connection to %s: it took too long", s.Target)
		}
		return err
	}
	s.Server, err = s.conn.Server(ctx)
	return err
}

// Close gives everything back, and stops an embedded server that Open started.
func (s *Session) Close() {
	if s.conn != nil {
		s.conn.Release()
	}
	if s.pool != nil {
		s.pool.Close()
	}
	s.reached.Close()
}

// Describe asks the database about a statement, which then has its plan if no problem is an Error.
func (s *Session) Describe(ctx context.Context, statement *query.Statement) (problem.List, error) {
	return statement.Describe(ctx, s.conn)
}

// Mode says how a plugin with this file would send statements.
func (s *Session) Mode(ctx context.Context) (database.Mode, error) { return s.pool.FindMode(ctx) }

// Dial opens a connection of its own, on which a statement can be run, set up as a plugin's is.
func (s *Session) Dial(ctx context.Context, notice func(*pgconn.Notice)) (*pgx.Conn, error) {
	return s.pool.Dial(ctx, notice)
}

// TypeNames returns the names of types as SQL writes them, by their numbers.
func (s *Session) TypeNames(ctx context.Context, oids []uint32) (map[uint32]string, error) {
	conn, err := s.Dial(ctx, func(*pgconn.Notice) {})
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	numbers := make([]int64, len(oids))
	for i, oid := range oids {
		numbers[i] = int64(oid)
	}
	// Not prepared: behind a pooler that would not work.
	rows, err := conn.Query(ctx, "SELECT n, format_type(n::oid, NULL) FROM unnest($1::bigint[]) AS n", pgx.QueryExecModeExec, numbers)
	if err != nil {
		return nil, err
	}
	names := map[uint32]string{}
	var number int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&number, &name}, func() error {
		names[uint32(number)] = name
		return nil
	})
	return names, err
}
