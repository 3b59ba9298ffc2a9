package main

import (
	"encoding/json"
	"io"
	"slices"
)

const (
	plain     = "plain"
	inProcess = "inprocess"
	plugin    = "plugin"
)

// A summary is what the table shows.
type summary struct {
	Conditions []condition `json:"conditions"`
	Rows       []row       `json:"rows"`
}

// A row is one method with one number of callers.
type row struct {
	Method  string         `json:"method"`
	Callers int            `json:"callers"`
	Ways    map[string]way `json:"ways"`
	// InProcessRatio and PluginRatio are plain's time as a part of the other's: 1 is as fast as the
	// floor, 0.5 takes twice as long. 0 if one of them was not measured.
	InProcessRatio float64 `json:"plain_by_inprocess,omitempty"`
	PluginRatio    float64 `json:"plain_by_plugin,omitempty"`
	// Hop is what the way to the plugin and back costs one caller, in microseconds; nil for several
	// callers, where it overlaps with others' work. In a noisy run it can be negative.
	Hop *float64 `json:"hop_us,omitempty"`
}

// A way is the samples of one way: medians, and how far they lie apart.
type way struct {
	Samples int `json:"samples"`
	// Micros is the time of an iteration, Least and Most the extremes of the samples.
	Micros float64 `json:"us_per_op"`
	Least  float64 `json:"least_us"`
	Most   float64 `json:"most_us"`
	// Spread is the distance of the extremes as a part of the median.
	Spread float64 `json:"spread"`
	// Metrics are the medians of everything that was measured, by unit.
	Metrics map[string]float64 `json:"metrics"`
}

func summarise(f *input) *summary {
	s := &summary{Conditions: f.conditions}
	rows := map[key]*row{} // by method and callers
	for _, method := range f.order {
		var of []*row
		for k, measurements := range f.results {
			if k.method != method {
				continue
			}
			place := key{method: method, callers: k.callers}
			if rows[place] == nil {
				rows[place] = &row{Method: method, Callers: k.callers, Ways: map[string]way{}}
				of = append(of, rows[place])
			}
			rows[place].Ways[k.way] = wayOf(measurements)
		}
		slices.SortFunc(of, func(a, b *row) int { return a.Callers - b.Callers })
		for _, r := range of {
			r.compare()
			s.Rows = append(s.Rows, *r)
		}
	}
	return s
}

func wayOf(measurements []measurement) way {
	byUnit := map[string][]float64{}
	for _, m := range measurements {
		for unit, value := range m {
			byUnit[unit] = append(byUnit[unit], value)
		}
	}
	w := way{Samples: len(measurements), Metrics: map[string]float64{}}
	for unit, values := range byUnit {
		slices.Sort(values)
		w.Metrics[unit] = median(values)
	}
	const nanos = 1000
	if times := byUnit["ns/op"]; len(times) > 0 {
		w.Micros, w.Least, w.Most = median(times)/nanos, times[0]/nanos, times[len(times)-1]/nanos
		if w.Micros > 0 {
			w.Spread = (w.Most - w.Least) / w.Micros
		}
	}
	return w
}

// median of sorted values.
func median(sorted []float64) float64 {
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

func (r *row) compare() {
	floor, inside, outside := r.Ways[plain].Micros, r.Ways[inProcess].Micros, r.Ways[plugin].Micros
	if inside > 0 {
		r.InProcessRatio = floor / inside
	}
	if outside > 0 {
		r.PluginRatio = floor / outside
	}
	if r.Callers == 1 && inside > 0 && outside > 0 {
		hop := outside - inside
		r.Hop = &hop
	}
}

// samples are the least and most that a way of the row has.
func (r *row) samples() (least, most int) {
	first := true
	for _, w := range r.Ways {
		if first {
			least, first = w.Samples, false
		}
		least, most = min(least, w.Samples), max(most, w.Samples)
	}
	return least, most
}

// spread is the greatest of the ways'.
func (r *row) spread() float64 {
	greatest := 0.0
	for _, w := range r.Ways {
		greatest = max(greatest, w.Spread)
	}
	return greatest
}

// compared says whether the row has one of the ways that the table compares.
func (r *row) compared() bool {
	for _, name := range []string{plain, inProcess, plugin} {
		if _, ok := r.Ways[name]; ok {
			return true
		}
	}
	return false
}

func (s *summary) writeJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}
