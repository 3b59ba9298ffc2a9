package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/storage/query"
)

// mediaValues are what the media domain's statements take, as natural Go values.
type mediaValues struct {
	alias, variant, identifier, details, token string
	hash                                       []byte
	accessed                                   *time.Time // nil: the time of access is not to be recorded
	now, stale                                 time.Time
	queue, job, payload                        string
	worker, id                                 []byte
	retry                                      int64
}

// mediaArguments by the contract's names. The rest is NULL, such as the unique key of a job.
var mediaArguments = map[string]func(v *mediaValues) any{
	"alias":        func(v *mediaValues) any { return v.alias },
	"variant":      func(v *mediaValues) any { return v.variant },
	"identifier":   func(v *mediaValues) any { return v.identifier },
	"details":      func(v *mediaValues) any { return v.details },
	"delete_token": func(v *mediaValues) any { return v.token },
	"hash":         func(v *mediaValues) any { return v.hash },
	"accessed":     func(v *mediaValues) any { return v.accessed },
	"now":          func(v *mediaValues) any { return v.now },
	"created_at":   func(v *mediaValues) any { return v.now },
	"stale_before": func(v *mediaValues) any { return v.stale },
	"queue":        func(v *mediaValues) any { return v.queue },
	"job":          func(v *mediaValues) any { return v.job },
	"payload":      func(v *mediaValues) any { return v.payload },
	"worker":       func(v *mediaValues) any { return v.worker },
	"job_id":       func(v *mediaValues) any { return v.id },
	"retry":        func(v *mediaValues) any { return v.retry },
}

// A mediaStatement is one query of the operator's, as somebody would have written it into a program.
type mediaStatement struct {
	text string
	take []func(v *mediaValues) any
	// at is where the columns are in a result, by the contract's names; width is its number of columns.
	at    map[string]int
	width int
}

func describeMedia(ctx context.Context, pool *pgxpool.Pool, from *query.Statement) (*mediaStatement, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	d, err := conn.Conn().PgConn().Prepare(ctx, "", from.Text(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from.Operation.Key, err)
	}
	s := &mediaStatement{text: from.Text(), at: map[string]int{}, width: len(d.Fields)}
	for _, name := range from.Arguments() {
		take := mediaArguments[name]
		if take == nil {
			take = func(*mediaValues) any { return nil }
		}
		s.take = append(s.take, take)
	}
	for _, column := range from.Operation.Columns {
		for i, field := range d.Fields {
			if strings.EqualFold(field.Name, from.ColumnName(column)) {
				s.at[column.Name] = i
			}
		}
	}
	return s, nil
}

func (s *mediaStatement) bind(v *mediaValues) []any {
	all := make([]any, len(s.take))
	for i, take := range s.take {
		all[i] = take(v)
	}
	return all
}

// A column is where a value of a result goes.
type column struct {
	name string
	into any
}

// targets are what Scan takes for the columns that are wanted.
func (s *mediaStatement) targets(wanted ...column) []any {
	targets := make([]any, s.width)
	for _, c := range wanted {
		if i, ok := s.at[c.name]; ok {
			targets[i] = c.into
		}
	}
	return targets
}

// A sent statement is one of a flight, with what reads its result.
type sent struct {
	statement *mediaStatement
	values    *mediaValues
	// found reads the only row, if there is one; nil if only the number of rows matters.
	found func(row pgx.Rows) error
	// n becomes the number of rows.
	n affected
}

// flight sends groups of statements in one round trip, each group as a transaction of its own: what a
// pgx.Batch is, with commit points.
func (p *mediaPlain) flight(ctx context.Context, groups ...[]*sent) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	c := conn.Conn()
	var prepared []*pgconn.StatementDescription
	for _, group := range groups {
		for _, one := range group {
			d, err := c.Prepare(ctx, one.statement.text, one.statement.text) // known after the first time
			if err != nil {
				return err
			}
			prepared = append(prepared, d)
		}
	}
	pipeline := c.PgConn().StartPipeline(ctx)
	var builder pgx.ExtendedQueryBuilder
	for _, group := range groups {
		for _, one := range group {
			if err := builder.Build(c.TypeMap(), prepared[0], one.statement.bind(one.values)); err != nil {
				_ = pipeline.Close()
				return err
			}
			pipeline.SendQueryPrepared(prepared[0].Name, builder.ParamValues, builder.ParamFormats, builder.ResultFormats)
			prepared = prepared[1:]
		}
		pipeline.SendPipelineSync()
	}
	err = pipeline.Flush()
	if err == nil {
		err = readFlight(c, pipeline, groups)
	}
	if closing := pipeline.Close(); err == nil {
		err = closing
	}
	return err
}

func readFlight(c *pgx.Conn, pipeline *pgconn.Pipeline, groups [][]*sent) error {
	for _, group := range groups {
		for _, one := range group {
			results, err := pipeline.GetResults()
			if err != nil {
				return err
			}
			reader, ok := results.(*pgconn.ResultReader)
			if !ok {
				return fmt.Errorf("%T came where rows should", results)
			}
			if err := one.read(pgx.RowsFromResultReader(c.TypeMap(), reader)); err != nil {
				return err
			}
		}
		if _, err := pipeline.GetResults(); err != nil { // the commit
			return err
		}
	}
	return nil
}

func (s *sent) read(rows pgx.Rows) error {
	defer rows.Close()
	for rows.Next() {
		if s.found != nil {
			if err := s.found(rows); err != nil {
				return err
			}
		}
	}
	rows.Close()
	s.n = affected(rows.CommandTag().RowsAffected())
	return rows.Err()
}
