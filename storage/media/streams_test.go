package media_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// eventually waits for a condition that holds soon.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain waited for: %s", what)
		case <-ticker.C:
		}
	}
}

func TestListInBatches(t *testing.T) {
	for _, c := range []struct{ size, batches int }{{1, 50}, {7, 8}, {25, 2}, {49, 2}, {50, 1}, {1000, 1}} {
		s := open(t, full(t).with("hashes.batch_size", fmt.Sprint(c.size)), many)
		var batches []*mediav1.HashBatch
		var err error
		trips := s.wire.count(func() {
			batches, err = drain(s.hashes.List(t.Context(), &mediav1.ListHashesRequest{}))
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(batches) != c.batches || trips != c.batches {
			t.Errorf("size %d: %d batches in %d round trips; expected %d", c.size, len(batches), trips, c.batches)
		}
		var all []string
		for i, batch := range batches {
			all = append(all, hashesIn(batch.GetHashes())...)
			if last := i == len(batches)-1; last != (batch.GetCursor() == nil) {
				t.Errorf("size %d: batch %d has the cursor %v", c.size, i, batch.GetCursor())
			}
		}
		if want := s.inOrder(t); !slices.Equal(all, want) {
			t.Errorf("size %d: %v; expected %v", c.size, all, want)
		}
	}
}

func TestListOfNothing(t *testing.T) {
	s := open(t, full(t))
	batches := ok[[]*mediav1.HashBatch](t)(drain(s.hashes.List(t.Context(), &mediav1.ListHashesRequest{})))
	if len(batches) != 1 || len(batches[0].GetHashes()) != 0 || batches[0].GetCursor() != nil {
		t.Errorf("%v", batches)
	}
}

// The row that the next batch begins with goes away while the stream is under way, and new ones come:
// neither ends the stream nor begins it again. Meanwhile other calls use the only connection.
func TestListSurvivesItsCursor(t *testing.T) {
	set := full(t).with("hashes.batch_size", "5")
	s := openAt(t, open(t, set, many).dsn, set, "pool_max_conns=1")
	all := s.inOrder(t)
	before := s.wire.total()
	stream := ok[mediav1.Hashes_ListClient](t)(s.hashes.List(t.Context(), &mediav1.ListHashesRequest{}))
	var got []string
	for batch := 1; ; batch++ {
		received, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, hashesIn(received.GetHashes())...)
		if received.GetCursor() == nil {
			break
		}
		if batch > 1 {
			continue
		}
		// The second batch has been read by now, and the third has not: it is sent only when the second is
		// taken. All that the third begins with is deleted.
		eventually(t, "the second batch", func() bool { return s.wire.total() == before+2 })
		s.exec(t, "DELETE FROM hashes WHERE hash IN ('"+all[10]+"', '"+all[11]+"')")
		ok[*mediav1.CreateHashResponse](t)(s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Hash: []byte("newer"), Identifier: "newer"}))
	}
	if want := append(slices.Clone(all[:10]), all[12:]...); !slices.Equal(got, want) {
		t.Errorf("%v; expected %v", got, want)
	}
}

// A host that lost the stream goes on at the cursor of the last batch that it has.
func TestListGoesOn(t *testing.T) {
	s := open(t, full(t).with("hashes.batch_size", "10"), many)
	all := s.inOrder(t)
	ctx, cancel := context.WithCancel(t.Context())
	stream := ok[mediav1.Hashes_ListClient](t)(s.hashes.List(ctx, &mediav1.ListHashesRequest{}))
	batch := ok[*mediav1.HashBatch](t)(stream.Recv())
	cancel()
	eventually(t, "the end of the stream", func() bool { _, err := stream.Recv(); return err != nil })
	s.exec(t, "DELETE FROM hashes WHERE hash = '"+string(batch.GetCursor().GetHash())+"'")
	got := hashesIn(batch.GetHashes())
	for _, batch := range ok[[]*mediav1.HashBatch](t)(drain(s.hashes.List(t.Context(), &mediav1.ListHashesRequest{From: batch.GetCursor()}))) {
		got = append(got, hashesIn(batch.GetHashes())...)
	}
	if want := append(slices.Clone(all[:10]), all[11:]...); !slices.Equal(got, want) {
		t.Errorf("%v; expected %v", got, want)
	}
}

// old is twenty aliases and variants, four at a time last used at the same moment, and newer ones.
const old = `INSERT INTO alias_access SELECT 'alias-' || lpad(n::text, 2, '0'), timestamptz '2026-03-01' + (n / 4) * interval '1 second' FROM generate_series(0, 24) AS n;
	INSERT INTO variant_access SELECT convert_to('hash-' || lpad((n / 2)::text, 2, '0'), 'UTF8'), 'v' || n % 2, timestamptz '2026-03-01' + (n / 4) * interval '1 second'
		FROM generate_series(0, 24) AS n;`

var fifth = time.Date(2026, 3, 1, 0, 0, 5, 0, time.UTC)

// older returns the rows of both streams as text, and how many messages each had.
func (s *store) older(t *testing.T, request *mediav1.OlderRequest) (aliases, variants []string, messages [2]int) {
	t.Helper()
	first := ok[[]*mediav1.OlderAliasBatch](t)(drain(s.access.OlderAliases(t.Context(), request)))
	for _, batch := range first {
		for _, one := range batch.GetAliases() {
			aliases = append(aliases, one.GetAlias())
		}
	}
	second := ok[[]*mediav1.OlderVariantBatch](t)(drain(s.access.OlderVariants(t.Context(), request)))
	for _, batch := range second {
		for _, one := range batch.GetVariants() {
			variants = append(variants, string(one.GetHash())+"/"+one.GetVariant())
		}
	}
	return aliases, variants, [2]int{len(first), len(second)}
}

func TestOlderInBatches(t *testing.T) {
	for _, c := range []struct{ size, limit, rows, messages int }{
		{1, 0, 20, 20}, {3, 0, 20, 7}, {5, 0, 20, 4}, {100, 0, 20, 1}, {3, 8, 8, 3}, {8, 8, 8, 1}, {100, 8, 8, 1}, {3, 100, 20, 7},
	} {
		size := fmt.Sprint(c.size)
		s := open(t, full(t).with("alias_access.batch_size", size, "variant_access.batch_size", size), old)
		wantAliases := strings.Fields(s.selected(t, fmt.Sprintf("SELECT alias FROM alias_access ORDER BY accessed, alias LIMIT %d", c.rows)))
		wantVariants := strings.Fields(s.selected(t, fmt.Sprintf("SELECT convert_from(hash, 'UTF8') || '/' || variant FROM variant_access ORDER BY accessed, hash, variant LIMIT %d", c.rows)))
		aliases, variants, messages := s.older(t, &mediav1.OlderRequest{Before: timestamppb.New(fifth), Limit: int64(c.limit)})
		if !slices.Equal(aliases, wantAliases) || !slices.Equal(variants, wantVariants) || messages != [2]int{c.messages, c.messages} {
			t.Errorf("%+v: %v, %v in %d messages", c, aliases, variants, messages)
		}
	}
}

func TestOlderThanEverything(t *testing.T) {
	s := open(t, full(t), old)
	if aliases, variants, messages := s.older(t, &mediav1.OlderRequest{Before: timestamppb.New(fifth.Add(-5 * time.Second))}); len(aliases)+len(variants) != 0 || messages != [2]int{} {
		t.Errorf("%v, %v in %d messages", aliases, variants, messages)
	}
	for _, request := range []*mediav1.OlderRequest{{}, {Before: ago(0), Limit: -1}} {
		_, err := drain(s.access.OlderAliases(t.Context(), request))
		expect(t, err, codes.InvalidArgument, fault.InvalidArgument, "")
		_, err = drain(s.access.OlderVariants(t.Context(), request))
		expect(t, err, codes.InvalidArgument, fault.InvalidArgument, "")
	}
}

// The row behind which the next batch begins is removed, as a host removes what it was told of.
func TestOlderSurvivesItsCursor(t *testing.T) {
	s := open(t, full(t).with("alias_access.batch_size", "3"), old)
	stream := ok[mediav1.Access_OlderAliasesClient](t)(s.access.OlderAliases(t.Context(), &mediav1.OlderRequest{Before: timestamppb.New(fifth)}))
	got := 0
	for {
		batch, err := stream.Recv()
		if err != nil {
			break
		}
		got += len(batch.GetAliases())
		for _, one := range batch.GetAliases() {
			ok[*mediav1.Affected](t)(s.access.RemoveAlias(t.Context(), &mediav1.AliasRequest{Alias: one.GetAlias()}))
		}
	}
	s.shows(t, "SELECT count(*) FROM alias_access", "5")
	if got != 20 {
		t.Errorf("%d aliases were told", got)
	}
}

// Queries that do not use their cursor must not make a stream that never ends.
func TestStreamsThatStandStill(t *testing.T) {
	s := open(t, full(t).with("hashes.batch_size", "5", "alias_access.batch_size", "3",
		"hashes.page_query", "SELECT hash, created_at FROM hashes ORDER BY created_at DESC, hash DESC LIMIT @limit",
		"alias_access.older_query", "SELECT alias, accessed FROM alias_access WHERE accessed < @before ORDER BY accessed, alias LIMIT @limit"), many, old)
	_, err := drain(s.hashes.List(t.Context(), &mediav1.ListHashesRequest{}))
	expect(t, err, codes.Internal, fault.BadResult, "media.hashes.page_query")
	_, err = drain(s.access.OlderAliases(t.Context(), &mediav1.OlderRequest{Before: timestamppb.New(fifth)}))
	expect(t, err, codes.Internal, fault.BadResult, "media.alias_access.older_query")
}
