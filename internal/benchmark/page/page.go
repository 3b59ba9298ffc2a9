// Package page makes one self-contained HTML page of a benchmark's report, for people: it needs no
// network, and can be read in light and dark.
//
// It must not measure or compute anything that the report does not say.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/internal/benchmark"
)

//go:embed page.html.tmpl
var text string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"duration": benchmark.Duration,
	"count":    benchmark.Count,
	"percent":  func(x float64) string { return fmt.Sprintf("%g %%", 100*x) },
	"ratio":    func(x float64) string { return fmt.Sprintf("%.2f", x) },
	"keys":     func(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) },
	"class":    class,
}).Parse(text))

// class is the verdict as a class of the style sheet.
func class(v benchmark.Verdict) string { return strings.ReplaceAll(string(v), " ", "-") }

// A view is what the template shows.
type view struct {
	*benchmark.Report
	Title    string
	Overview template.HTML
	Cards    []card
	// Settings are the names of server settings that any set has.
	Settings []string
}

// A card is one case.
type card struct {
	*benchmark.Result
	ID           string
	Distribution template.HTML
	Throughput   template.HTML
}

// Write writes the page.
func Write(w io.Writer, r *benchmark.Report) error {
	v := view{Report: r, Title: "Benchmark of " + r.Sets[0].File}
	if r.Compared() {
		v.Title = fmt.Sprintf("%s against %s", r.Sets[1].File, r.Sets[0].File)
	}
	names := map[string]bool{}
	for _, set := range r.Sets {
		for name := range set.Settings {
			names[name] = true
		}
	}
	v.Settings = slices.Sorted(maps.Keys(names))
	var err error
	if v.Overview, err = overview(r); err != nil {
		return err
	}
	for i, result := range r.Results {
		c := card{Result: result, ID: fmt.Sprintf("case-%d", i+1)}
		if c.Distribution, err = distribution(r, result); err != nil {
			return err
		}
		if c.Throughput, err = throughput(r, result); err != nil {
			return err
		}
		v.Cards = append(v.Cards, c)
	}
	return page.Execute(w, v)
}

// Count counts the cases with a verdict, for the summary.
func (v view) Count(verdict string) int {
	n := 0
	for _, r := range v.Results {
		if r.Ratio != nil && string(r.Ratio.Verdict) == verdict {
			n++
		}
	}
	return n
}
