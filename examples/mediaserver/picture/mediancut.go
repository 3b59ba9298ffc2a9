package picture

import (
	"cmp"
	"image"
	"slices"
)

// medianCut divides the colours that occur into groups of about equal weight and extent (Heckbert,
// 1982) and takes the mean of each.
func medianCut(src *image.RGBA) *palette {
	groups := []group{newGroup(occupied(src))}
	for len(groups) < maxColours {
		widest := 0
		for i := range groups {
			if groups[i].extent > groups[widest].extent {
				widest = i
			}
		}
		if groups[widest].extent == 0 {
			break
		}
		lower, upper := groups[widest].split()
		groups[widest] = lower
		groups = append(groups, upper)
	}
	p := newPalette()
	for _, g := range groups {
		p.add(g.mean())
	}
	return p
}

// bin is a cell of the colour cube with the pixels in it.
type bin struct {
	sum   [3]int
	count int
	mean  [3]uint8
}

func (b *bin) average() {
	for i := range b.mean {
		b.mean[i] = uint8((b.sum[i] + b.count/2) / b.count)
	}
}

// occupied returns the cells in which there are pixels.
func occupied(src *image.RGBA) []bin {
	cells := make([]bin, 1<<(3*cellBits))
	for i := 0; i < len(src.Pix); i += 4 {
		if c, ok := opaqueColour(src.Pix[i : i+4]); ok {
			b := &cells[cell(c)]
			b.count++
			for j := range c {
				b.sum[j] += int(c[j])
			}
		}
	}
	cells = slices.DeleteFunc(cells, func(b bin) bool { return b.count == 0 })
	for i := range cells {
		cells[i].average()
	}
	return cells
}

// group is a part of the colours that will become one colour.
type group struct {
	bins []bin
	// axis is the channel along which they extend furthest.
	axis int
	// extent is how far, squared and weighed by the pixels; 0 if the group cannot be split.
	extent int
}

func newGroup(bins []bin) group {
	g := group{bins: bins}
	if len(bins) < 2 {
		return g
	}
	low, high, count := [3]uint8{255, 255, 255}, [3]uint8{}, 0
	for _, b := range bins {
		for i, value := range b.mean {
			low[i], high[i] = min(low[i], value), max(high[i], value)
		}
		count += b.count
	}
	spread := 0
	for i := range low {
		if s := int(high[i]) - int(low[i]); s > spread {
			g.axis, spread = i, s
		}
	}
	g.extent = spread * spread * count
	return g
}

// split divides a group at the median of its pixels; both parts have at least one cell.
func (g group) split() (lower, upper group) {
	slices.SortFunc(g.bins, func(a, b bin) int { return cmp.Compare(a.mean[g.axis], b.mean[g.axis]) })
	total := 0
	for _, b := range g.bins {
		total += b.count
	}
	at, passed := 1, g.bins[0].count
	for at < len(g.bins)-1 && 2*passed < total {
		passed += g.bins[at].count
		at++
	}
	return newGroup(g.bins[:at:at]), newGroup(g.bins[at:])
}

func (g group) mean() [3]uint8 {
	var total bin
	for _, b := range g.bins {
		total.count += b.count
		for i := range total.sum {
			total.sum[i] += b.sum[i]
		}
	}
	total.average()
	return total.mean
}
