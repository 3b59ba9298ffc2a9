package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/benchmark"
	"github.com/mortise-storage/mortise/internal/benchmark/scratch"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/operation"
)

// A stage is what is set up for a run, and taken away after it.
type stage struct {
	bench    *bench
	contract *operation.Contract
	logger   *slog.Logger

	files     []*command.Loaded
	databases []*command.Database // one for each file; files with one embedded server share it
	places    []*scratch.Place
	cleanup   []func()
}

// load reads the operator's files and finds their databases.
func (s *stage) load(ctx context.Context) error {
	files := []string{s.bench.a, s.bench.b}
	if s.bench.a == "" {
		if s.bench.in.Config == "" {
			return command.Misused("no configuration file is named; give --config FILE, or set MORTISE_CONFIG, or compare --a FILE with --b FILE")
		}
		files = []string{s.bench.in.Config}
	}
	known := map[string]*command.Database{}
	for _, file := range files {
		loaded := command.LoadFile(file, s.contract)
		if err := loaded.Problems.Err(); err != nil {
			terminal.PrintProblems(s.bench.stderr, loaded.Problems)
			return command.Found()
		}
		config := loaded.Config.Storage
		id := config.Connection + "\x00" + config.EmbeddedDir
		if known[id] == nil {
			database, err := loaded.Reach(ctx, s.logger)
			if err != nil {
				return err
			}
			known[id] = database
			s.cleanup = append(s.cleanup, database.Close)
		}
		s.files, s.databases = append(s.files, loaded), append(s.databases, known[id])
	}
	return nil
}

// strike takes everything away.
func (s *stage) strike(ctx context.Context) error {
	var failed error
	for _, place := range s.places {
		if err := place.Drop(ctx); err != nil {
			failed = errors.Join(failed, command.Failed(err))
		}
	}
	for _, clean := range s.cleanup {
		clean()
	}
	return failed
}

// options makes the places and says what is measured there.
func (s *stage) options(ctx context.Context) (benchmark.Options, error) {
	b := s.bench
	o := benchmark.Options{Contract: s.contract, Seed: b.seed, Size: int64(b.size), Callers: b.callers, Duration: b.duration, Warmup: b.warmup,
		Rate: b.rate, Rounds: b.rounds, Confidence: b.confidence, Margin: b.margin, Checks: b.checks, Only: b.only, Version: version(), Logger: s.logger,
		Progress: func(label string, total int64) benchmark.Meter { return terminal.NewProgress(b.stderr, label, total) }}
	if b.fill == "none" {
		keys, err := readKeys(b.keys)
		if err != nil {
			return o, err
		}
		o.Size, o.Keys = 0, keys
	}
	plugin, err := s.plugin()
	if err != nil {
		return o, err
	}
	s.tellLeftovers(ctx)
	for i, loaded := range s.files {
		set := benchmark.QuerySet{Config: loaded.Config, ConnString: s.databases[i].ConnString, Plugin: plugin}
		if len(s.files) == 2 {
			set.Name = []string{"A", "B"}[i]
		}
		place, err := s.place(ctx, i, &set)
		if err != nil {
			return o, err
		}
		// Two sets may get different kinds of scratch; what may be done is what the weaker one allows.
		if i == 0 || place < o.Place {
			o.Place = place
		}
		o.Sets = append(o.Sets, set)
	}
	return o, nil
}

func (s *stage) plugin() (*benchmark.Plugin, error) {
	b := s.bench
	if b.way != benchmark.ViaPlugin {
		return nil, nil
	}
	plugin := &benchmark.Plugin{Program: b.program}
	if plugin.Program == "" {
		program, err := os.Executable()
		if err != nil {
			return nil, command.Failed(fmt.Errorf("this program cannot be found again: %w; give --program", err))
		}
		plugin.Program = program
	}
	for _, file := range b.in.Contracts {
		plugin.Args = append(plugin.Args, "--contract", file)
	}
	for _, folder := range b.in.Folders {
		plugin.Args = append(plugin.Args, "--proto-path", folder)
	}
	return plugin, nil
}

// place makes the scratch of the i-th set, or makes sure that its own tables may be used.
func (s *stage) place(ctx context.Context, i int, set *benchmark.QuerySet) (benchmark.Place, error) {
	b := s.bench
	if b.scratch == "none" {
		return s.ownTables(ctx, set)
	}
	script, err := s.script(i)
	if err != nil {
		return 0, err
	}
	made, err := scratch.Make(ctx, set.ConnString, scratch.Kind(b.scratch), script)
	switch {
	case errors.Is(err, scratch.ErrRights):
		return 0, command.Failed(fmt.Errorf("%w; ALTER ROLE ... CREATEDB gives the right, or measure the operator's own tables with --scratch none", err))
	case errors.Is(err, scratch.ErrOutside):
		return 0, command.Failed(fmt.Errorf("%w, so only a database of its own keeps it apart; give --scratch database, and the role the right (ALTER ROLE ... CREATEDB)", err))
	case err != nil:
		return 0, command.Failed(err)
	}
	s.places = append(s.places, made)
	set.ConnString, set.Schema = made.ConnString, script
	set.Place = fmt.Sprintf("scratch %s %s", made.Kind, made.Name)
	if made.Kind == scratch.Schema {
		return benchmark.ScratchSchema, nil
	}
	return benchmark.ScratchDatabase, nil
}

// ownTables refuses tables that hold rows, if something would be written.
func (s *stage) ownTables(ctx context.Context, set *benchmark.QuerySet) (benchmark.Place, error) {
	b := s.bench
	if b.mayChange {
		return benchmark.MayChange, nil
	}
	if b.fill == "none" {
		return benchmark.OwnRows, nil
	}
	occupied, err := scratch.Occupied(ctx, set.ConnString)
	if err != nil {
		return 0, command.Failed(err)
	}
	if len(occupied) > 0 {
		return 0, command.Failed(fmt.Errorf("these tables hold rows that the benchmark did not make: %s; leave --scratch none out, "+
			"measure reading only with --fill none, or say --database-may-be-changed", shown(occupied)))
	}
	return benchmark.MayChange, nil
}

func shown(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// script is the schema of the i-th set: what a flag names, what lies beside the file, or the default.
func (s *stage) script(i int) (string, error) {
	b := s.bench
	file := b.schema
	if own := []string{b.schemaA, b.schemaB}[i]; own != "" && b.a != "" {
		file = own
	}
	if file == "" {
		beside := filepath.Join(filepath.Dir(s.files[i].Config.File), "schema.sql")
		if _, err := os.Stat(beside); err != nil {
			return mortise.Schema, nil
		}
		file = beside
	}
	return command.ReadSchema(file)
}

func (s *stage) tellLeftovers(ctx context.Context) {
	told := map[string]bool{}
	for _, database := range s.databases {
		left, err := scratch.Leftovers(ctx, database.ConnString)
		if err != nil {
			return // what comes next says why
		}
		for _, l := range left {
			if !told[l.Name] {
				told[l.Name] = true
				fmt.Fprintf(s.bench.stderr, "mortise: %s was left behind by a run that was killed; remove it with --remove-leftovers\n", l)
			}
		}
	}
}

func (s *stage) removeLeftovers(ctx context.Context) error {
	n := 0
	for _, database := range s.databases {
		removed, err := scratch.RemoveLeftovers(ctx, database.ConnString)
		for _, l := range removed {
			fmt.Fprintf(s.bench.stdout, "removed %s\n", l)
		}
		if err != nil {
			return command.Failed(err)
		}
		n += len(removed)
	}
	if n == 0 {
		fmt.Fprintln(s.bench.stdout, "nothing was left behind")
	}
	return nil
}
