package conformance

import (
	"context"
	"errors"
	"io"
	"slices"

	"google.golang.org/grpc"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// fewRows is the largest batch of which the cases fill several.
const fewRows = 30

// read reads a stream until it ends or more returns false, and gives it up then.
func read[R any](g *gallery, open func(context.Context) (grpc.ServerStreamingClient[R], error), more func(*R) bool) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.ctx)
	defer cancel()
	stream, err := open(ctx)
	if err != nil {
		g.t.Fatalf("opening a stream: %v", err)
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			g.t.Fatalf("reading a stream: %v", err)
		}
		if !more(message) {
			break
		}
	}
	cancel()
	for err == nil { // its other end goes before the case does
		_, err = stream.Recv()
	}
}

// listed reads batches of hashes from a place on, until there are n hashes or no more; n < 0 is all.
func (s span) listed(from *mediav1.OrderedHash, n int) (hashes []*mediav1.OrderedHash, batches []*mediav1.HashBatch) {
	s.g.t.Helper()
	read(s.g, func(ctx context.Context) (grpc.ServerStreamingClient[mediav1.HashBatch], error) {
		return s.g.media.Hashes.List(ctx, &mediav1.ListHashesRequest{From: from})
	}, func(b *mediav1.HashBatch) bool {
		hashes, batches = append(hashes, b.Hashes...), append(batches, b)
		return n < 0 || len(hashes) < n
	})
	return hashes, batches
}

// batch is how many hashes a batch of the stream has.
func (g *gallery) batch() int {
	if n := g.media.Section.GetHashesBatchSize(); n > 0 {
		return int(n)
	}
	return 1000
}

// several is how many rows make more than two batches, or, if they are large, a part of one.
func several(batch int) int {
	if batch > fewRows {
		return 5
	}
	return 2*batch + 1
}

func streamCases() []mediaCase {
	const (
		all  = "all hashes are visited once, in the order of pages, in batches that know where the next one begins"
		goOn = "a stream goes on at the cursor of a batch, whether or not that hash is still there"
	)
	stream := keys(hashesFirstPage, hashesPage)
	ages := func(n int, age func(i int) int) []int {
		list := make([]int, n)
		for i := range list {
			list[i] = age(i)
		}
		return list
	}
	var cases []mediaCase
	for _, mix := range []struct {
		name string
		age  func(i int) int
	}{
		{"different times", func(i int) int { return (i*7)%101 + 1 }},
		{"equal times", func(int) int { return 10 }},
	} {
		cases = append(cases, mediaCase{name: "Hashes.List visits hashes of " + mix.name, on: stream, says: all, needs: timed, exclusive: true,
			run: func(g *gallery) {
				s := g.lowest()
				order := s.fill(ages(several(g.batch()), mix.age)...)
				s.visits(s.top(), order)
				for _, at := range []int{1, len(order) / 2, len(order) - 1} {
					s.visits(order[at], order[at:])
				}
			}})
	}
	return append(cases, []mediaCase{
		{name: "Hashes.List begins with the newest", on: stream, says: all, needs: timed, exclusive: true,
			run: func(g *gallery) {
				s := g.topmost()
				order := s.fill(ages(several(g.batch()), func(i int) int { return i%3 + 1 })...)
				got, _ := s.listed(nil, len(order))
				if len(got) < len(order) || !slices.EqualFunc(got[:len(order)], order, samePlace) {
					g.t.Errorf("the stream begins with %s; it should begin with %s", shownHashes(got[:min(len(got), len(order))]), shownHashes(order))
				}
			}},
		{name: "Hashes.List goes on where its hash was", on: stream, says: goOn, needs: timed, exclusive: true,
			run: func(g *gallery) {
				s := g.lowest()
				order := s.fill(10, 20, 20, 20, 20, 30)
				gone := order[2]
				ask(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: gone.Hash})
				s.visits(gone, order[3:])
				ask(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: order[5].Hash})
				s.visits(order[5], nil)
			}},
		{name: "Hashes.List of nothing is one empty batch or none", on: stream, says: all, needs: timed, exclusive: true,
			run: func(g *gallery) {
				s := g.lowest()
				s.visits(s.top(), nil)
			}},
	}...)
}

// visits checks a stream to its end: its hashes, the length of its batches and their cursors.
func (s span) visits(from *mediav1.OrderedHash, want []*mediav1.OrderedHash) {
	s.g.t.Helper()
	got, batches := s.listed(from, -1)
	if !slices.EqualFunc(got, want, samePlace) {
		s.g.t.Errorf("the stream visits %s; it should visit %s", shownHashes(got), shownHashes(want))
	}
	for i, b := range batches {
		if n := s.g.batch(); len(b.Hashes) > n || (len(b.Hashes) < n && i < len(batches)-1) {
			s.g.t.Errorf("batch %d of %d has %d hashes; the batch size is %d", i+1, len(batches), len(b.Hashes), n)
		}
		switch {
		case i == len(batches)-1 && b.Cursor != nil:
			s.g.t.Errorf("the last batch has a cursor, %s", shownPlace(b.Cursor))
		case i < len(batches)-1 && (b.Cursor == nil || len(batches[i+1].Hashes) == 0 || !samePlace(b.Cursor, batches[i+1].Hashes[0])):
			s.g.t.Errorf("the cursor of batch %d is %s; the next batch begins with %s", i+1, shownPlace(b.Cursor), shownHashes(batches[i+1].Hashes))
		}
	}
}
