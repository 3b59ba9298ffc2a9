package bench

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A media is what the environment has for the media domain: its rows, and the ways. It is made when the
// first of its benchmarks runs, since most runs are about something else, and a million aliases take
// minutes.
type media struct {
	env  *environment
	ways map[string]mediaWay
	// plain is also in ways.
	plain *mediaPlain
	// aliases is how many are stored.
	aliases int64
	// next is the number of the next new thing.
	next atomic.Int64
	// running counts the jobs that were handed out to be completed.
	running atomic.Int64

	wakeOnce sync.Once
	wake     *wakeUps
	wakeErr  error
}

// media returns what there is for the media domain, made at first use.
func (e *environment) media(ctx context.Context) (*media, error) {
	e.mediaOnce.Do(func() {
		if e.mediaShared, e.mediaErr = openMedia(ctx, e); e.mediaErr != nil {
			e.mediaErr = fmt.Errorf("the media domain: %w", e.mediaErr)
		}
	})
	return e.mediaShared, e.mediaErr
}

func openMedia(ctx context.Context, e *environment) (*media, error) {
	if _, served := e.config.Storage.Settings["media"]; !served {
		return nil, fmt.Errorf("%s has no section media", e.settings.config)
	}
	p, err := newMediaPlain(ctx, e.config, e.plain.pool)
	if err != nil {
		return nil, err
	}
	m := &media{env: e, plain: p, aliases: e.settings.aliases, ways: map[string]mediaWay{
		wayPlain: p, wayInProcess: newMediaAPI(e.storage.Conn()), wayPlugin: newMediaAPI(e.host.Conn())}}
	m.next.Store(m.aliases)
	return m, m.fill(ctx)
}

// fill stores the aliases with SQL of its own: through the API a million would take too long. So it
// fits the tables of schema.sql only.
func (m *media) fill(ctx context.Context) error {
	for _, statement := range mediaFill {
		if _, err := m.plain.pool.Exec(ctx, statement, m.aliases); err != nil {
			return fmt.Errorf("filling the tables of schema.sql: %w", err)
		}
	}
	if m.env.server == nil {
		return nil
	}
	return m.env.execute(ctx, m.env.server.AdminConnString()+" dbname=mortise", "VACUUM (ANALYZE)")
}

// close ends what waits, and takes everything out of a database of somebody's own.
func (m *media) close(ctx context.Context) error {
	if m.wake != nil {
		m.wake.close()
	}
	if m.env.server != nil {
		return nil
	}
	var problems []error
	for _, statement := range mediaEmpty {
		var arguments []any
		if statement != mediaEmpty[0] && statement != mediaEmpty[1] {
			arguments = append(arguments, m.next.Load())
		}
		_, err := m.plain.pool.Exec(ctx, statement, arguments...)
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// Queues of the benchmarks; every way has its own.
func queueOf(purpose, way string) string { return "mortise bench " + purpose + " " + way }

// A worker's UUID follows from its number.
func workerOf(n int) []byte {
	id := make([]byte, 16)
	copy(id, "mortise bench")
	id[14], id[15] = byte(n>>8), byte(n)
	return id
}

// clearJobs removes all jobs of the benchmarks, and what is left of them in the indexes: otherwise each
// measurement would step over those of the one before.
func (m *media) clearJobs(ctx context.Context) error {
	_, err := m.plain.pool.Exec(ctx, mediaEmpty[0])
	if err == nil {
		_, err = m.plain.pool.Exec(ctx, "VACUUM (ANALYZE) media_jobs")
	}
	return err
}

// readyJobs stores n jobs that can be taken.
func readyJobs(ctx context.Context, m *media, way string, n int) error {
	if err := m.clearJobs(ctx); err != nil {
		return err
	}
	_, err := m.plain.pool.Exec(ctx, `INSERT INTO media_jobs (id, queue, job, retry, queue_time)
		SELECT md5('mortise bench job ' || i)::uuid, $1, '"job"', 5, now() + i * interval '1 millisecond' FROM generate_series(1, $2::bigint) AS i`,
		queueOf("ready", way), n)
	return err
}

// runningJobs stores n jobs that the first worker holds.
func runningJobs(ctx context.Context, m *media, way string, n int) error {
	if err := m.clearJobs(ctx); err != nil {
		return err
	}
	m.running.Store(0)
	_, err := m.plain.pool.Exec(ctx, `INSERT INTO media_jobs (id, queue, job, retry, queue_time, worker, heartbeat)
		SELECT md5('mortise bench job ' || i)::uuid, $1, '"job"', 5, now(), $3::uuid, now() + interval '1 day' FROM generate_series(1, $2::bigint) AS i`,
		queueOf("running", way), n, workerOf(0))
	return err
}

// noJobs makes room.
func noJobs(ctx context.Context, m *media, _ string, _ int) error { return m.clearJobs(ctx) }

// alias chooses the caller's next alias: any of all, others in each way, so that none finds in memory
// what the way before has read.
func (c *caller) alias(m *media) int64 {
	c.turn++
	rng := rand.New(rand.NewPCG(uint64(c.turn)<<16|uint64(c.id), uint64(len(c.way))))
	return rng.Int64N(m.aliases)
}

// patience is how long a call may wait for a job: one that is lost ends the benchmark.
const patience = 30 * time.Second

// jobNumber is the id of the i-th job that is stored before a measurement.
func jobNumber(i int64) []byte {
	sum := md5.Sum([]byte("mortise bench job " + strconv.FormatInt(i, 10)))
	return sum[:]
}
