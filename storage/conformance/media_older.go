package conformance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A used thing is an alias or a variant with its last access.
type used struct {
	what string
	at   time.Time
}

// A usage is one of the two streams of what was not used for long.
type usage struct {
	name string
	on   []string
	// add makes n things that were used at a certain time.
	add func(g *gallery, n int, at time.Time) []used
	// touch records a later access of one of them.
	touch func(g *gallery, one used, at time.Time)
	// forget forgets the time of access of one of them; false if it goes by other ways.
	forget func(g *gallery, one used) bool
	read   func(g *gallery, before time.Time, limit int64) (rows []used, batches []int)
	// begin returns the error that a stream begins with.
	begin func(g *gallery, request *mediav1.OlderRequest) error
	batch func(g *gallery) int
}

var usages = []usage{
	{
		name: "alias_access.older", on: keys(aliasAccessOlder, aliasAccessAccessed, proxiesRelate),
		add: func(g *gallery, n int, at time.Time) []used {
			var all []used
			o := g.original()
			for range n {
				alias := g.alias(o.hash)
				g.urlAt(alias, at)
				all = append(all, used{alias, at})
			}
			return all
		},
		touch: func(g *gallery, one used, at time.Time) { g.touchAlias(one.what, at) },
		forget: func(g *gallery, one used) bool {
			return ask(g, g.media.Access.RemoveAlias, &mediav1.AliasRequest{Alias: one.what}).Affected != nil
		},
		read: func(g *gallery, before time.Time, limit int64) (rows []used, batches []int) {
			read(g, func(ctx context.Context) (grpc.ServerStreamingClient[mediav1.OlderAliasBatch], error) {
				return g.media.Access.OlderAliases(ctx, &mediav1.OlderRequest{Before: stamp(before), Limit: limit})
			}, func(b *mediav1.OlderAliasBatch) bool {
				for _, row := range b.Aliases {
					rows = append(rows, used{row.Alias, row.GetAccessed().AsTime()})
				}
				batches = append(batches, len(b.Aliases))
				return true
			})
			return rows, batches
		},
		begin: func(g *gallery, request *mediav1.OlderRequest) error {
			return began(g.media.Access.OlderAliases(g.ctx, request))
		},
		batch: func(g *gallery) int { return int(g.media.Section.GetAliasAccessBatchSize()) },
	},
	{
		name: "variant_access.older", on: keys(variantAccessOlder, variantAccessAccessed, variantsRelate),
		add: func(g *gallery, n int, at time.Time) []used {
			var all []used
			hashes := [][]byte{g.original().hash, g.original().hash, g.original().hash}
			for i := range n { // the same variants of several hashes
				hash, variant := hashes[i%3], fmt.Sprintf("resize/%d/webp", i/3)
				g.generatedAt(hash, variant, at)
				all = append(all, usedVariant(hash, variant, at))
			}
			return all
		},
		touch: func(g *gallery, one used, at time.Time) {
			hash, variant := one.variant()
			g.touchVariant(hash, variant, at)
		},
		forget: func(g *gallery, one used) bool {
			hash, variant := one.variant()
			return ask(g, g.media.Access.RemoveVariant, &mediav1.VariantRequest{Hash: hash, Variant: variant}).Affected != nil
		},
		read: func(g *gallery, before time.Time, limit int64) (rows []used, batches []int) {
			read(g, func(ctx context.Context) (grpc.ServerStreamingClient[mediav1.OlderVariantBatch], error) {
				return g.media.Access.OlderVariants(ctx, &mediav1.OlderRequest{Before: stamp(before), Limit: limit})
			}, func(b *mediav1.OlderVariantBatch) bool {
				for _, row := range b.Variants {
					rows = append(rows, usedVariant(row.Hash, row.Variant, row.GetAccessed().AsTime()))
				}
				batches = append(batches, len(b.Variants))
				return true
			})
			return rows, batches
		},
		begin: func(g *gallery, request *mediav1.OlderRequest) error {
			return began(g.media.Access.OlderVariants(g.ctx, request))
		},
		batch: func(g *gallery) int { return int(g.media.Section.GetVariantAccessBatchSize()) },
	},
}

func usedVariant(hash []byte, variant string, at time.Time) used {
	return used{fmt.Sprintf("%x %s", hash, variant), at}
}

func (u used) variant() (hash []byte, variant string) {
	_, _ = fmt.Sscanf(u.what, "%x %s", &hash, &variant)
	return hash, variant
}

func olderCases() []mediaCase {
	const (
		strict  = "what was last used strictly before the time, oldest first"
		batches = "batches follow each other: each row is visited once, also where many have one time"
		bound   = "the stream ends after as many rows as the limit says, the oldest"
	)
	var cases []mediaCase
	for _, u := range usages {
		of := func(name, says string, run func(g *gallery, at time.Time)) {
			cases = append(cases, mediaCase{name: u.name + " " + name, on: u.on, says: says, needs: []Capability{AgesAccess}, exclusive: true,
				run: func(g *gallery) { run(g, u.ancient(g)) }})
		}
		of("lists what was used strictly before", strict, func(g *gallery, at time.Time) {
			first, second, third := u.add(g, 1, at.Add(time.Second)), u.add(g, 1, at.Add(2*time.Second)), u.add(g, 1, at.Add(3*time.Second))
			u.lists(g, at, 0)
			u.lists(g, at.Add(time.Second), 0)
			u.lists(g, at.Add(2*time.Second), 0, first)
			u.lists(g, at.Add(3*time.Second), 0, first, second)
			u.lists(g, at.Add(4*time.Second), 0, first, second, third)
		})
		of("lists the oldest first", strict, func(g *gallery, at time.Time) {
			var groups [][]used
			for _, seconds := range []int{3, 1, 4, 2} {
				groups = append(groups, u.add(g, 2, at.Add(time.Duration(seconds)*time.Second)))
			}
			u.lists(g, at.Add(time.Minute), 0, groups[1], groups[3], groups[0], groups[2])
		})
		of("goes on behind equal times", batches, func(g *gallery, at time.Time) {
			n := u.several(g)
			first, second := u.add(g, n, at), u.add(g, n, at.Add(time.Second))
			u.lists(g, at.Add(time.Minute), 0, first, second)
		})
		of("keeps to its limit", bound, func(g *gallery, at time.Time) {
			var groups [][]used
			for i := range u.several(g) {
				groups = append(groups, u.add(g, 1, at.Add(time.Duration(i)*time.Second)))
			}
			for limit := range len(groups) + 1 {
				u.lists(g, at.Add(time.Minute), int64(limit+1), groups[:min(limit+1, len(groups))]...)
			}
		})
		of("leaves out what was used again", strict, func(g *gallery, at time.Time) {
			three := u.add(g, 3, at)
			u.touch(g, three[1], at.Add(time.Hour))
			u.lists(g, at.Add(time.Hour), 0, []used{three[0], three[2]})
			u.lists(g, at.Add(time.Hour+time.Second), 0, []used{three[0], three[2]}, []used{{three[1].what, at.Add(time.Hour)}})
		})
		of("leaves out what was forgotten", "what has no time of access was not used before any time", func(g *gallery, at time.Time) {
			three := u.add(g, 3, at)
			if u.forget(g, three[1]) {
				three = []used{three[0], three[2]}
			}
			u.lists(g, at.Add(time.Second), 0, three)
		})
		cases = append(cases, mediaCase{name: u.name + " refuses arguments that make no sense", on: u.on, says: "there has to be a time, and a limit is not negative",
			run: func(g *gallery) {
				for _, request := range []*mediav1.OlderRequest{{}, {Before: stamp(longAgo()), Limit: -1}} {
					refused(g.t, u.name, u.begin(g, request), codes.InvalidArgument, fault.InvalidArgument)
				}
			}})
	}
	return append(cases, mediaCase{name: "alias_access.older lists an alias of several URLs once", on: usages[0].on,
		says: "an alias that several URLs stand for was used when the last of them was", needs: []Capability{AgesAccess, AgesByLastURL, ClockStops}, exclusive: true,
		run: func(g *gallery) {
			u, at := usages[0], usages[0].ancient(g)
			alias := g.alias(g.original().hash)
			for seconds := range 3 {
				g.during(at.Add(time.Duration(2*seconds)*time.Second), func() { g.url(alias) })
			}
			u.lists(g, at.Add(time.Second), 0)
			u.lists(g, at.Add(3*time.Second), 0)
			u.lists(g, at.Add(5*time.Second), 0, []used{{alias, at.Add(4 * time.Second)}})
			g.touchAlias(alias, at.Add(6*time.Second)) // now they have one time
			u.lists(g, at.Add(6*time.Second), 0)
			u.lists(g, at.Add(7*time.Second), 0, []used{{alias, at.Add(6 * time.Second)}})
		}})
}

// began returns the error that a stream that was just opened begins with.
func began[R any](stream grpc.ServerStreamingClient[R], err error) error {
	if err == nil {
		_, err = stream.Recv()
	}
	return err
}

func (u usage) several(g *gallery) int {
	if n := u.batch(g); n > 0 {
		return several(n)
	}
	return several(100)
}

// ancient is a time before which nobody has used anything.
func (u usage) ancient(g *gallery) time.Time {
	g.t.Helper()
	at := time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)
	if rows, _ := u.read(g, time.Now(), 1); len(rows) > 0 && rows[0].at.Before(at.AddDate(1, 0, 0)) {
		return rows[0].at.AddDate(-1, 0, 0)
	}
	return at
}

// lists checks a stream: the groups one after the other, in any order within, and the batches.
func (u usage) lists(g *gallery, before time.Time, limit int64, groups ...[]used) {
	g.t.Helper()
	got, batches := u.read(g, before, limit)
	rest, total := got, 0
	for _, group := range groups {
		n := min(len(group), len(rest))
		sameSet(g, fmt.Sprintf("%s from row %d on", u.name, total), texts(rest[:n]), texts(group))
		rest, total = rest[n:], total+len(group)
	}
	if len(rest) > 0 {
		g.t.Errorf("%s before %s lists %d rows, which is %d too many: %s", u.name, shown(before), len(got), len(rest), texts(rest))
	}
	if most := u.batch(g); most > 0 && slices.ContainsFunc(batches, func(n int) bool { return n > most || n == 0 }) {
		g.t.Errorf("%s sends batches of %v rows; the batch size is %d", u.name, batches, most)
	}
}

func texts(rows []used) []string {
	var all []string
	for _, one := range rows {
		all = append(all, one.what+" used "+shown(one.at))
	}
	return all
}
