package picture

import "math"

// kernel is a filter for scaling: how much a source pixel counts at a distance from the place of
// the new pixel, in new pixels. It is 0 beyond its support.
type kernel struct {
	support float64
	at      func(distance float64) float64
}

const defaultFilter = "lanczos2"

// The sharpened forms of the Lanczos filters are narrower by the factor that minimizes blurring of
// vertical and horizontal lines; it is the one ImageMagick uses, whose names these are.
const (
	sharp2 = 0.9549963639785485
	sharp3 = 0.9812505644269356
)

// filters of the resize operation, by name.
var filters = map[string]kernel{
	"lanczos":       lanczos(3, 1),
	"lanczossharp":  lanczos(3, sharp3),
	"lanczos2":      lanczos(2, 1),
	"lanczos2sharp": lanczos(2, sharp2),
	"mitchell":      cubic(1.0/3, 1.0/3),
	"robidouxsharp": cubic(0.2620145123990142, 0.3689927438004929),
}

// triangle is the filter of thumbnails: the cheapest that uses every source pixel.
var triangle = kernel{1, func(x float64) float64 { return max(0, 1-math.Abs(x)) }}

// lanczos is sinc in a window of its own shape, with a number of lobes.
func lanczos(lobes, narrower float64) kernel {
	return kernel{lobes * narrower, func(x float64) float64 {
		x = math.Abs(x) / narrower
		if x >= lobes {
			return 0
		}
		return sinc(x) * sinc(x/lobes)
	}}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// cubic is the family of Mitchell and Netravali ("Reconstruction filters in computer graphics",
// 1988) with its parameters B and C.
func cubic(b, c float64) kernel {
	return kernel{2, func(x float64) float64 {
		x = math.Abs(x)
		switch {
		case x < 1:
			return ((12-9*b-6*c)*x*x*x + (-18+12*b+6*c)*x*x + (6 - 2*b)) / 6
		case x < 2:
			return ((-b-6*c)*x*x*x + (6*b+30*c)*x*x + (-12*b-48*c)*x + (8*b + 24*c)) / 6
		}
		return 0
	}}
}

// contribution says which neighbouring source pixels make one new pixel; the weights add up to 1.
type contribution struct {
	first   int
	weights []float32
}

// weigh computes the contributions for scaling a row of a length down to another.
func (k kernel) weigh(from, to int) []contribution {
	scale := float64(from) / float64(to)
	reach := k.support * scale
	contributions := make([]contribution, to)
	for i := range contributions {
		centre := (float64(i)+0.5)*scale - 0.5
		first := max(0, int(math.Ceil(centre-reach)))
		last := min(from-1, int(math.Floor(centre+reach)))
		weights := make([]float32, last-first+1)
		var sum float64
		for j := range weights {
			weight := k.at((float64(first+j) - centre) / scale)
			weights[j] = float32(weight)
			sum += weight
		}
		for j := range weights {
			weights[j] /= float32(sum)
		}
		contributions[i] = contribution{first, weights}
	}
	return contributions
}

func longest(contributions []contribution) int {
	length := 0
	for _, c := range contributions {
		length = max(length, len(c.weights))
	}
	return length
}
