package conformance

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func hashCleanupCases() []mediaCase {
	const (
		deletes = "the hash goes with all its variants; the details of their files stay"
		inUse   = "a hash that an alias points at is in use: nothing is deleted, and nothing is pushed"
		gone    = "a hash that is gone is no error"
	)
	cleanup := keys(hashesCleanup, variantsRemoveAll)
	return []mediaCase{
		{name: "hashes.cleanup deletes the hash", on: keys(hashesCleanup), says: deletes, needs: []Capability{DetailsServed},
			run: func(g *gallery) {
				o := g.original()
				details := g.details(o.identifier)
				g.cleansUp(o.hash, true)
				g.unknown(o.hash)
				g.describedAs(o.identifier, details)
			}},
		{name: "hashes.cleanup deletes the variants", on: cleanup, says: deletes, needs: []Capability{VariantsServed},
			run: func(g *gallery) {
				o := g.original()
				identifiers := map[string]string{}
				for _, variant := range []string{thumbnail, blurred, "", "'"} {
					identifiers[variant] = g.generated(o.hash, variant)
				}
				g.cleansUp(o.hash, true)
				g.unknown(o.hash)
				g.hasVariants(o.hash, nil)
				for variant := range identifiers {
					absent(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: variant})
				}
			}},
		{name: "hashes.cleanup keeps the details of variants", on: cleanup, says: deletes, needs: []Capability{VariantsServed, DetailsServed},
			run: func(g *gallery) {
				o := g.original()
				identifier := g.generated(o.hash, thumbnail)
				details := g.details(identifier)
				g.cleansUp(o.hash, true)
				g.describedAs(identifier, details)
			}},
		{name: "hashes.cleanup changes no other hash", on: cleanup, says: deletes,
			run: func(g *gallery) {
				g.beside(func(o original) {
					for _, a := range g.aliasesIfServed(o.hash) {
						g.forget(a)
					}
					g.cleansUp(o.hash, true)
					g.unknown(o.hash)
				})
			}},
		{name: "hashes.cleanup of an unknown hash is no error", on: cleanup, says: gone,
			run: func(g *gallery) {
				o := g.original()
				g.cleansUp(newHash(), false)
				g.cleansUp(o.hash, true)
				g.cleansUp(o.hash, false)
			}},
		{name: "hashes.cleanup makes room for the same hash", on: keys(hashesCleanup, hashesCreate), says: deletes,
			run: func(g *gallery) {
				o := g.original()
				g.cleansUp(o.hash, true)
				o = g.create(o.hash)
				g.holds(o, "", "")
			}},
		{name: "hashes.cleanup refuses a hash that has an alias", on: cleanup, says: inUse, needs: []Capability{AliasesServed, KeepsAliasedHashes},
			run: func(g *gallery) {
				o := g.original()
				g.furnish(o)
				g.keeps(o.hash, func() {
					refuse(g, codes.FailedPrecondition, fault.InUse, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: o.hash})
				})
				for _, a := range g.aliasesOf(o.hash) {
					g.forget(a)
				}
				g.cleansUp(o.hash, true)
			}},
		{name: "Hashes.Cleanup pushes nothing for a hash that has an alias", on: on(cleanup, keys(queuePush)), says: inUse, needs: []Capability{AliasesServed, KeepsAliasedHashes}, exclusive: true,
			run: func(g *gallery) {
				o := g.original()
				g.alias(o.hash)
				before := g.queued()
				refuse(g, codes.FailedPrecondition, fault.InUse, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: o.hash, Jobs: g.jobs(newQueue(), 3)})
				equal(g, "the number of jobs more", g.queued()-before, 0)
				g.holds(o, "", "")
			}},
		{name: "Hashes.Cleanup pushes its jobs", on: on(cleanup, keys(queuePush)), says: "the hash is deleted and jobs are pushed, all or nothing",
			run: func(g *gallery) {
				o, queue := g.original(), newQueue()
				jobs := g.jobs(queue, 3)
				ask(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: o.hash, Jobs: jobs})
				g.unknown(o.hash)
				g.pops(queue, jobs...)
			}},
		{name: "Hashes.Cleanup with a job that is queued already", on: on(cleanup, keys(queuePush)), says: "a job whose unique key is taken is queued already, and keeps nothing from happening", needs: []Capability{UniqueJobs},
			run: func(g *gallery) {
				o, queue, key := g.original(), newQueue(), unique(8)
				jobs := g.jobs(queue, 2)
				jobs[0].UniqueKey = &key
				ask(g, g.media.Queue.Push, &mediav1.PushRequest{Job: jobs[0]})
				ask(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: o.hash, Jobs: jobs})
				g.unknown(o.hash)
				g.pops(queue, jobs...)
			}},
		{name: "Hashes.Contents lists what belongs to a hash", on: keys(aliasesForHash, variantsForHash, hashesGet, aliasesDeleteToken), says: "aliases, variants and the row; tokens if they are asked for",
			run: func(g *gallery) {
				g.beside(func(o original) {
					for _, withTokens := range []bool{false, true} {
						g.contains(o, ask(g, g.media.Hashes.Contents, &mediav1.ContentsRequest{Hash: o.hash, WithTokens: withTokens}), withTokens)
					}
				})
			}},
		{name: "Hashes.Contents of a hash that has nothing", on: keys(aliasesForHash, variantsForHash, hashesGet), says: "a hash without aliases and variants has a row",
			run: func(g *gallery) {
				o := g.original()
				got := ask(g, g.media.Hashes.Contents, &mediav1.ContentsRequest{Hash: o.hash, WithTokens: true})
				if got.Info.GetIdentifier() != o.identifier || got.Info.MotionIdentifier != nil || len(got.Aliases)+len(got.Variants) > 0 {
					g.t.Errorf("Contents of a bare hash: %v", got)
				}
			}},
		{name: "Hashes.Contents of an unknown hash is empty", on: keys(aliasesForHash, variantsForHash, hashesGet), says: "a hash that is gone has no row, which is no error",
			run: func(g *gallery) {
				got := ask(g, g.media.Hashes.Contents, &mediav1.ContentsRequest{Hash: newHash(), WithTokens: true})
				if got.Info != nil || len(got.Aliases)+len(got.Variants) > 0 {
					g.t.Errorf("Contents of an unknown hash: %v", got)
				}
			}},
	}
}

// cleansUp cleans a hash up, and checks what is told of it.
func (g *gallery) cleansUp(hash []byte, removes bool) {
	g.t.Helper()
	got := ask(g, g.media.Hashes.Cleanup, &mediav1.CleanupHashRequest{Hash: hash})
	if got.Removed != nil && *got.Removed != removes {
		g.t.Errorf("Hashes.Cleanup tells removed %v; it should be %v", *got.Removed, removes)
	}
}

func (g *gallery) aliasesIfServed(hash []byte) []string {
	g.t.Helper()
	var all []string
	look(g, g.media.Aliases.ForHash, &mediav1.HashRequest{Hash: hash}, func(list *mediav1.AliasList) string {
		for _, a := range list.Aliases {
			all = append(all, a.Alias)
		}
		return ""
	})
	return all
}

// forget takes an alias away, with its URLs.
func (g *gallery) forget(alias string) {
	g.t.Helper()
	request := &mediav1.AliasRequest{Alias: alias}
	offer(g, g.media.Proxies.Remove, request)
	ask(g, g.media.Aliases.Cleanup, request)
}

// queued counts all jobs.
func (g *gallery) queued() int64 {
	g.t.Helper()
	return ask(g, g.media.Queue.Length, &mediav1.LengthRequest{}).Length
}

// jobs makes jobs of a queue.
func (g *gallery) jobs(queue string, n int) []*mediav1.NewJob {
	all := make([]*mediav1.NewJob, n)
	for i := range all {
		all[i] = &mediav1.NewJob{Queue: queue, Job: fmt.Sprintf(`{"conformance":%d}`, i)}
	}
	return all
}

// pops takes jobs from a queue, which must be exactly these in any order, and completes them.
func (g *gallery) pops(queue string, jobs ...*mediav1.NewJob) {
	g.t.Helper()
	worker := newUUID()
	var left []string
	for _, j := range jobs {
		left = append(left, j.Job)
	}
	for len(left) > 0 {
		got := ask(g, g.media.Queue.Pop, &mediav1.PopRequest{Queue: queue, Worker: worker})
		at := slices.IndexFunc(left, func(job string) bool { return sameJSON(job, got.Job) })
		if at < 0 {
			g.t.Fatalf("the queue holds the job %s; there should be %v", got.Job, left)
		}
		left = slices.Delete(left, at, at+1)
		ask(g, g.media.Queue.Complete, &mediav1.CompleteRequest{Queue: queue, Worker: worker, JobId: got.Id})
	}
}

// contains checks what Contents says of a furnished hash against what the getters say.
func (g *gallery) contains(o original, got *mediav1.ContentsResponse, withTokens bool) {
	g.t.Helper()
	equal(g, "the identifier in Contents", got.Info.GetIdentifier(), o.identifier)
	optional(g, "the still image in Contents", got.Info.MotionIdentifier, ask(g, g.media.Hashes.MotionIdentifier, &mediav1.HashRequest{Hash: o.hash}).MotionIdentifier)
	equal(g, "created_at in Contents", got.Info.GetCreatedAt().AsTime(), g.bound(o.hash))
	var aliases, variants, wantVariants, wantAliases []string
	for _, a := range got.Aliases {
		aliases = append(aliases, a.Alias+" "+tokenOf(a))
	}
	for _, alias := range g.aliasesOf(o.hash) {
		token := "(none)"
		if withTokens {
			token = g.token(alias)
		}
		wantAliases = append(wantAliases, alias+" "+token)
	}
	for _, v := range got.Variants {
		variants = append(variants, v.Variant+" "+v.Identifier)
	}
	for _, variant := range []string{blurred, thumbnail} {
		wantVariants = append(wantVariants, variant+" "+ask(g, g.media.Variants.Identifier, &mediav1.VariantRequest{Hash: o.hash, Variant: variant}).Identifier)
	}
	sameSet(g, "the aliases in Contents", aliases, wantAliases)
	sameSet(g, "the variants in Contents", variants, wantVariants)
}

func tokenOf(a *mediav1.AliasToken) string {
	if a.DeleteToken == nil {
		return "(none)"
	}
	return *a.DeleteToken
}

// sameSet compares two lists that have no order.
func sameSet(g *gallery, what string, got, want []string) {
	g.t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		g.t.Errorf("%s are %q; they should be %q", what, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}
