package bench

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/benchmark"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/problem"
)

var errCount = errors.New("expected a whole number from 1 to 1e9")

// run is the command.
func (b *bench) run(ctx context.Context) (err error) {
	if err := b.check(); err != nil {
		return err
	}
	contract, err := b.in.Contract(ctx)
	if err != nil {
		return err
	}
	s := &stage{bench: b, contract: contract, logger: mortise.NewLogger(b.stderr, slog.LevelError)}
	// What was made for the run goes in any case, also after a signal.
	defer func() { err = errors.Join(err, s.strike(context.WithoutCancel(ctx))) }()
	if err := s.load(ctx); err != nil {
		return err
	}
	if b.removeLeftovers {
		return s.removeLeftovers(ctx)
	}
	outputs, err := b.openOutputs()
	if err != nil {
		return err
	}
	options, err := s.options(ctx)
	if err != nil {
		outputs.discard()
		return err
	}
	report, err := benchmark.Run(ctx, options)
	if err != nil {
		outputs.discard()
		return b.told(ctx, err)
	}
	if err := outputs.write(b, report); err != nil {
		return command.Failed(err)
	}
	if report.Disagree()+report.Failing() > 0 {
		return command.Found()
	}
	return nil
}

// told makes the command's end of a failed run.
func (b *bench) told(ctx context.Context, err error) error {
	if list := problem.From(err); list != nil && ctx.Err() == nil {
		terminal.PrintProblems(b.stderr, list)
		return command.Failed(errors.New("the queries do not fit the database; is --schema the schema that they are written for?"))
	}
	return command.Failed(err)
}

// readKeys reads keys in hexadecimal, one a line.
func readKeys(file string) ([][]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, command.Misused("--keys: %w", err)
	}
	defer func() { _ = f.Close() }()
	var keys [][]byte
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimPrefix(strings.TrimSpace(lines.Text()), `\x`)
		if text == "" {
			continue
		}
		key, err := hex.DecodeString(text)
		if err != nil {
			return nil, command.Misused("--keys: line %d of %s is no hexadecimal number", n, file)
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, command.Misused("--keys: %w", err)
	}
	if len(keys) == 0 {
		return nil, command.Misused("--keys: %s holds no key", file)
	}
	return keys, nil
}
