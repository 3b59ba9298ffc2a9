package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/google/uuid"
)

const (
	// victim is the worker that is killed.
	victim = 1
	// jobPause is between two looks at jobs, which take only some milliseconds.
	jobPause = 4 * time.Millisecond
)

// Killed is what the death of a worker did.
type Killed struct {
	Worker string `json:"worker"`
	// Returned are the jobs that it held, and who did them in the end.
	Returned []Returned `json:"returned"`
	// Unrecorded is how many files it left behind that it had stored and not recorded yet.
	Unrecorded int `json:"unrecorded_files"`
}

// Returned is a job that came back.
type Returned struct {
	Job  uuid.UUID `json:"job"`
	Kind string    `json:"kind"`
	// By is who took it over, After how many seconds after the kill.
	By    string  `json:"by"`
	After float64 `json:"after_seconds"`
}

// killOne kills a worker that is at a job. It stops the process first, so that it cannot finish between
// looking and killing; its plugin is a process of its own, and ends by itself.
func (d *demo) killOne(ctx context.Context) error {
	w := d.workers[victim]
	var held []job
	err := waitEvery(ctx, jobPause, w.name+" to be at a job", func() (bool, error) {
		if err := w.measure(ctx, d.client); err != nil {
			return false, err
		}
		if err := w.signal(syscall.SIGSTOP); err != nil {
			return false, fmt.Errorf("stopping %s: %w", w.name, err)
		}
		var err error
		if held, err = d.heldWhenStill(ctx, w); err != nil || len(held) == 0 {
			_ = w.signal(syscall.SIGCONT)
		}
		return len(held) > 0, err
	})
	if err != nil {
		return err
	}
	if err := w.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing %s: %w", w.name, err)
	}
	w.killed = true
	killed := time.Now()
	d.result.Killed.Worker = w.name
	d.paper.step(d.begin, "killed %s (SIGKILL) in the middle of %s; nobody takes its place", w.name, count(len(held), "job"))
	return d.watchReturn(ctx, held, killed)
}

// heldWhenStill lists the jobs of a stopped worker. What its plugin was told before may still take effect,
// so it looks until two looks agree.
func (d *demo) heldWhenStill(ctx context.Context, w *worker) (held []job, err error) {
	before := []job{{}}
	err = wait(ctx, "the plugin of "+w.name+" to be still", func() (bool, error) {
		running, err := d.tables.running(ctx)
		held = slices.DeleteFunc(running, func(j job) bool { return !w.jobs.loops[j.Worker.String()] })
		same := slices.Equal(held, before)
		before = held
		return same, err
	})
	return held, err
}

// watchReturn waits until every job of the dead worker was taken over and done.
func (d *demo) watchReturn(ctx context.Context, held []job, killed time.Time) error {
	check := d.newCheck("every job of the killed worker came back and was done by another")
	returned := make([]Returned, len(held))
	for i, j := range held {
		returned[i] = Returned{Job: j.ID, Kind: j.Kind}
	}
	err := waitEvery(ctx, jobPause, "the jobs of the killed worker to be done", func() (bool, error) {
		left := 0
		for i, j := range held {
			holder, there, err := d.tables.worker(ctx, j.ID)
			if err != nil {
				return false, err
			}
			taken := !there || holder != uuid.Nil && holder != j.Worker
			if r := &returned[i]; taken && r.After == 0 {
				r.After = time.Since(killed).Seconds()
			}
			if there {
				left++
			}
		}
		return left == 0, nil
	})
	if err != nil {
		check.failf("%v", err)
		return err
	}
	last := 0.0
	for i := range returned {
		r := &returned[i]
		if r.By, err = d.tookOver(r.Job); err != nil {
			return err
		}
		if r.By == "" {
			check.failf("no other worker says that it took job %s", r.Job)
		}
		last = max(last, r.After)
	}
	d.result.Killed.Returned = returned
	check.passf("%s, after %.1f s", count(len(held), "job"), last)
	d.paper.step(d.begin, "its jobs had no heartbeat for %s and came back: taken over %.1f s after the kill, and done", staleAfter, last)
	return nil
}

// tookOver returns the name of the living worker that says in its log that it took a job.
func (d *demo) tookOver(id uuid.UUID) (string, error) {
	for _, w := range d.workers {
		log, err := os.ReadFile(d.logOf(w.name))
		if err != nil {
			return "", err
		}
		if !w.killed && bytes.Contains(log, []byte("job="+id.String())) {
			return w.name, nil
		}
	}
	return "", nil
}
