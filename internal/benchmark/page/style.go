package page

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/mortise-storage/mortise/internal/benchmark"
)

// A colour is a place holder: the page's style sheet says what it is in light and in dark. None is
// black, which the drawing library leaves out as the default.
type colour = color.RGBA

var (
	ink     = placeHolder(1)
	muted   = placeHolder(2)
	grid    = placeHolder(3)
	setA    = placeHolder(4)
	setB    = placeHolder(5)
	good    = placeHolder(6)
	bad     = placeHolder(7)
	unclear = placeHolder(8)
)

func placeHolder(n uint8) colour { return colour{R: n, G: n, B: n, A: 255} }

var variables = strings.NewReplacer("#010101", "var(--ink)", "#020202", "var(--muted)", "#030303", "var(--grid)", "#040404", "var(--a)",
	"#050505", "var(--b)", "#060606", "var(--good)", "#070707", "var(--bad)", "#080808", "var(--unclear)")

func setColour(i int) colour {
	if i == 0 {
		return setA
	}
	return setB
}

// newPlot makes an empty plot with a grid.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Label.TextStyle.Color, axis.Tick.Label.Color, axis.Tick.Color = grid, muted, muted, grid
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = sans(8), sans(7.5)
		axis.Tick.Length = 2
		axis.LineStyle.Width, axis.Tick.LineStyle.Width = vg.Points(0.6), vg.Points(0.6)
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = grid, grid
	lines.Vertical.Width, lines.Horizontal.Width = vg.Points(0.5), vg.Points(0.5)
	p.Add(lines)
	return p
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

var (
	head  = regexp.MustCompile(`(?s)^.*?<svg[^>]*viewBox="([^"]*)"[^>]*>`)
	fonts = regexp.MustCompile(`font-family:[^;"]*`)
)

// svg draws a plot as an element of the page.
func svg(p *plot.Plot, width, height vg.Length, label string) (template.HTML, error) {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", err
	}
	// Only what the page needs is kept of the head: no size, so that the style sheet decides, and no
	// namespaces, which HTML knows.
	text := head.ReplaceAllString(out.String(), fmt.Sprintf(`<svg viewBox="$1" role="img" aria-label="%s">`, html.EscapeString(label)))
	text = fonts.ReplaceAllString(text, "font-family:inherit")
	return template.HTML(variables.Replace(text)), nil // safe: made here, with all text escaped
}

// logDurations makes an axis logarithmic, in microseconds, with readable marks.
func logDurations(axis *plot.Axis) {
	axis.Min, axis.Max = axis.Min/1.2, axis.Max*1.2
	axis.Scale = plot.LogScale{}
	axis.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		var ticks []plot.Tick
		steps := []float64{1, 2, 5}
		if high/low > 200 {
			steps = []float64{1}
		}
		for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
			for _, step := range steps {
				if v := decade * step; v >= low && v <= high {
					ticks = append(ticks, plot.Tick{Value: v, Label: mark(v)})
				}
			}
		}
		if len(ticks) == 0 {
			ticks = append(ticks, plot.Tick{Value: math.Sqrt(low * high), Label: benchmark.Duration(math.Sqrt(low * high))})
		}
		return ticks
	})
}

// mark writes a round number of microseconds.
func mark(us float64) string {
	switch {
	case us < 999.5:
		return number(us) + " µs"
	case us < 999_500:
		return number(us/1e3) + " ms"
	}
	return number(us/1e6) + " s"
}

func number(x float64) string {
	return strconv.FormatFloat(math.Round(x*1000)/1000, 'g', -1, 64)
}
