package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A key is what is measured: a method, in a way, by so many callers.
type key struct {
	method, way string
	callers     int
}

// A measurement is one line of a benchmark: its metrics by their units.
type measurement map[string]float64

// An input is what the output of one or several runs says.
type input struct {
	// conditions are the configuration lines, by their first appearance; a value that changes from
	// run to run is there with all its values.
	conditions []condition
	results    map[key][]measurement
	// order is that of the methods' first appearance.
	order  []string
	failed []string
}

type condition struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

var (
	configLine = regexp.MustCompile(`^([a-z][^\sA-Z:]*):\s+(.*\S)\s*$`)
	failedLine = regexp.MustCompile(`^--- FAIL: (\S+)`)
	processors = regexp.MustCompile(`-\d+$`)
)

// parse reads Go's benchmark format. Lines that are no part of it are passed over.
func parse(in io.Reader) (*input, error) {
	found := &input{results: map[key][]measurement{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if match := configLine.FindStringSubmatch(line); match != nil {
			found.condition(match[1], match[2])
			continue
		}
		if match := failedLine.FindStringSubmatch(strings.TrimSpace(line)); match != nil {
			found.failed = append(found.failed, match[1])
			continue
		}
		if err := found.benchmark(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return found, lines.Err()
}

func (f *input) condition(name, value string) {
	i := slices.IndexFunc(f.conditions, func(c condition) bool { return c.Name == name })
	if i < 0 {
		f.conditions = append(f.conditions, condition{Name: name, Values: []string{value}})
		return
	}
	if !slices.Contains(f.conditions[i].Values, value) {
		f.conditions[i].Values = append(f.conditions[i].Values, value)
	}
}

// benchmark reads a line with a result: the name, the number of iterations, and pairs of value and
// unit.
func (f *input) benchmark(line string) error {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") || len(fields)%2 != 0 {
		return nil
	}
	if _, err := strconv.Atoi(fields[1]); err != nil {
		return nil // a name that something else was printed behind
	}
	k, err := keyOf(fields[0])
	if err != nil {
		return err
	}
	m := measurement{}
	for i := 2; i < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return fmt.Errorf("%s: %q is no number", fields[0], fields[i])
		}
		m[fields[i+1]] = value
	}
	if !slices.Contains(f.order, k.method) {
		f.order = append(f.order, k.method)
	}
	f.results[k] = append(f.results[k], m)
	return nil
}

// keyOf reads a benchmark's name, as in BenchmarkPutPeer/way=plain/callers=8-2. What is not in it, a
// benchmark of another package for example, has no way and one caller. How much is stored, as in
// BenchmarkPop/aliases=10000/..., is part of the method: rows of other sizes are not compared.
func keyOf(name string) (key, error) {
	parts := strings.Split(processors.ReplaceAllString(strings.TrimPrefix(name, "Benchmark"), ""), "/")
	k := key{method: parts[0], callers: 1}
	for _, part := range parts[1:] {
		if way, ok := strings.CutPrefix(part, "way="); ok {
			k.way = way
		} else if callers, ok := strings.CutPrefix(part, "callers="); ok {
			n, err := strconv.Atoi(callers)
			if err != nil {
				return key{}, fmt.Errorf("%s: callers must be a number", name)
			}
			k.callers = n
		} else if what, value, ok := strings.Cut(part, "="); ok {
			k.method += ", " + value + " " + what
		} else {
			k.method += "/" + part
		}
	}
	return k, nil
}
