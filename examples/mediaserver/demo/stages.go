package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// clients is how many requests are under way at once.
const clients = 24

// each runs f for all elements, a number of clients at a time, and shows how far it is.
func each[T any](ctx context.Context, d *demo, label string, all []T, f func(context.Context, T) error) error {
	progress := d.paper.progress(label, len(all))
	defer progress.End()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for _, one := range all {
		group.Go(func() error {
			defer progress.Add(1, "")
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return f(ctx, one)
		})
	}
	return group.Wait()
}

// uploadAll sends every file, half of them to be taken in by workers.
func (d *demo) uploadAll(ctx context.Context) error {
	err := each(ctx, d, "uploading", d.corpus, func(ctx context.Context, i *item) error {
		i.uploaded, i.err = d.uploadOne(ctx, i)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	check := d.newCheck("every good picture was accepted, and every bad file refused for what is wrong with it")
	var accepted, refused int
	for _, i := range d.corpus {
		switch {
		case i.refused == "" && i.err != nil:
			check.failf("%s was not accepted: %v", i.name, i.err)
		case i.refused != codeOf(i.err):
			check.failf("%s: %v instead of %s", i.name, i.err, i.refused)
		case i.refused != "":
			refused++
		case i.uploaded.Details.Width != i.width || i.uploaded.Details.Height != i.height:
			check.failf("%s has %d×%d pixels, and the server says %d×%d", i.name, i.width, i.height, i.uploaded.Details.Width, i.uploaded.Details.Height)
		default:
			accepted++
		}
	}
	check.passf("%d accepted, %d refused", accepted, refused)
	d.paper.step(d.begin, "uploaded to both servers, half of it in the background: %d accepted, %d refused", accepted, refused)
	return nil
}

func (d *demo) uploadOne(ctx context.Context, i *item) (uploaded, error) {
	if !i.background {
		return d.client.upload(ctx, d.servers[i.server].url, i.name, i.data)
	}
	id, err := d.client.background(ctx, d.servers[i.server].url, i.name, i.data)
	if err != nil {
		return uploaded{}, err
	}
	// The result is asked for where the upload was not made.
	return d.client.claim(ctx, d.servers[(i.server+1)%servers].url, id)
}

// A wish is one request for a variant.
type wish struct {
	item   *item
	recipe recipe
	server int
}

// wishes lists a request for each variant of each picture at each server, the same one at both servers
// right after each other, so that they meet.
func (d *demo) wishes() []wish {
	var all []wish
	for _, i := range d.kept() {
		for _, r := range recipes {
			for s := range servers {
				all = append(all, wish{i, r, s})
			}
		}
	}
	return all
}

// answers remembers what was answered for each variant of each content.
type answers struct {
	mu     sync.Mutex
	sums   map[string][sha256.Size]byte
	differ int
}

// add compares an answer with those that were there before.
func (a *answers) add(w wish, body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, sum := string(w.item.sha[:])+w.recipe.stored, sha256.Sum256(body)
	if before, ok := a.sums[key]; ok && before != sum {
		a.differ++
	}
	a.sums[key] = sum
}

// killAfter is which part of the variants is made when a worker is killed: early, so that all are busy.
const killAfter = 8

// makeVariants asks for all variants of all pictures, which are not there yet. In the middle of it a
// worker is killed.
func (d *demo) makeVariants(ctx context.Context) error {
	wishes := d.wishes()
	check := d.newCheck("every request for a variant was answered, and all answers for one variant are the same")
	answers := &answers{sums: map[string][sha256.Size]byte{}}
	var done atomic.Int64
	warm := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		select {
		case <-warm:
			return d.killOne(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	group.Go(func() error {
		return each(ctx, d, "making variants", wishes, func(ctx context.Context, w wish) error {
			body, err := d.client.get(ctx, kindFirst, w.recipe.url(d.servers[w.server].url, w.item.uploaded.File))
			if err != nil {
				check.failf("%s of %s: %v", w.recipe.stored, w.item.name, err)
			} else {
				answers.add(w, body)
			}
			if int(done.Add(1)) == len(wishes)/killAfter {
				close(warm)
			}
			return ctx.Err()
		})
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if answers.differ > 0 {
		check.failf("%d answers differ", answers.differ)
	}
	check.passf("%d requests for %d variants", len(wishes), len(answers.sums))
	d.paper.step(d.begin, "asked both servers for every variant of every picture at once: %d requests, %d variants", len(wishes), len(answers.sums))
	return nil
}

// settle waits until nothing is left to do.
func (d *demo) settle(ctx context.Context) error {
	return wait(ctx, "the queue to be empty", func() (bool, error) {
		counts, err := d.tables.counts(ctx)
		return counts["media_jobs"]+counts["media_variant_claims"]+counts["media_uploads"] == 0, err
	})
}

// readEverything reads originals and variants that are all there, and compares.
func (d *demo) readEverything(ctx context.Context) error {
	originals := d.newCheck("every original comes back from the other server as it was sent")
	variants := d.newCheck("every variant is served by both servers, once it is there")
	kept := d.kept()
	err := each(ctx, d, "reading originals", kept, func(ctx context.Context, i *item) error {
		body, err := d.client.get(ctx, kindOriginal, originalURL(d.servers[(i.server+1)%servers].url, i.uploaded.File))
		if err != nil || sha256.Sum256(body) != i.sha {
			originals.failf("%s: %d bytes with another SHA-256, or %v", i.name, len(body), err)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	wishes := d.wishes()
	err = each(ctx, d, "reading variants", wishes, func(ctx context.Context, w wish) error {
		if _, err := d.client.get(ctx, kindVariant, w.recipe.url(d.servers[w.server].url, w.item.uploaded.File)); err != nil {
			variants.failf("%s of %s: %v", w.recipe.stored, w.item.name, err)
		}
		return ctx.Err()
	})
	originals.passf("%d originals", len(kept))
	variants.passf("%d requests", len(wishes))
	d.paper.step(d.begin, "read %d originals and %d variants back", len(kept), len(wishes))
	return err
}

// deleteEvery is how many pictures there are to one that is deleted.
const deleteEvery = 5

// deleteSome deletes some pictures by their tokens. A content that has another alias stays.
func (d *demo) deleteSome(ctx context.Context) error {
	var chosen []*item
	for n, i := range d.kept() {
		if n%deleteEvery == 0 {
			chosen = append(chosen, i)
		}
	}
	check := d.newCheck("what was deleted is gone at both servers, and another token deletes nothing")
	err := each(ctx, d, "deleting", chosen, func(ctx context.Context, i *item) error {
		if err := d.client.delete(ctx, d.servers[i.server].url, "not-the-token", i.uploaded.File); codeOf(err) != "invalid-delete-token" {
			check.failf("%s with another token: %v", i.name, err)
		}
		if err := d.client.delete(ctx, d.servers[i.server].url, i.uploaded.DeleteToken, i.uploaded.File); err != nil {
			check.failf("%s: %v", i.name, err)
			return ctx.Err()
		}
		i.deleted = true
		for _, s := range d.servers {
			var told *refusal
			_, err := d.client.get(ctx, "", originalURL(s.url, i.uploaded.File))
			if !errors.As(err, &told) || told.Status != http.StatusNotFound {
				check.failf("%s is still at %s: %v", i.name, s.name, err)
			}
		}
		return ctx.Err()
	})
	check.passf("%d pictures", len(chosen))
	d.paper.step(d.begin, "deleted %d of the pictures by their tokens; workers take the files away", len(chosen))
	return err
}

// count writes a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
