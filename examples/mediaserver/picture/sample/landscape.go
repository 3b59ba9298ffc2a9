package sample

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
)

// Picture paints the landscape of a seed, opaque.
func Picture(seed uint64, width, height int) *image.RGBA {
	random := rand.New(rand.NewPCG(seed, 0x6d6f7274697365))
	l := newLandscape(random)
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		u := (float64(x) + 0.5) / float64(width)
		ridges := l.ridges(u)
		for y := range height {
			v := (float64(y) + 0.5) / float64(height)
			c := l.colour(u, v, ridges, float64(width)/float64(height))
			grain := (random.Float64() - 0.5) * 8
			dst.SetRGBA(x, y, c.rgba(grain))
		}
	}
	return dst
}

// rgb is a colour with channels of 0 to 255.
type rgb [3]float64

func (c rgb) mix(other rgb, share float64) rgb {
	for i := range c {
		c[i] += (other[i] - c[i]) * share
	}
	return c
}

func (c rgb) rgba(grain float64) color.RGBA {
	channel := func(i int) uint8 { return uint8(max(0, min(255, c[i]+grain+0.5))) }
	return color.RGBA{channel(0), channel(1), channel(2), 255}
}

// landscape is what is to be seen, in coordinates of 0 to 1.
type landscape struct {
	zenith, horizon, sun rgb
	// sunX, sunY and sunRadius; the radius is a part of the height.
	sunX, sunY, sunRadius float64
	// hills from the furthest to the nearest.
	hills []hill
}

// hill is a ridge with everything below it.
type hill struct {
	height float64
	colour rgb
	// trees stand on the nearest ridge, this many over the whole width.
	trees float64
	waves [5]struct{ amplitude, frequency, phase float64 }
}

func newLandscape(random *rand.Rand) *landscape {
	between := func(low, high float64) float64 { return low + random.Float64()*(high-low) }
	tint := func(base rgb) rgb {
		for i := range base {
			base[i] = max(0, min(255, base[i]+between(-40, 40)))
		}
		return base
	}
	l := &landscape{
		zenith:    tint(rgb{50, 90, 190}),
		horizon:   tint(rgb{240, 190, 150}),
		sun:       tint(rgb{255, 235, 180}),
		sunX:      between(0.15, 0.85),
		sunY:      between(0.12, 0.35),
		sunRadius: between(0.04, 0.09),
	}
	ground := tint(rgb{40, 90, 50})
	count := 3 + random.IntN(3)
	for i := range count {
		nearness := float64(i+1) / float64(count)
		h := hill{
			height: 0.45 + 0.4*nearness + between(-0.04, 0.04),
			colour: l.horizon.mix(ground, 0.25+0.75*nearness),
		}
		if i == count-1 {
			h.trees = between(15, 40)
		}
		amplitude := between(0.04, 0.09)
		for w := range h.waves {
			h.waves[w].amplitude = amplitude
			h.waves[w].frequency = math.Exp2(float64(w)) * between(2, 5)
			h.waves[w].phase = between(0, 2*math.Pi)
			amplitude *= 0.45
		}
		l.hills = append(l.hills, h)
	}
	return l
}

// ridges computes where each hill begins in a column.
func (l *landscape) ridges(u float64) []float64 {
	tops := make([]float64, len(l.hills))
	for i, h := range l.hills {
		top := h.height
		for _, wave := range h.waves {
			top -= wave.amplitude * math.Sin(wave.frequency*u+wave.phase)
		}
		if h.trees > 0 {
			_, across := math.Modf(u * h.trees)
			top -= max(0, 0.06-0.15*math.Abs(across-0.5))
		}
		tops[i] = top
	}
	return tops
}

// colour at a place, without grain. The ratio is width to height, so that the sun is round.
func (l *landscape) colour(u, v float64, ridges []float64, ratio float64) rgb {
	for i := len(ridges) - 1; i >= 0; i-- {
		if v >= ridges[i] {
			depth := min(1, (v-ridges[i])*2.5)
			return l.hills[i].colour.mix(rgb{15, 25, 20}, depth*0.6)
		}
	}
	sky := l.zenith.mix(l.horizon, math.Pow(min(1, v/0.6), 1.4))
	distance := math.Hypot((u-l.sunX)*ratio, v-l.sunY)
	if distance <= l.sunRadius {
		return l.sun
	}
	return sky.mix(l.sun, 0.7*math.Exp(-(distance-l.sunRadius)*9))
}
