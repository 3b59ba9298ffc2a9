package database_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/wake"
)

// listening is a statement that subscribes to a channel.
func listening(t testing.TB, sql string) *query.Statement {
	t.Helper()
	contract, err := operation.Load(mediav1.File_mortise_media_v1_media_proto)
	if err != nil {
		t.Fatal(err)
	}
	statement, problems := query.Compile(contract.Method(mediav1.Operations_QueueListen_FullMethodName), query.Source{SQL: sql})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return statement
}

func pool(t testing.TB, options database.Options) *database.Pool {
	t.Helper()
	p, err := database.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func listen(t testing.TB, p *database.Pool, connString, sql string) *database.Listener {
	t.Helper()
	l, err := p.Listen(limited(t), connString)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	if err := l.Subscribe(limited(t), listening(t, sql)); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListenerReceives(t *testing.T) {
	dsn := testdb.Database(t)
	p := pool(t, database.Options{ConnString: dsn})
	for name, connString := range map[string]string{"the pool's way": "", "one of its own": dsn + " pool_max_conns=3 application_name=direct"} {
		l := listen(t, p, connString, "LISTEN news")
		l.SetQuiet(5 * time.Millisecond) // it goes on after signs of life
		eventually(t, "signs of life", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			_, err := l.Next(ctx)
			return errors.Is(err, context.DeadlineExceeded)
		})
		for _, payload := range []string{"one", "", "a longer one with 'quotes'"} {
			if err := p.Notify(limited(t), "news", payload); err != nil {
				t.Fatal(err)
			}
			if got, err := l.Next(limited(t)); err != nil || got.Channel != "news" || got.Payload != payload {
				t.Errorf("%s: %v, %v; want %q", name, got, err, payload)
			}
		}
	}
}

func TestListenerTellsWhatIsWrong(t *testing.T) {
	p := pool(t, database.Options{ConnString: testdb.Database(t)})
	l := listen(t, p, "", "LISTEN news")
	err := l.Subscribe(limited(t), listening(t, "SELECT missing()"))
	if err == nil || !strings.Contains(err.Error(), "media.queue.listen_query") || l.Lost() {
		t.Errorf("a statement that is refused: %v, lost %t", err, l.Lost())
	}
	if err := p.Notify(limited(t), strings.Repeat("x", 70), "p"); err == nil {
		t.Error("a channel with an impossible name")
	}
	for _, bad := range []string{"postgres://u:s3cr3t@[", "host=/nowhere user=u password=s3cr3t"} {
		if _, err := p.Listen(limited(t), bad); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v", err)
		}
	}
}

// A peer that vanishes without a word is noticed.
func TestListenerNoticesSilence(t *testing.T) {
	var mute muting
	p := pool(t, database.Options{ConnString: testdb.Database(t), Dial: mute.dial})
	l := listen(t, p, "", "LISTEN news")
	l.SetQuiet(10 * time.Millisecond)
	mute.now()
	if _, err := l.Next(limited(t)); err == nil || !strings.Contains(err.Error(), "no sign of life") {
		t.Errorf("got %v", err)
	}
}

// muting connections swallow, from some time on, what is sent over them.
type muting struct {
	mu   sync.Mutex
	mute bool
}

func (m *muting) now() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mute = true
}

func (m *muting) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return &mutedConn{Conn: conn, muting: m}, err
}

type mutedConn struct {
	net.Conn
	muting *muting
}

func (c *mutedConn) Write(b []byte) (int, error) {
	c.muting.mu.Lock()
	mute := c.muting.mute
	c.muting.mu.Unlock()
	if mute {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// A station is a hub with one topic, and what it logs.
type station struct {
	hub   *wake.Hub
	topic *wake.Topic
	log   *lockedLog
	stats *prometheus.Registry
}

type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lockedLog) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

func newStation(t testing.TB, p *database.Pool, connString string, subscription func() wake.Subscription) *station {
	t.Helper()
	s := &station{log: &lockedLog{}, stats: prometheus.NewRegistry()}
	s.hub = wake.New(wake.Options{Database: p, Connection: connString, Answer: 300 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(s.log, nil)), Registerer: s.stats})
	s.topic = s.hub.Topic(wake.Kind{Name: "news", Single: true, Subscription: subscription,
		Key: func(payload string) (string, bool) { return payload, true }})
	s.hub.Start()
	t.Cleanup(s.hub.Close)
	return s
}

func to(sql *query.Statement) func() wake.Subscription {
	return func() wake.Subscription { return wake.Subscription{Listen: sql, Poll: time.Hour} }
}

// woken says whether a notification with the payload wakes one who waits.
func (s *station) woken(t testing.TB, p *database.Pool, payload string) error {
	t.Helper()
	w := s.topic.Register(payload)
	defer w.Leave()
	if err := p.Notify(limited(t), "news", payload); err != nil {
		return err
	}
	return w.Wait(limited(t))
}

// Behind a pooler in transaction mode LISTEN succeeds, and nothing ever arrives.
func TestNotificationsBehindAPooler(t *testing.T) {
	dsn := testdb.Database(t)
	behind := pool(t, database.Options{ConnString: startPooler(t, dsn, 2), Mode: database.Unprepared})
	direct := pool(t, database.Options{ConnString: dsn})
	statement := listening(t, "LISTEN news")

	deaf := newStation(t, behind, "", to(statement))
	eventually(t, "the hub to notice", func() bool { return deaf.log.count("notifications do not arrive") == 1 })
	if deaf.topic.Notified() {
		t.Error("it counts on notifications")
	}
	around := newStation(t, behind, dsn, to(statement))
	eventually(t, "notifications around the pooler", around.topic.Notified)
	if err := around.woken(t, direct, "k"); err != nil {
		t.Error(err)
	}
	if deaf.log.count("notifications do not arrive") != 1 || around.log.count("level=WARN") != 0 {
		t.Error("the log was told more than once, or of nothing")
	}
}

func TestHubConnectsAgain(t *testing.T) {
	dsn := testdb.Database(t)
	p := pool(t, database.Options{ConnString: dsn})
	s := newStation(t, p, dsn+" application_name=listener", to(listening(t, "LISTEN news")))
	for range 3 {
		eventually(t, "notifications", s.topic.Notified)
		w := s.topic.Register("k")
		testdb.Exec(t, dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'listener' AND datname = current_database()`)
		if err := w.Wait(limited(t)); err != nil { // for what was missed
			t.Error(err)
		}
		w.Leave()
		eventually(t, "notifications again", s.topic.Notified)
		if err := s.woken(t, p, "another"); err != nil {
			t.Error(err)
		}
	}
}

// Probes are nobody's news: neither for the process that sends them, nor for others.
func TestProbesWakeNobody(t *testing.T) {
	dsn := testdb.Database(t)
	p := pool(t, database.Options{ConnString: dsn})
	statement := listening(t, "LISTEN news")
	first := newStation(t, p, "", func() wake.Subscription { return wake.Subscription{Listen: statement, Poll: time.Hour} })
	eventually(t, "notifications", first.topic.Notified)
	second := newStation(t, p, "", to(statement))
	eventually(t, "notifications", second.topic.Notified)
	if err := first.woken(t, p, "k"); err != nil { // what was sent before has arrived by then
		t.Error(err)
	}
	families, err := first.stats.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "mortise_notifications_total" && family.GetMetric()[0].GetCounter().GetValue() != 1 {
			t.Errorf("%v notifications were taken for news", family.GetMetric()[0].GetCounter().GetValue())
		}
	}
}

func TestWhatIsWrongWithTheChannelIsTold(t *testing.T) {
	dsn := testdb.Database(t, `CREATE FUNCTION subscribe() RETURNS void LANGUAGE plpgsql AS $$ BEGIN LISTEN news; END $$`)
	p := pool(t, database.Options{ConnString: dsn})
	for name, c := range map[string]struct {
		sql, channel, log string
		arrive            bool
	}{
		"a function with its channel":    {"SELECT subscribe()", "news", "notifications arrive", true},
		"a function without":             {"SELECT subscribe()", "", "the channel is not known", false},
		"another channel than the one":   {"LISTEN news", "olds", "does not arrive", false},
		"a function that does not exist": {"SELECT missing()", "news", "the query to listen failed", false},
	} {
		s := newStation(t, p, "", func() wake.Subscription {
			return wake.Subscription{Listen: listening(t, c.sql), Channel: c.channel, Poll: time.Hour}
		})
		eventually(t, name, func() bool { return s.log.count(c.log) == 1 })
		if s.topic.Notified() != c.arrive {
			t.Errorf("%s: notified is %t", name, !c.arrive)
		}
		s.hub.Close()
	}
}

// Other queries to listen take effect at once, the same ones change nothing.
func TestHubFollowsAReload(t *testing.T) {
	dsn := testdb.Database(t)
	p := pool(t, database.Options{ConnString: dsn})
	var mu sync.Mutex
	var now wake.Subscription
	use := func(s wake.Subscription) {
		mu.Lock()
		defer mu.Unlock()
		now = s
	}
	s := newStation(t, p, dsn+" application_name=listener", func() wake.Subscription {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	listeners := func() int {
		conn := testdb.Conn(t, dsn)
		defer func() { _ = conn.Close(context.Background()) }()
		n := 0
		if err := conn.QueryRow(limited(t), `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'listener' AND datname = current_database()`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if listeners() != 0 {
		t.Error("there is a listener that nobody asked for")
	}
	use(wake.Subscription{Listen: listening(t, "LISTEN olds"), Poll: time.Hour})
	s.hub.Reloaded()
	eventually(t, "notifications", s.topic.Notified)
	use(wake.Subscription{Listen: listening(t, "LISTEN news"), Poll: time.Hour})
	s.hub.Reloaded()
	eventually(t, "the new channel", func() bool {
		w := s.topic.Register("k")
		defer w.Leave()
		if err := p.Notify(limited(t), "news", "k"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		return w.Wait(ctx) == nil
	})
	eventually(t, "notifications", s.topic.Notified)
	s.hub.Reloaded()
	use(wake.Subscription{Poll: time.Hour})
	s.hub.Reloaded()
	eventually(t, "the listener to go", func() bool { return listeners() == 0 && !s.topic.Notified() })
}
