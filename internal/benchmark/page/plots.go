package page

import (
	"cmp"
	"html/template"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/mortise-storage/mortise/internal/benchmark"
)

// The sizes of plots, in points. The page scales them to their place.
const (
	cardWidth, cardHeight = 300 * vg.Length(1), 150 * vg.Length(1)
	wideWidth             = 700 * vg.Length(1)
	rowHeight             = 17 * vg.Length(1)
)

// overview shows all cases at once: the ratios of a comparison, or the latencies of a single set.
func overview(r *benchmark.Report) (template.HTML, error) {
	if len(r.Results) == 0 {
		return "", nil
	}
	if r.Compared() {
		return forest(r)
	}
	return latencies(r)
}

// forest draws the ratio of each case with its interval, and the line of no difference.
func forest(r *benchmark.Report) (template.HTML, error) {
	p := newPlot("B/A, ratio of median latencies (left of 1: B is faster)", "")
	byVerdict := map[benchmark.Verdict]*intervals{}
	var names []string
	low, high := 0.8, 1.25
	n := 0
	for i := len(r.Results) - 1; i >= 0; i-- { // from below
		q := r.Results[i].Ratio
		if q == nil {
			continue
		}
		if byVerdict[q.Verdict] == nil {
			byVerdict[q.Verdict] = &intervals{}
		}
		byVerdict[q.Verdict].add(float64(n), q.Low, q.Center, q.High)
		low, high = min(low, q.Low), max(high, q.High)
		names = append(names, r.Results[i].Name())
		n++
	}
	if n == 0 {
		return "", nil
	}
	rows(p, names)
	p.X.Scale, p.X.Min, p.X.Max = plot.LogScale{}, low/1.15, high*1.15
	p.X.Tick.Marker = plot.ConstantTicks(ratioTicks(p.X.Min, p.X.Max))
	one, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.6}, {X: 1, Y: float64(n) - 0.4}})
	if err != nil {
		return "", err
	}
	one.Color, one.Width = ink, vg.Points(0.8)
	p.Add(one)
	colours := map[benchmark.Verdict]colour{benchmark.Faster: good, benchmark.Slower: bad, benchmark.Same: muted, benchmark.Unclear: unclear}
	for verdict, all := range byVerdict {
		if err := all.draw(p, colours[verdict]); err != nil {
			return "", err
		}
	}
	return svg(p, wideWidth, 46+rowHeight*vg.Length(n), "Ratio of the median latencies of B and A, with intervals, by case")
}

// latencies draws for each case a line from the median to the 99th percentile.
func latencies(r *benchmark.Report) (template.HTML, error) {
	p := newPlot("latency: a dot for the median, a line to the 99th percentile", "")
	var names []string
	all := &intervals{}
	for i := len(r.Results) - 1; i >= 0; i-- {
		m := r.Results[i].Sides[0]
		if m.P50 <= 0 {
			continue
		}
		all.add(float64(len(names)), m.P50, m.P50, m.P99)
		names = append(names, r.Results[i].Name())
	}
	if len(names) == 0 {
		return "", nil
	}
	rows(p, names)
	logDurations(&p.X)
	if err := all.draw(p, setA); err != nil {
		return "", err
	}
	return svg(p, wideWidth, 46+rowHeight*vg.Length(len(names)), "Latency by case, from the median to the 99th percentile")
}

// rows names the places of the y axis.
func rows(p *plot.Plot, names []string) {
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	p.Y.Tick.Label.Font.Size = 8
	p.Y.Tick.Label.Color = ink
	p.Y.Width, p.Y.Tick.LineStyle.Width = 0, 0
}

// intervals are points with bounds on both sides, at rows.
type intervals struct {
	plotter.XYs
	plotter.XErrors
}

func (s *intervals) add(row, low, center, high float64) {
	s.XYs = append(s.XYs, plotter.XY{X: center, Y: row})
	s.XErrors = append(s.XErrors, struct{ Low, High float64 }{center - low, high - center})
}

func (s *intervals) draw(p *plot.Plot, c colour) error {
	bars, err := plotter.NewXErrorBars(s)
	if err != nil {
		return err
	}
	bars.Color, bars.Width, bars.CapWidth = c, vg.Points(1.4), 0
	dots, err := plotter.NewScatter(s.XYs)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(2.8), Shape: draw.CircleGlyph{}}
	p.Add(bars, dots)
	return nil
}

// distribution draws which part of the calls took no longer than what.
func distribution(r *benchmark.Report, result *benchmark.Result) (template.HTML, error) {
	p := newPlot("latency", "share of calls")
	drawn := false
	for i, m := range result.Sides {
		var points plotter.XYs
		for _, q := range m.Quantiles {
			if q[1] > 0 {
				points = append(points, plotter.XY{X: q[1], Y: 100 * q[0]})
			}
		}
		if len(points) < 2 {
			continue
		}
		drawn = true
		if err := line(p, points, i); err != nil {
			return "", err
		}
	}
	if !drawn {
		return "", nil
	}
	p.Y.Min, p.Y.Max = 0, 100
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 50, Label: "50 %"}, {Value: 90, Label: "90 %"}, {Value: 100, Label: "100 %"}}
	logDurations(&p.X)
	return svg(p, cardWidth, cardHeight, "Distribution of the latencies of "+result.Name())
}

// throughput draws the calls a second of each round.
func throughput(r *benchmark.Report, result *benchmark.Result) (template.HTML, error) {
	p := newPlot("seconds", "calls a second")
	highest := 0.0
	drawn := false
	for i, m := range result.Sides {
		var points plotter.XYs
		for _, round := range m.Rounds {
			points = append(points, plotter.XY{X: round.At, Y: round.PerSecond})
			highest = max(highest, round.PerSecond)
		}
		if len(points) < 2 || m.Calls == m.Errors {
			continue
		}
		drawn = true
		if err := line(p, points, i); err != nil {
			return "", err
		}
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return "", err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: setColour(i), Radius: vg.Points(1.5), Shape: draw.CircleGlyph{}}
		p.Add(dots)
	}
	if !drawn {
		return "", nil
	}
	p.Y.Min, p.Y.Max = 0, cmp.Or(highest*1.1, 1)
	p.Y.Tick.Marker = plot.ConstantTicks(countTicks(p.Y.Max))
	return svg(p, cardWidth, cardHeight, "Throughput of "+result.Name()+" over time")
}

func line(p *plot.Plot, points plotter.XYs, set int) error {
	l, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	l.Color, l.Width = setColour(set), vg.Points(1.5)
	p.Add(l)
	return nil
}

// ratioTicks are round ratios within a range, few enough to be told apart.
func ratioTicks(low, high float64) []plot.Tick {
	values := []float64{0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1000}
	if high/low < 10 {
		values = []float64{0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4}
	}
	if high/low < 2 {
		values = []float64{0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.6}
	}
	var ticks []plot.Tick
	for _, v := range values {
		if v >= low && v <= high {
			ticks = append(ticks, plot.Tick{Value: v, Label: number(v)})
		}
	}
	return ticks
}

// countTicks are about four round numbers from 0.
func countTicks(most float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10(most/3)))
	for _, factor := range []float64{2, 2.5, 2} {
		if most/step > 4 {
			step *= factor
		}
	}
	var ticks []plot.Tick
	for v := 0.0; v <= most; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: benchmark.Count(v)})
	}
	return ticks
}
