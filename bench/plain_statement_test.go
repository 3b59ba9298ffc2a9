package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/storage/query"
)

// Values are what statements take, as natural Go values.
type values struct {
	peer            *peer
	hash            []byte
	hashes          [][]byte
	seeder, v6      bool
	want            int64
	created, alive  time.Time
	key, value      []byte
	limit, lifetime int64
	keys            [][]byte
}

// An argument takes one of the values.
type argument func(v *values) any

// arguments by the contract's names. The rest, what only some hosts know, is NULL.
var arguments = map[string]argument{
	"info_hash":   func(v *values) any { return v.hash },
	"info_hashes": func(v *values) any { return v.hashes },
	"peer_id":     func(v *values) any { return v.peer.id },
	"address":     func(v *values) any { return v.peer.address },
	"port":        func(v *values) any { return v.peer.port },
	"is_seeder":   func(v *values) any { return v.seeder },
	"for_seeder":  func(v *values) any { return v.seeder },
	"is_v6":       func(v *values) any { return v.v6 },
	"count":       func(v *values) any { return v.want },
	"created":     func(v *values) any { return v.created },
	"alive_since": func(v *values) any { return v.alive },
	"context":     func(*values) any { return dataContext },
	"key":         func(v *values) any { return v.key },
	"value":       func(v *values) any { return v.value },
	"limit":       func(v *values) any { return v.limit },
	"lifetime":    func(v *values) any { return v.lifetime },
}

func null(*values) any { return nil }

// argumentFor returns what a parameter takes, for the type that the database has for it.
func argumentFor(name string, oid uint32) argument {
	if name == "key" && oid == pgtype.ByteaArrayOID {
		return func(v *values) any { return v.keys }
	}
	if name == "address" && oid == pgtype.ByteaOID {
		return func(v *values) any { return v.peer.bytes }
	}
	take, ok := arguments[name]
	switch {
	case !ok:
		return null
	case oid == pgtype.Int8OID && name == "created":
		return func(v *values) any { return v.created.Unix() }
	case oid == pgtype.Int8OID && name == "alive_since":
		return func(v *values) any { return v.alive.Unix() }
	}
	return take
}

// A statement is one query of the operator's, as somebody would have written it into a program.
type statement struct {
	text      string
	arguments []argument
	// at is where the columns are in a result, by the contract's names; width is its number of columns.
	at    map[string]int
	width int
	// tellsBool says that the column of the affected rows only tells whether there was one.
	tellsBool, addressIsBytes bool
}

// describe asks the database for the statement's types, once.
func describe(ctx context.Context, pool *pgxpool.Pool, from *query.Statement) (*statement, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	d, err := conn.Conn().PgConn().Prepare(ctx, "", from.Text(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from.Operation.Key, err)
	}
	s := &statement{text: from.Text(), at: map[string]int{}, width: len(d.Fields)}
	for i, name := range from.Arguments() {
		s.arguments = append(s.arguments, argumentFor(name, d.ParamOIDs[i]))
	}
	for _, column := range from.Operation.Columns {
		name := column.Name
		if renamed := from.Source().Columns[name]; renamed != "" {
			name = renamed
		}
		for i, field := range d.Fields {
			if strings.EqualFold(field.Name, name) {
				s.at[column.Name] = i
				s.tellsBool = column.Name == "affected" && field.DataTypeOID == pgtype.BoolOID
				s.addressIsBytes = s.addressIsBytes || column.Name == "address" && field.DataTypeOID == pgtype.ByteaOID
			}
		}
	}
	return s, nil
}

func (s *statement) bind(v *values) []any {
	all := make([]any, len(s.arguments))
	for i, take := range s.arguments {
		all[i] = take(v)
	}
	return all
}

// queueWrite puts a write into a batch; n grows by the rows that it affects.
func (s *statement) queueWrite(b *pgx.Batch, v *values, n *affected) {
	queued := b.Queue(s.text, s.bind(v)...)
	if _, tells := s.at["affected"]; tells {
		queued.QueryRow(func(row pgx.Row) error { return s.scanAffected(row, n) })
		return
	}
	queued.Exec(func(tag pgconn.CommandTag) error {
		n.add(rowsOf(tag))
		return nil
	})
}

// write runs a write by itself.
func (s *statement) write(ctx context.Context, pool *pgxpool.Pool, v *values) (n affected, err error) {
	if _, tells := s.at["affected"]; tells {
		err = s.scanAffected(pool.QueryRow(ctx, s.text, s.bind(v)...), &n)
		return n, err
	}
	tag, err := pool.Exec(ctx, s.text, s.bind(v)...)
	return rowsOf(tag), err
}

func (s *statement) scanAffected(row pgx.Row, n *affected) error {
	targets := make([]any, s.width)
	var number int64
	var did bool
	targets[s.at["affected"]] = &number
	if s.tellsBool {
		targets[s.at["affected"]] = &did
	}
	if err := row.Scan(targets...); err != nil {
		return err
	}
	n.add(affected(number) + affected(index(did)))
	return nil
}

func rowsOf(tag pgconn.CommandTag) affected {
	if tag.Insert() || tag.Update() || tag.Delete() {
		return affected(tag.RowsAffected())
	}
	return unknown
}

// add adds a number; what is unknown stays so.
func (n *affected) add(more affected) {
	if *n == unknown || more == unknown {
		*n = unknown
		return
	}
	*n += more
}
