package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/storage/query"
)

const (
	// quiet is how long the listener's connection may say nothing before it is asked for a sign of life:
	// a peer that vanished is not noticed by reading.
	quiet = 15 * time.Second
	// signOfLife is how long that may take.
	signOfLife = 5 * time.Second
	// notifyLimit bounds one notification that is sent.
	notifyLimit = 5 * time.Second
)

// A Notification is one that another connection sent.
type Notification struct {
	Channel string
	Payload string
}

// A Listener is a connection outside of the pool that receives notifications and does nothing else. It
// is used by one goroutine at a time.
type Listener struct {
	conn  *pgx.Conn
	quiet time.Duration
}

// CheckListen says whether a connection string for Listen can be read.
func CheckListen(connString string) error {
	if _, err := pgxpool.ParseConfig(connString); err != nil {
		return errors.New("listen_connection_string cannot be read; expected postgres://user@host:port/database or host=HOST port=PORT dbname=NAME")
	}
	return nil
}

// Listen connects a listener. connString leads to the same database on a way that lets notifications
// through, for example around a pooler; empty is the pool's own way. The password is looked up anew
// each time.
func (p *Pool) Listen(ctx context.Context, connString string) (*Listener, error) {
	if connString == "" {
		connString = p.options.ConnString
	}
	config, err := pgxpool.ParseConfig(connString) // it takes pool_* settings off
	if err != nil {
		return nil, CheckListen(connString)
	}
	p.setUp(config.ConnConfig)
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("no connection for notifications: %w", plainConnectError(err))
	}
	return &Listener{conn: conn, quiet: quiet}, nil
}

// Subscribe runs a listen statement. Lost says that the connection is gone, and not only the statement
// refused.
func (l *Listener) Subscribe(ctx context.Context, statement *query.Statement) error {
	ctx, cancel := context.WithTimeout(ctx, notifyLimit)
	defer cancel()
	if _, err := l.conn.PgConn().Exec(ctx, statement.Text()).ReadAll(); err != nil {
		return fmt.Errorf("%s: %w", statement.Operation.Key, plainConnectError(err))
	}
	return nil
}

// Lost says whether the connection is gone.
func (l *Listener) Lost() bool { return l.conn.IsClosed() }

// Next waits for a notification. An error means that the connection is of no use any more, or that ctx
// ended.
func (l *Listener) Next(ctx context.Context) (Notification, error) {
	for {
		n, err := l.wait(ctx)
		switch {
		case err == nil:
			return n, nil
		case ctx.Err() != nil:
			return Notification{}, ctx.Err()
		case !errors.Is(err, context.DeadlineExceeded):
			return Notification{}, plainConnectError(err)
		}
		if err := l.ping(ctx); err != nil {
			return Notification{}, fmt.Errorf("the connection gives no sign of life: %w", plainConnectError(err))
		}
	}
}

func (l *Listener) wait(ctx context.Context) (Notification, error) {
	ctx, cancel := context.WithTimeout(ctx, l.quiet)
	defer cancel()
	n, err := l.conn.WaitForNotification(ctx)
	if err != nil {
		return Notification{}, err
	}
	return Notification{Channel: n.Channel, Payload: n.Payload}, nil
}

func (l *Listener) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, signOfLife)
	defer cancel()
	return l.conn.Ping(ctx)
}

// Close ends the connection.
func (l *Listener) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.conn.Close(ctx)
}

// Notify sends a notification over a connection for periodic work.
func (p *Pool) Notify(ctx context.Context, channel, payload string) error {
	ctx, cancel := context.WithTimeout(ctx, notifyLimit)
	defer cancel()
	conn, err := p.periodic.Acquire(ctx)
	if err != nil {
		return plainConnectError(err)
	}
	defer conn.Release()
	// Unnamed, so that it works behind any pooler.
	_, err = conn.Conn().PgConn().ExecParams(ctx, "SELECT pg_notify($1, $2)", [][]byte{[]byte(channel), []byte(payload)},
		[]uint32{textOID, textOID}, nil, nil).Close()
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return fmt.Errorf("the server does not take notifications (SQLSTATE %s)", refused.Code)
	}
	return err
}

const textOID = 25 // pg_type.dat
