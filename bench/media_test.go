package bench

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
)

// BenchmarkResolveAlias asks what is needed to serve an original.
func BenchmarkResolveAlias(b *testing.B) { bench(b, taskNamed("ResolveAlias")) }

// BenchmarkResolveVariant asks what is needed to serve a generated file.
func BenchmarkResolveVariant(b *testing.B) { bench(b, taskNamed("ResolveVariant")) }

// BenchmarkResolveVariantTouch asks the same, and records the time of access, as servers do.
func BenchmarkResolveVariantTouch(b *testing.B) { bench(b, taskNamed("ResolveVariantTouch")) }

// BenchmarkTouchAlias records the time of access of an alias that stands for a URL.
func BenchmarkTouchAlias(b *testing.B) { bench(b, taskNamed("TouchAlias")) }

// BenchmarkTouchVariant records the time of access of a variant.
func BenchmarkTouchVariant(b *testing.B) { bench(b, taskNamed("TouchVariant")) }

// BenchmarkSaveNew records a new file: hash, details and alias.
func BenchmarkSaveNew(b *testing.B) { bench(b, taskNamed("SaveNew")) }

// BenchmarkSaveDuplicate records a file whose content is there already, under a new alias.
func BenchmarkSaveDuplicate(b *testing.B) { bench(b, taskNamed("SaveDuplicate")) }

// BenchmarkPush stores a job and notifies those who wait.
func BenchmarkPush(b *testing.B) { bench(b, taskNamed("Push")) }

// BenchmarkPop takes a job of a queue that has some.
func BenchmarkPop(b *testing.B) { bench(b, taskNamed("Pop")) }

// BenchmarkComplete ends a job.
func BenchmarkComplete(b *testing.B) { bench(b, taskNamed("Complete")) }

// BenchmarkNext ends a job and takes the next one: a worker's whole turn.
func BenchmarkNext(b *testing.B) { bench(b, taskNamed("Next")) }

// mediaTask makes a task of the media domain. Its supply may be nil.
func mediaTask(name string, supply func(ctx context.Context, m *media, way string, n int) error,
	run func(ctx context.Context, m *media, w mediaWay, c *caller) error) task {
	return task{name: name,
		size:    func(e *environment) string { return "aliases=" + strconv.FormatInt(e.settings.aliases, 10) },
		prepare: func(ctx context.Context, e *environment) error { _, err := e.media(ctx); return err },
		supply: func(ctx context.Context, e *environment, way string, n int) error {
			m, err := e.media(ctx)
			if err == nil && supply != nil {
				err = supply(ctx, m, way, n)
			}
			return err
		},
		run: func(ctx context.Context, _ way, c *caller) error {
			m := c.env.mediaShared
			return run(ctx, m, m.ways[c.way], c)
		}}
}

var mediaTasks = []task{
	mediaTask("ResolveAlias", nil, func(ctx context.Context, m *media, w mediaWay, c *caller) error {
		i := c.alias(m)
		got, err := w.resolveAlias(ctx, aliasOf(i))
		if err != nil {
			return err
		}
		return got.mustBe("original", hashNumber(i), false)
	}),
	mediaTask("ResolveVariant", nil, resolveVariant(false)),
	mediaTask("ResolveVariantTouch", nil, resolveVariant(true)),
	mediaTask("TouchAlias", nil, func(ctx context.Context, m *media, w mediaWay, c *caller) error {
		i := c.alias(m)
		n, err := w.touchAlias(ctx, aliasOf(i-i%sharing))
		if err != nil {
			return err
		}
		return n.mustBe(1, "Access.Alias")
	}),
	mediaTask("TouchVariant", nil, func(ctx context.Context, m *media, w mediaWay, c *caller) error {
		n, err := w.touchVariant(ctx, ownHash(hashNumber(c.alias(m))), mediaVariant)
		if err != nil {
			return err
		}
		return n.mustBe(1, "Access.Variant")
	}),
	mediaTask("SaveNew", nil, func(ctx context.Context, m *media, w mediaWay, _ *caller) error {
		i := m.next.Add(1) - 1
		return m.save(ctx, w, ownHash(i), i, false)
	}),
	mediaTask("SaveDuplicate", nil, func(ctx context.Context, m *media, w mediaWay, c *caller) error {
		return m.save(ctx, w, ownHash(hashNumber(c.alias(m))), m.next.Add(1)-1, true)
	}),
	mediaTask("Push", noJobs, func(ctx context.Context, _ *media, w mediaWay, c *caller) error {
		id, err := w.push(ctx, queueOf("pushed", c.way), `"job"`)
		if err == nil && len(id) != 16 {
			err = fmt.Errorf("the id of the job has %d bytes", len(id))
		}
		return err
	}),
	mediaTask("Pop", readyJobs, func(ctx context.Context, _ *media, w mediaWay, c *caller) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		j, err := w.pop(ctx, queueOf("ready", c.way), workerOf(c.id))
		if err != nil {
			return err
		}
		return j.plausible()
	}),
	mediaTask("Complete", runningJobs, func(ctx context.Context, m *media, w mediaWay, c *caller) error {
		held, err := w.complete(ctx, queueOf("running", c.way), workerOf(0), m.runningJob())
		if err == nil && !held {
			err = fmt.Errorf("a job was not held")
		}
		return err
	}),
	mediaTask("Next", readyJobs, next),
	wakeTask,
}

func resolveVariant(touch bool) func(context.Context, *media, mediaWay, *caller) error {
	return func(ctx context.Context, m *media, w mediaWay, c *caller) error {
		i := c.alias(m)
		got, err := w.resolveVariant(ctx, aliasOf(i), mediaVariant, touch)
		if err != nil {
			return err
		}
		return got.mustBe("variant", hashNumber(i), touch)
	}
}

// mustBe holds an answer against what was stored.
func (r resolved) mustBe(kind string, hash int64, touched bool) error {
	switch {
	case !bytes.Equal(r.hash, ownHash(hash)):
		return fmt.Errorf("the hash is %x, not that of number %d", r.hash, hash)
	case r.identifier != fileOf(kind, hash):
		return fmt.Errorf("the identifier is %q, not %q", r.identifier, fileOf(kind, hash))
	case r.details != mediaDetails:
		return fmt.Errorf("the details are %s", r.details)
	case r.touched != touched:
		return fmt.Errorf("touched is %t", r.touched)
	}
	return nil
}

// save records the i-th file under the i-th alias.
func (m *media) save(ctx context.Context, w mediaWay, hash []byte, i int64, existed bool) error {
	token := "token-" + strconv.FormatInt(i, 10)
	got, err := w.save(ctx, &upload{hash: hash, identifier: fileOf("original", i), details: mediaDetails, alias: aliasOf(i), token: token})
	if err == nil && got != (saved{hashExisted: existed, token: token}) {
		err = fmt.Errorf("saving number %d answered %+v", i, got)
	}
	return err
}

func (j job) plausible() error {
	if len(j.id) != 16 || j.payload != `"job"` {
		return fmt.Errorf("a job with an id of %d bytes and the content %s was taken", len(j.id), j.payload)
	}
	return nil
}

// runningJob is the id of the next job that runningJobs has stored.
func (m *media) runningJob() []byte {
	return jobNumber(m.running.Add(1))
}

// next takes the caller's first job by itself.
func next(ctx context.Context, _ *media, w mediaWay, c *caller) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var j job
	if c.held == nil {
		j, err = w.pop(ctx, queueOf("ready", c.way), workerOf(c.id))
	} else {
		var held bool
		if j, held, err = w.next(ctx, queueOf("ready", c.way), workerOf(c.id), c.held); err == nil && !held {
			err = fmt.Errorf("a job was not held")
		}
	}
	if err != nil {
		return err
	}
	c.held = j.id
	return j.plausible()
}
