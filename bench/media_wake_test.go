package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage"
)

// BenchmarkWakeUp is the time from the begin of a push until a worker has the job that waited for it
// elsewhere: it shares nothing with the one who pushes but the database. It is told by a notification;
// it looks by itself only once an hour. In the way plugin both are behind plugins of their own, in the
// way inprocess behind storages, and in the way plain a connection listens. What goes before the push,
// the wait until the worker waits, is not part of the time.
func BenchmarkWakeUp(b *testing.B) { bench(b, taskNamed("WakeUp")) }

var wakeTask = func() task {
	t := mediaTask("WakeUp", func(ctx context.Context, m *media, _ string, _ int) error {
		m.wakeOnce.Do(func() { m.wake, m.wakeErr = openWakeUps(ctx, m) })
		return errors.Join(m.wakeErr, m.clearJobs(ctx))
	}, func(ctx context.Context, m *media, w mediaWay, c *caller) error { return m.wakeUp(ctx, w, c) })
	t.alone, t.times = true, true
	return t
}()

// WakeUps are those who wait for jobs, apart from those who push them.
type wakeUps struct {
	storage *storage.Storage
	host    *mortise.Host
	// conn listens, for the way plain; watch asks what others do, and is nobody else's, since what a
	// connection did last is forgotten with its next statement.
	conn, watch *pgx.Conn
	// pop of each way waits until there is a job.
	pop map[string]func(ctx context.Context, queue string, worker []byte) (job, error)
}

// never is how often those who wait look by themselves.
const never = time.Hour

func openWakeUps(ctx context.Context, m *media) (*wakeUps, error) {
	w := &wakeUps{}
	for _, open := range []func(context.Context, *media) error{w.openConns, w.openStorage, w.openHost} {
		if err := open(ctx, m); err != nil {
			w.close()
			return nil, err
		}
	}
	inside, outside := newMediaAPI(w.storage.Conn()), newMediaAPI(w.host.Conn())
	w.pop = map[string]func(context.Context, string, []byte) (job, error){wayInProcess: inside.pop, wayPlugin: outside.pop,
		wayPlain: func(ctx context.Context, queue string, worker []byte) (job, error) {
			return w.popPlain(ctx, m.plain, queue, worker)
		}}
	for _, api := range []*mediaAPI{inside, outside} {
		if err := api.awaitNotified(ctx); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *wakeUps) openConns(ctx context.Context, m *media) (err error) {
	for _, conn := range []**pgx.Conn{&w.conn, &w.watch} {
		if *conn, err = pgx.ConnectConfig(ctx, m.plain.pool.Config().ConnConfig); err != nil {
			return err
		}
	}
	_, err = w.conn.Exec(ctx, m.plain.listen.text)
	return err
}

// openStorage opens another storage, with its background work: listening is part of that.
func (w *wakeUps) openStorage(ctx context.Context, m *media) (err error) {
	config := m.env.config.Storage
	settings := proto.CloneOf(config.Settings["media"].(*mediav1.SectionSettings))
	settings.QueuePollInterval = durationpb.New(never)
	config.Settings = maps.Clone(config.Settings)
	config.Settings["media"] = settings
	if w.storage, err = storage.Open(ctx, config, storage.Options{}); err != nil {
		return err
	}
	settled, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	problems, err := w.storage.Settled(settled)
	return errors.Join(err, problems.Err())
}

// openHost starts another plugin, with a copy of the query file.
func (w *wakeUps) openHost(ctx context.Context, m *media) error {
	text, err := os.ReadFile(m.env.settings.config)
	if err != nil {
		return err
	}
	changed := strings.ReplaceAll(string(text), "poll_interval: 1s", "poll_interval: "+never.String())
	if changed == string(text) {
		return fmt.Errorf("%s says nowhere poll_interval: 1s, which was to be replaced", m.env.settings.config)
	}
	file := filepath.Join(m.env.folder, "wake.yaml")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		return err
	}
	w.host, err = mortise.Connect(ctx, mortise.ConnectOptions{Program: m.env.program, Config: file,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	return err
}

func (w *wakeUps) close() {
	if w.host != nil {
		w.host.Close()
	}
	if w.storage != nil {
		w.storage.Close()
	}
	for _, conn := range []*pgx.Conn{w.conn, w.watch} {
		if conn != nil {
			_ = conn.Close(context.Background())
		}
	}
}

// awaitNotified waits until notifications arrive.
func (a *mediaAPI) awaitNotified(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		r, err := a.repo.Capabilities(ctx, &mediav1.CapabilitiesRequest{})
		if err != nil || r.GetNotified() {
			return err
		}
	}
}

// popPlain looks for a job, and again whenever its queue is notified.
func (w *wakeUps) popPlain(ctx context.Context, p *mediaPlain, queue string, worker []byte) (job, error) {
	for {
		j, found, err := p.take(ctx, queue, worker)
		if err != nil || found {
			return j, err
		}
		for woken := false; !woken; {
			told, err := w.conn.WaitForNotification(ctx)
			if err != nil {
				return job{}, err
			}
			_, name, _ := strings.Cut(told.Payload, " ")
			woken = name == queue
		}
	}
}

// wakeUp has a worker wait, and then pushes a job for it.
func (m *media) wakeUp(ctx context.Context, pusher mediaWay, c *caller) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	queue := queueOf("wake", c.way)
	var since time.Time
	if err := m.plain.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&since); err != nil {
		return err
	}
	type taken struct {
		job
		err error
		at  time.Time
	}
	got := make(chan taken, 1)
	go func() {
		j, err := m.wake.pop[c.way](ctx, queue, workerOf(0))
		got <- taken{j, err, time.Now()}
	}()
	if err := m.awaitLook(ctx, since); err != nil {
		cancel()
		return errors.Join(err, (<-got).err)
	}
	begin := time.Now()
	_, err := pusher.push(ctx, queue, `"job"`)
	if err != nil {
		cancel()
	}
	end := <-got
	if err := errors.Join(err, end.err); err != nil {
		return err
	}
	c.took = end.at.Sub(begin)
	_, err = pusher.complete(ctx, queue, workerOf(0), end.id)
	return errors.Join(err, end.plausible())
}

// awaitLook waits until somebody has looked for a job, as the server's list of connections tells.
func (m *media) awaitLook(ctx context.Context, since time.Time) error {
	for looked := false; !looked; {
		err := m.wake.watch.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND state = 'idle' AND state_change > $1 AND strpos(query, 'media.queue.claim_' || 'query') > 0)`, since).Scan(&looked)
		if err != nil {
			return fmt.Errorf("waiting until the worker waits: %w", err)
		}
	}
	return nil
}
