package check

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// found is the outcome of a check.
type found struct {
	file     string
	problems problem.List
	// queries is how many were looked at.
	queries int
	// server is what the database is and where; empty if none was asked.
	server string
	// failed says that the database could not be asked, or not to the end.
	failed bool
	target check.Target
}

// collect puts together what the loader, the rules on texts and the database find.
func (c checker) collect(ctx context.Context, l *command.Loaded, logger *slog.Logger) found {
	f := found{problems: l.Problems}
	if l.Config == nil {
		return f // the file could not be read at all
	}
	f.file = l.Config.File
	target, given, wrong := c.targetOf(l.Config)
	f.target = target
	set, _ := query.CompileSet(l.Contract, l.Config.Storage.Sources)
	f.queries = len(set.Statements())
	texts := func(target check.Target, online bool) problem.List {
		return check.Texts(check.Input{Contract: l.Contract, Set: set, Sources: l.Config.Storage.Sources, Settings: l.Config.Storage.Settings,
			Connection: l.Config.Storage.Connection, AnnounceInterval: l.Config.AnnounceInterval, Given: l.Config.Given, Place: l.Config.Place,
			Target: target, Online: online})
	}
	if c.offline || l.Config.Storage.Connection == "" {
		f.problems = merge(wrong, atColumnKeys(check.Merge(l.Problems, texts(target, false)), l))
		return f
	}
	o := &online{loaded: l, set: set, logger: logger, timeout: c.timeout}
	if given {
		o.target = &target
	}
	asked := o.ask(ctx)
	f.server, f.failed = o.server, o.failed
	if !given {
		f.target = o.is
	}
	f.problems = merge(wrong, atColumnKeys(check.Merge(slices.Concat(l.Problems, asked), texts(f.target, !f.failed)), l))
	return f
}

// targetOf is what the queries are written for: the flag's word, or the file's.
func (c checker) targetOf(config *mortise.Config) (target check.Target, given bool, wrong problem.List) {
	text := c.target
	if text == "" {
		text = config.Target
	}
	target, err := check.ParseTarget(text)
	if err != nil {
		wrong = problem.List{{Severity: problem.Error, Rule: "unknown-target", Position: config.Place("target"), Key: "target",
			Message: err.Error(), Fix: "write for example postgres 15, cockroachdb 24.1 or postgres pooler"}}
	}
	return target, text != "" && err == nil, wrong
}

// superseded are rules on texts that say the same as one that has seen the database, for one query.
var superseded = map[string]string{"D27-any-column": "gin-any", "D12-skip-locked": "skip-locked-order", "D20-concurrently": "refresh-without-unique"}

// ofResults are rules of which one finding at a place is enough, in whatever words.
var ofResults = []string{"missing-column", "doubled-column", "column-type", "no-result"}

// merge joins lists and leaves out what is said twice: the same at the same place (a query is described
// again with each clause that is appended to it), and what another rule knows better.
func merge(lists ...problem.List) problem.List {
	all := slices.Concat(lists...)
	ruled := map[string]bool{}
	for _, p := range all {
		ruled[p.Rule+" "+p.Key] = true
	}
	type telling struct {
		problem.Position
		words string
	}
	at := map[telling]int{} // in merged
	var merged problem.List
	for _, p := range all {
		if better := superseded[p.Rule]; better != "" && ruled[better+" "+p.Key] {
			continue
		}
		said := telling{p.Position, p.Message}
		if slices.Contains(ofResults, p.Rule) {
			said.words = p.Rule
		}
		before, known := at[said]
		switch {
		case !known || p.Line == 0:
			at[said] = len(merged)
			merged = append(merged, p)
		case strings.HasSuffix(merged[before].Key, "_clause"):
			merged[before] = p // the query itself is named, rather than what extends it
		}
	}
	merged.Sort()
	return merged
}

// atColumnKeys moves a problem with a result's column to the key that gives the column its name, if the
// file has it: most often that key is what is wrong.
func atColumnKeys(problems problem.List, l *command.Loaded) problem.List {
	for i, p := range problems {
		op, known := l.Contract.Lookup(p.Key)
		if !known || !slices.Contains([]string{"missing-column", "column-type"}, p.Rule) {
			continue
		}
		source := l.Config.Storage.Sources.ByKey[op.Key]
		if op.Extends != nil {
			source = l.Config.Storage.Sources.ByKey[baseOf(op).Key]
		}
		for _, column := range op.Columns {
			name := source.Columns[column.Name]
			if name == "" || !regexp.MustCompile(`(?i)\bcolumn `+regexp.QuoteMeta(name)+`( |;|$)`).MatchString(p.Message) {
				continue
			}
			if key := columnKey(op, column, l.Config); key != "" {
				problems[i].Position = l.Config.Place(key)
			}
		}
	}
	return problems
}

func baseOf(op *operation.Operation) *operation.Operation {
	for op.Extends != nil {
		op = op.Extends
	}
	return op
}

// columnKey is the key by which the file names a result's column, or "".
func columnKey(op *operation.Operation, column *operation.Column, config *mortise.Config) string {
	group := op.Key[:strings.LastIndexByte(op.Key, '.')+1]
	for _, key := range op.ColumnKeys(column) {
		if config.Given(group + key) {
			return group + key
		}
	}
	return ""
}
