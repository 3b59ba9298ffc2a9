package tracker_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

func TestStatistics(t *testing.T) {
	s := open(t, setup{more: queries{hashesQuery: countHashes}, settings: every(time.Millisecond, 1000)})
	s.service.Start()
	gauges := func() [3]float64 {
		return [3]float64{s.level(seedersGauge), s.level(leechersGauge), s.level(hashesGauge)}
	}
	eventually(t, "the gauges to be right", func() bool { return gauges() == [3]float64{3, 2, 2} })
	s.exec("DELETE FROM peers WHERE port = 1")
	eventually(t, "the gauges to follow", func() bool { return gauges() == [3]float64{2, 2, 2} })
	stats, err := s.service.Stats(limited(t), &trackerv1.StatsRequest{})
	if err != nil || stats.GetSeeders() != 2 || stats.GetLeechers() != 2 || stats.GetInfoHashes() != 2 {
		t.Errorf("asked for: %v, %v", stats, err)
	}
}

// A query that fails leaves its own gauges at their last value, and the others go on.
func TestFailedStatisticsKeepTheirValues(t *testing.T) {
	for name, c := range map[string]struct {
		broken string
		want   [3]float64 // seeders, leechers, info hashes after all peers but one seeder went
	}{
		"of peers":       {countQuery, [3]float64{3, 2, 1}},
		"of info hashes": {hashesQuery, [3]float64{1, 0, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			more := queries{countQuery: countPeers, hashesQuery: countHashes}
			more[c.broken] = strings.Replace(more[c.broken], "FROM peers", "FROM (SELECT * FROM peers WHERE NOT (SELECT fails FROM switch) OR broken(1000000)) AS p", 1)
			s := open(t, setup{more: more, settings: every(time.Millisecond, 1000)})
			s.service.Start()
			gauges := func() [3]float64 {
				return [3]float64{s.level(seedersGauge), s.level(leechersGauge), s.level(hashesGauge)}
			}
			eventually(t, "the first counts", func() bool { return gauges() == [3]float64{3, 2, 2} })
			s.exec("UPDATE switch SET fails = true")
			eventually(t, "a failure", func() bool { return s.runs() > 0 })
			s.exec("DELETE FROM peers WHERE port > 1")
			eventually(t, "the other gauges to go on", func() bool { return gauges() == c.want })
			failed := s.runs()
			eventually(t, "further failures", func() bool { return s.runs() > failed+2 })
			if got := gauges(); got != c.want {
				t.Errorf("the gauges are %v, want %v", got, c.want)
			}
			s.exec("UPDATE switch SET fails = false")
			eventually(t, "all gauges to be right again", func() bool { return gauges() == [3]float64{1, 0, 1} })
		})
	}
}

// Statistics that take longer than their interval do not run beside each other.
func TestStatisticsNeverOverlap(t *testing.T) {
	slow := `SELECT run() AS seeders, (CASE WHEN alone THEN 0 ELSE nextval('collisions') END) AS leechers
		FROM (SELECT pg_try_advisory_xact_lock(1) AS alone, pg_sleep(0.01), ''::bytea AS info_hash) AS long`
	s := open(t, setup{more: queries{countQuery: slow}, settings: every(time.Millisecond, 1000)})
	s.service.Start()
	eventually(t, "several runs", func() bool { return s.runs() >= 5 })
	s.service.Close()
	if n := s.number("SELECT count(*) FROM collisions WHERE is_called"); n != 0 {
		t.Error("statistics ran beside each other")
	}
	if n := s.level(skippedTotal); n < 1 {
		t.Errorf("%v left out runs are counted; each took longer than the interval", n)
	}
}

func TestCloseEndsStatistics(t *testing.T) {
	s := open(t, setup{more: queries{hashesQuery: `SELECT run() FROM (SELECT pg_sleep(3600)) AS long`}, settings: every(time.Millisecond, 1000)})
	s.service.Start()
	eventually(t, "the statistics to run", func() bool {
		return s.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'") == 1
	})
	s.service.Close()
	eventually(t, "the server to stop them", func() bool {
		return s.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'") == 0
	})
}

func TestMetricNames(t *testing.T) {
	for _, prefix := range []string{"mochi", "chihaya"} {
		s := open(t, setup{more: queries{hashesQuery: countHashes}, settings: func(s *trackerv1.Settings) { s.MetricsPrefix = prefix }})
		s.service.Start()
		for _, name := range []string{"seeders_count", "leechers_count", "infohashes_count"} {
			if m := s.metric(prefix + "_storage_" + name); m == nil || m.Gauge == nil {
				t.Errorf("%s: no gauge %s", prefix, name)
			}
		}
		histogram := s.metric(prefix + "_storage_gc_duration_milliseconds").GetHistogram()
		var bounds []float64
		for _, bucket := range histogram.GetBucket() {
			if !math.IsInf(bucket.GetUpperBound(), 1) {
				bounds = append(bounds, bucket.GetUpperBound())
			}
		}
		if want := []float64{9.375, 18.75, 37.5, 75, 150, 300, 600, 1200, 2400, 4800}; !slices.Equal(bounds, want) {
			t.Errorf("%s: the buckets end at %v, want %v", prefix, bounds, want)
		}
		for _, name := range []string{deletedTotal, errorsTotal, skippedTotal} {
			if m := s.metric(name); m == nil || m.Counter == nil {
				t.Errorf("%s: no counter %s", prefix, name)
			}
		}
	}
}

// Without its query there is no gauge of info hashes; zero would be wrong.
func TestNoGaugeWithoutItsQuery(t *testing.T) {
	s := open(t, setup{settings: every(time.Millisecond, 1000)})
	s.service.Start()
	eventually(t, "the other gauges", func() bool { return s.level(seedersGauge) == 3 })
	if n := s.level(hashesGauge); n != -1 {
		t.Errorf("the gauge of info hashes is there: %v", n)
	}
	stats, err := s.service.Stats(limited(t), &trackerv1.StatsRequest{})
	if err != nil || stats.InfoHashes != nil {
		t.Errorf("asked for: %v, %v", stats, err)
	}
}
