package benchmark

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/workload"
)

// The ways to call methods.
const (
	InProcess = "inprocess"
	ViaPlugin = "plugin"
)

// Options say what is measured, and how.
type Options struct {
	// Sets are one query set, or two.
	Sets     []QuerySet
	Contract *operation.Contract
	// Place is what is filled.
	Place Place
	// Size is how many of a domain's main things are stored first; 0 stores nothing, and uses Keys of
	// rows that are there.
	Size int64
	Keys [][]byte
	Seed uint64
	// Callers, Duration (of each case and set, over all rounds), Warmup and Rate are the load.
	Callers  int
	Duration time.Duration
	Warmup   time.Duration
	Rate     float64
	Rounds   int
	// Confidence of the intervals, and the margin around a ratio of 1 in which a difference is none.
	Confidence, Margin float64
	// Checks is how many calls of each case both sets answer before they are measured.
	Checks int
	// Only chooses cases by their name; nil is all.
	Only *regexp.Regexp
	// Version is that of the program.
	Version string
	Logger  *slog.Logger
	// Progress begins to show long work; nil shows nothing.
	Progress func(label string, total int64) Meter
}

// A Place is what kind of tables is measured, which decides what may be done to them.
type Place int

const (
	// OwnRows are the operator's own: nothing is written.
	OwnRows Place = iota
	// MayChange are the operator's own, where they allow writing. What was there is not deleted.
	MayChange
	// ScratchDatabase and ScratchSchema are made for the run, and dropped after it.
	ScratchDatabase
	ScratchSchema
)

func (p Place) scratch() bool { return p >= ScratchDatabase }

// A Meter shows how far long work is.
type Meter interface {
	Add(n int64, note string)
	End()
}

// A bench is a run under way.
type bench struct {
	options Options
	sides   []*side
	data    []workload.Data
	cases   []*selected
	report  *Report
}

// Run measures. The error is a problem.List if the queries do not fit the database.
func Run(ctx context.Context, options Options) (report *Report, err error) {
	b := &bench{options: options, report: &Report{Results: []*Result{}}}
	defer b.close()
	for _, set := range options.Sets {
		s, err := open(ctx, set, options.Contract, options.Logger)
		if err != nil {
			if set.Name != "" {
				return nil, fmt.Errorf("query set %s (%s): %w", set.Name, set.Config.File, err)
			}
			return nil, err
		}
		b.sides = append(b.sides, s)
	}
	b.describe()
	b.plan()
	b.choose()
	if len(b.cases) == 0 {
		b.note("nothing is measured: no case is left by the operations that were chosen and what may be done")
	}
	defer func() {
		if left := b.leave(ctx); err == nil {
			err = left
		}
	}()
	if err := b.fill(ctx); err != nil {
		return nil, interrupted(ctx, err)
	}
	if err := b.measure(ctx); err != nil {
		return nil, interrupted(ctx, err)
	}
	return b.report, nil
}

func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errCanceled
	}
	return err
}

func (b *bench) close() {
	for _, s := range b.sides {
		s.Close()
	}
}

func (b *bench) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(b.report.Notes, text) {
		b.report.Notes = append(b.report.Notes, text)
	}
}

func (b *bench) describe() {
	o := b.options
	name, memory := machine()
	b.report.Conditions = Conditions{Date: time.Now().UTC().Truncate(time.Second), Mortise: o.Version, Go: runtime.Version(), Machine: name,
		Cores: runtime.NumCPU(), MemoryGB: memory, Way: InProcess, Callers: o.Callers, Rate: o.Rate, Seconds: o.Duration.Seconds(),
		Warmup: o.Warmup.Seconds(), Rounds: o.Rounds, Seed: o.Seed}
	if o.Sets[0].Plugin != nil {
		b.report.Conditions.Way = ViaPlugin
	}
	if len(o.Sets) > 1 {
		b.report.Conditions.Confidence, b.report.Conditions.Margin = o.Confidence, o.Margin
	}
}

// plan plans the data of all sections that every set serves.
func (b *bench) plan() {
	for _, section := range b.options.Contract.Sections() {
		served := slices.ContainsFunc(b.sides, func(s *side) bool { return s.queries.Serves(section.Name) })
		if !served {
			continue
		}
		domain, ok := workload.For(section.Name)
		if !ok {
			b.note("section %s has no workload yet: nobody can say how its data and calls look, so its %d operations are not measured",
				section.Name, b.configured(section))
			continue
		}
		b.data = append(b.data, domain.New(workload.Plan{Size: b.options.Size, Keys: b.options.Keys, Seed: b.options.Seed, Now: time.Now().UTC().Truncate(time.Second), Tidy: !b.options.Place.scratch(),
			Settings: b.options.Sets[0].Config.Storage.Settings[section.Name], Has: b.has}))
	}
}

func (b *bench) configured(section *operation.Section) int {
	n := 0
	for _, op := range section.Operations {
		if b.sides[0].queries.Statement(op) != nil {
			n++
		}
	}
	return n
}

// has says whether all sets have a query for the operation that a method declares.
func (b *bench) has(method string) bool {
	return !slices.ContainsFunc(b.sides, func(s *side) bool { return !s.has(method) })
}

// fill stores the data in each set's place.
func (b *bench) fill(ctx context.Context) error {
	for i, s := range b.sides {
		info, err := s.info(ctx, b.placeOf(i))
		if err != nil {
			return err
		}
		begin := time.Now()
		for _, data := range b.data {
			if data.Rows() == 0 || b.options.Size == 0 {
				continue
			}
			meter := b.meter(strings.TrimSpace("filling "+s.set.Name), data.Rows())
			declined, err := s.fill(ctx, data, func(n int64) { meter.Add(n, "") })
			meter.End()
			if err != nil {
				return err
			}
			info.Declined += declined
		}
		for _, data := range b.data {
			info.Data[data.Section()] = data.String()
		}
		if b.options.Size > 0 {
			if err := s.vacuum(ctx, b.options.Place); err != nil {
				return err
			}
			info.FillSeconds = time.Since(begin).Seconds()
		}
		b.report.Sets = append(b.report.Sets, info)
	}
	return nil
}

// leave takes away what was stored in the operator's own tables. A scratch goes as a whole.
func (b *bench) leave(ctx context.Context) error {
	if b.options.Place != MayChange || b.options.Size == 0 {
		return nil
	}
	for _, s := range b.sides {
		for _, data := range b.data {
			meter := b.meter("removing what was stored", data.Rows())
			err := s.empty(context.WithoutCancel(ctx), data, func(n int64) { meter.Add(n, "") })
			meter.End()
			if err != nil {
				return fmt.Errorf("what was stored is not all removed: %w", err)
			}
		}
	}
	b.note("what was stored has been removed again, by the operations that do; what the queries made beside it, such as a row for a new torrent, stays")
	return nil
}

func (b *bench) placeOf(i int) string {
	if place := b.options.Sets[i].Place; place != "" {
		return place
	}
	return "the operator's own tables"
}

func (b *bench) meter(label string, total int64) Meter {
	if b.options.Progress == nil {
		return silent{}
	}
	return b.options.Progress(label, total)
}

type silent struct{}

func (silent) Add(int64, string) {}
func (silent) End()              {}
