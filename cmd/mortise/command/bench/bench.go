// Package bench is the command that measures an operator's queries, and compares two query sets.
package bench

import (
	"io"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/benchmark"
)

const long = `Measure latency and throughput of each operation and each method of a query set, or
compare two query sets with --a and --b.

Unless told otherwise nothing of the operator's is touched: a database is made on the
server (or a schema, where the role may not create databases), the schema's script is
applied, generated data is stored through the operator's own queries, and the whole is
dropped at the end. With --fill none the operator's own rows are read instead, looked up
by the keys in --keys, and only what changes nothing is measured.

Calls are made in a closed loop: each caller waits for its answer before it makes the next
call. High percentiles then tell nothing of calls that would have waited meanwhile; with
--rate calls are due at fixed times, and latencies count from then.

A comparison alternates short rounds of A and B on equal data, after both have answered
the same calls alike. "faster" and "slower" are said only if the interval of the ratio says
so. Comparing a file with itself shows how much of a difference is chance.

The exit status is 0 if all is fine, 1 if calls fail or answers are wrong or differ, 2 for
wrong usage. Being slower is no failure.`

const examples = `  mortise bench -c queries.yaml --schema schema.sql --size 1e6
  mortise bench --a old.yaml --b new.yaml --schema schema.sql --html report.html
  mortise bench -c queries.yaml --operations 'announce|Announce' --callers 64 --rate 5000
  mortise bench -c queries.yaml --fill none --keys hashes.txt --json -
  mortise bench -c queries.yaml --remove-leftovers`

// New makes the command.
func New() *cobra.Command {
	var in command.Input
	b := &bench{}
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure the queries, or compare two query sets",
		Long:    long,
		Example: examples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b.in, b.stdout, b.stderr = in, cmd.OutOrStdout(), cmd.ErrOrStderr()
			b.scratchGiven, b.configGiven = cmd.Flags().Changed("scratch"), cmd.Flags().Changed("config")
			return command.WithSignals(cmd.Context(), b.run)
		},
	}
	in.Flags(cmd)
	b.inputFlags(cmd)
	b.loadFlags(cmd)
	complete(cmd, &in)
	return cmd
}

// A bench is the command's flags.
type bench struct {
	in             command.Input
	stdout, stderr io.Writer

	schema, a, b, schemaA, schemaB string
	scratch                        string
	scratchGiven, configGiven      bool
	mayChange                      bool
	size                           count
	fill, keys                     string
	seed                           uint64

	way, program       string
	callers, rounds    int
	duration, warmup   time.Duration
	rate               float64
	operations         string
	only               *regexp.Regexp
	confidence, margin float64
	checks             int
	json, html         string
	removeLeftovers    bool
}

func (b *bench) inputFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&b.schema, "schema", "", "the script that makes the tables (default: schema.sql beside the file, or else Mortise's own)")
	flags.StringVar(&b.a, "a", "", "the operator's file to compare with --b")
	flags.StringVar(&b.b, "b", "", "the operator's file to compare with --a")
	flags.StringVar(&b.schemaA, "schema-a", "", "the schema of --a, if not --schema")
	flags.StringVar(&b.schemaB, "schema-b", "", "the schema of --b, if not --schema")
	flags.StringVar(&b.scratch, "scratch", "auto", "where to measure: a database or a schema made for it and dropped afterwards, or none, which is the operator's own tables")
	flags.BoolVar(&b.mayChange, "database-may-be-changed", false, "with --scratch none, write into tables that hold rows; nothing that was there is deleted")
	b.size = 100_000
	flags.Var(&b.size, "size", "how much data is stored first, in the domain's main things (peers), for example 1e6")
	flags.StringVar(&b.fill, "fill", "generate", "generate, or none: use the operator's own rows")
	flags.StringVar(&b.keys, "keys", "", "file with keys of own rows for --fill none, in hexadecimal, one a line (info hashes)")
	flags.Uint64Var(&b.seed, "seed", 1, "data and calls follow from it")
	flags.BoolVar(&b.removeLeftovers, "remove-leftovers", false, "drop what killed runs left behind, and end")
	for _, file := range []string{"a", "b"} {
		_ = cmd.MarkFlagFilename(file, "yaml", "yml")
	}
	for _, file := range []string{"schema", "schema-a", "schema-b"} {
		_ = cmd.MarkFlagFilename(file, "sql")
	}
	cmd.MarkFlagsRequiredTogether("a", "b")
}

func (b *bench) loadFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&b.way, "way", benchmark.InProcess, "inprocess, or plugin: through a child process, as a host calls it")
	flags.StringVar(&b.program, "program", "", "the plugin's executable (default: this program)")
	flags.IntVar(&b.callers, "callers", 4, "how many call at the same time")
	flags.DurationVar(&b.duration, "duration", 2*time.Second, "how long each case of each set is measured")
	flags.DurationVar(&b.warmup, "warmup", 200*time.Millisecond, "how long it is called before that")
	flags.Float64Var(&b.rate, "rate", 0, "calls due in a second over all callers; 0 is as many as are answered")
	flags.IntVar(&b.rounds, "rounds", 12, "into how many rounds a case's duration is cut")
	flags.StringVar(&b.operations, "operations", "", "measure only cases whose name this regular expression matches")
	flags.Float64Var(&b.confidence, "confidence", 0.99, "of the intervals of a comparison")
	flags.Float64Var(&b.margin, "margin", 0.05, "up to which part a ratio is no difference")
	flags.IntVar(&b.checks, "checks", 25, "how many calls of each case are compared before measuring")
	flags.StringVar(&b.json, "json", "", "write the report as JSON to a file, or - to print it")
	flags.StringVar(&b.html, "html", "", "write the report as one HTML page")
	_ = cmd.MarkFlagFilename("json", "json")
	_ = cmd.MarkFlagFilename("html", "html")
}

func complete(cmd *cobra.Command, in *command.Input) {
	words := func(words ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
	}
	_ = cmd.RegisterFlagCompletionFunc("scratch", words("auto", "database", "schema", "none"))
	_ = cmd.RegisterFlagCompletionFunc("fill", words("generate", "none"))
	_ = cmd.RegisterFlagCompletionFunc("way", words(benchmark.InProcess, benchmark.ViaPlugin))
	_ = cmd.RegisterFlagCompletionFunc("operations", func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return in.CompleteOperations(cmd, nil, word)
	})
}

// check finds what is wrong with the flags by themselves.
func (b *bench) check() error {
	var err error
	if b.operations != "" {
		if b.only, err = regexp.Compile(b.operations); err != nil {
			return command.Misused("--operations: %w", err)
		}
	}
	if b.fill == "none" && !b.scratchGiven {
		b.scratch = "none"
	}
	switch {
	case !oneOf(b.scratch, "auto", "database", "schema", "none"):
		return command.Misused("--scratch is auto, database, schema or none, not %s", b.scratch)
	case !oneOf(b.fill, "generate", "none"):
		return command.Misused("--fill is generate or none, not %s", b.fill)
	case !oneOf(b.way, benchmark.InProcess, benchmark.ViaPlugin):
		return command.Misused("--way is %s or %s, not %s", benchmark.InProcess, benchmark.ViaPlugin, b.way)
	case b.fill == "none" && b.scratch != "none":
		return command.Misused("--fill none reads the operator's own rows, and a scratch has none; leave --scratch out")
	case b.fill == "none" && b.keys == "":
		return command.Misused("--fill none needs --keys FILE: the info hashes to look up, in hexadecimal, one a line")
	case b.fill != "none" && b.keys != "":
		return command.Misused("--keys are for --fill none")
	case b.callers < 1 || b.rounds < 1 || b.duration <= 0 || b.warmup < 0 || b.rate < 0 || b.checks < 0 || b.margin < 0:
		return command.Misused("--callers, --rounds and --duration must be more than 0, --warmup, --rate, --checks and --margin at least 0")
	case b.confidence < 0.5 || b.confidence > 0.9999:
		return command.Misused("--confidence must be between 0.5 and 0.9999")
	case b.a != "" && b.configGiven:
		return command.Misused("give --config to measure one file, or --a and --b to compare two")
	case b.a != "" && b.rounds < benchmark.LeastRounds(b.confidence):
		return command.Misused("an interval of %g %% needs at least %d --rounds", 100*b.confidence, benchmark.LeastRounds(b.confidence))
	}
	return nil
}

func oneOf(word string, words ...string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

// count is a number that may be written as 1e6.
type count int64

// String writes the number.
func (c *count) String() string { return strconv.FormatInt(int64(*c), 10) }

// Set reads the number.
func (c *count) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || x != float64(int64(x)) || x < 1 || x > 1e9 {
		return errCount
	}
	*c = count(x)
	return nil
}

// Type names the kind of value in the help.
func (*count) Type() string { return "number" }

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
