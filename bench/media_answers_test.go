package bench

import (
	"bytes"
	"context"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func mediaFor(t *testing.T) *media {
	t.Helper()
	m, err := environmentFor(t).media(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// alike has all ways do the same, and compares what they answer.
func alike[A any](t *testing.T, m *media, what string, do func(way string, w mediaWay) (A, error)) A {
	t.Helper()
	var first A
	var firstErr error
	for i, name := range allWays {
		got, err := do(name, m.ways[name])
		if i == 0 {
			first, firstErr = got, err
			continue
		}
		if (err == nil) != (firstErr == nil) || err == nil && !reflect.DeepEqual(got, first) {
			t.Errorf("%s: %s answers %+v, %v; %s answers %+v, %v", what, name, got, err, allWays[0], first, firstErr)
		}
	}
	return first
}

func TestMediaWaysReadAlike(t *testing.T) {
	m, ctx := mediaFor(t), t.Context()
	for _, i := range []int64{0, 1, sharing - 2, sharing - 1, m.aliases - 1} {
		got := alike(t, m, "Aliases.Resolve", func(_ string, w mediaWay) (resolved, error) { return w.resolveAlias(ctx, aliasOf(i)) })
		if err := got.mustBe("original", hashNumber(i), false); err != nil {
			t.Error(err)
		}
		for _, touch := range []bool{false, true} {
			got := alike(t, m, "Variants.Resolve", func(_ string, w mediaWay) (resolved, error) {
				return w.resolveVariant(ctx, aliasOf(i), mediaVariant, touch)
			})
			if err := got.mustBe("variant", hashNumber(i), touch); err != nil {
				t.Error(err)
			}
		}
	}
	none := alike(t, m, "a variant that is not generated", func(_ string, w mediaWay) (resolved, error) {
		return w.resolveVariant(ctx, aliasOf(0), "blur/3/webp", false)
	})
	if !bytes.Equal(none.hash, ownHash(0)) || none.identifier != "" {
		t.Errorf("a variant that is not generated: %+v", none)
	}
	for _, w := range m.ways {
		if got, err := w.resolveAlias(ctx, "nobody's"); err == nil {
			t.Errorf("an unknown alias: %+v", got)
		}
	}
}

func TestMediaWaysTouchAlike(t *testing.T) {
	m, ctx := mediaFor(t), t.Context()
	for i, want := range map[int64]affected{0: 1, 1: 0} { // only each tenth stands for a URL
		if got := alike(t, m, "Access.Alias", func(_ string, w mediaWay) (affected, error) { return w.touchAlias(ctx, aliasOf(i)) }); got != want {
			t.Errorf("alias %d: %d rows, not %d", i, got, want)
		}
	}
	for _, way := range allWays {
		var before, after time.Time
		const accessed = "SELECT accessed FROM media_variants WHERE hash = $1"
		if err := m.plain.pool.QueryRow(ctx, accessed, ownHash(2)).Scan(&before); err != nil {
			t.Fatal(err)
		}
		n, err := m.ways[way].touchVariant(ctx, ownHash(2), mediaVariant)
		if err != nil || n != 1 {
			t.Errorf("%s: %d rows, %v", way, n, err)
		}
		if err := m.plain.pool.QueryRow(ctx, accessed, ownHash(2)).Scan(&after); err != nil || !after.After(before) {
			t.Errorf("%s: touched at %s, before at %s, %v", way, after, before, err)
		}
	}
}

func TestMediaWaysSaveAlike(t *testing.T) {
	m, ctx := mediaFor(t), t.Context()
	base := m.next.Add(int64(2*len(allWays))) - int64(2*len(allWays))
	number := map[string]int64{wayPlain: base, wayInProcess: base + 1, wayPlugin: base + 2}
	save := func(what string, want saved, of func(i int64) *upload) {
		t.Helper()
		got := alike(t, m, what, func(way string, w mediaWay) (saved, error) {
			s, err := w.save(ctx, of(number[way]))
			return s, err
		})
		if got != want {
			t.Errorf("%s: %+v, not %+v", what, got, want)
		}
	}
	fresh := func(i int64) *upload {
		return &upload{hash: ownHash(i), identifier: fileOf("original", i), details: mediaDetails, alias: aliasOf(i), token: "token"}
	}
	duplicate := func(i int64) *upload {
		u := fresh(i)
		u.identifier, u.alias = fileOf("original", i+int64(len(allWays))), aliasOf(i+int64(len(allWays)))
		return u
	}
	save("a new file", saved{token: "token"}, fresh)
	save("a duplicate", saved{hashExisted: true, token: "token"}, duplicate)
	for way, i := range number {
		for _, alias := range []string{aliasOf(i), aliasOf(i + int64(len(allWays)))} {
			got, err := m.plain.resolveAlias(ctx, alias)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.mustBe("original", i, false); err != nil {
				t.Errorf("%s: %v", way, err)
			}
		}
		var left int
		if err := m.plain.pool.QueryRow(ctx, "SELECT count(*) FROM media_details WHERE identifier = $1", duplicate(i).identifier).Scan(&left); err != nil || left != 0 {
			t.Errorf("%s: the details of the file that is not needed are left, %v", way, err)
		}
	}
}

func TestMediaWaysHandOutJobsAlike(t *testing.T) {
	m := mediaFor(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, pusher := range allWays {
		for _, popper := range allWays {
			queue, w := queueOf("handed", pusher+popper), m.ways[popper]
			var ids [][]byte
			for i := range 3 {
				id, err := m.ways[pusher].push(ctx, queue, `{"n": `+strconv.Itoa(i)+`}`)
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
			first, err := w.pop(ctx, queue, workerOf(7))
			if err != nil || !bytes.Equal(first.id, ids[0]) || first.payload != `{"n": 0}` {
				t.Errorf("%s to %s: first %+v, %v", pusher, popper, first, err)
			}
			second, held, err := w.next(ctx, queue, workerOf(7), first.id)
			if err != nil || !held || !bytes.Equal(second.id, ids[1]) {
				t.Errorf("%s to %s: second %+v, held %t, %v", pusher, popper, second, held, err)
			}
			third, held, err := w.next(ctx, queue, workerOf(7), first.id)
			if err != nil || held || !bytes.Equal(third.id, ids[2]) {
				t.Errorf("%s to %s: third %+v, held %t, %v", pusher, popper, third, held, err)
			}
			for _, id := range [][]byte{second.id, third.id} {
				for _, want := range []bool{true, false} {
					if held, err := w.complete(ctx, queue, workerOf(7), id); err != nil || held != want {
						t.Errorf("%s to %s: held %t, not %t, %v", pusher, popper, held, want, err)
					}
				}
			}
		}
	}
}

func TestNothingOfMediaIsLeftInADatabaseOfOnesOwn(t *testing.T) {
	e := environmentFor(t)
	s := e.settings
	s.config, s.database, s.plugin = filepath.Join("..", "queries.example.yaml"), testdb.Database(t, mortise.Schema), e.program
	t.Setenv(databaseVariable, "") // so that it is set back afterwards
	testdb.Exec(t, s.database, `INSERT INTO media_hashes VALUES ('\x01', 'mine', NULL, NULL, now()); INSERT INTO media_aliases VALUES ('mine', '\x01', 'x')`)
	own, err := openEnvironment(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SaveNew", "SaveDuplicate", "Push", "Pop", "Complete"} {
		one := taskNamed(name)
		if err := one.ready(t.Context(), own, wayPlugin, 2, 5); err != nil {
			t.Fatal(err)
		}
		if _, err := measure(t.Context(), own, one, wayPlugin, 2, 5, func() {}, func() {}); err != nil {
			t.Error(err)
		}
	}
	if err := own.close(); err != nil {
		t.Fatal(err)
	}
	conn := testdb.Conn(t, s.database)
	for table, want := range map[string]int{"media_hashes": 1, "media_aliases": 1, "media_variants": 0, "media_details": 0, "media_proxies": 0, "media_jobs": 0} {
		var got int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&got); err != nil || got != want {
			t.Errorf("%s has %d rows, not %d, %v", table, got, want, err)
		}
	}
}
