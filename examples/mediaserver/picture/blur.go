package picture

import (
	"context"
	"image"
	"math"
)

// boxesFrom is the sigma from which three running averages stand for the Gaussian: they differ from
// it by about 3 percent at most and cost the same for every sigma.
const boxesFrom = 2

func (b blur) apply(ctx context.Context, src *image.RGBA) (*image.RGBA, error) {
	smooth := gaussian(b.sigma)
	if b.sigma >= boxesFrom {
		smooth = boxes(b.sigma)
	}
	// Rows, written as columns, twice: the second pass blurs what were columns and turns the
	// picture back.
	turned, err := blurRows(ctx, src, smooth)
	if err != nil {
		return nil, err
	}
	return blurRows(ctx, turned, smooth)
}

// smoother blurs a line of pixels, four values each. It may use both lines, and returns the one
// with the result.
type smoother func(line, spare []float32) []float32

// blurRows blurs the rows of a picture and mirrors it along its main diagonal.
func blurRows(ctx context.Context, src *image.RGBA, smooth smoother) (*image.RGBA, error) {
	width, height := src.Rect.Dx(), src.Rect.Dy()
	dst := image.NewRGBA(image.Rect(0, 0, height, width))
	line, spare := make([]float32, width*4), make([]float32, width*4)
	for y := range height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i, value := range src.Pix[y*src.Stride : y*src.Stride+width*4] {
			line[i] = float32(value)
		}
		blurred := smooth(line, spare)
		for x := range width {
			storeRow(dst.Pix[x*dst.Stride+y*4:], blurred[x*4:x*4+4])
		}
	}
	return dst, nil
}

// gaussian weighs neighbours up to three sigma away. Beyond the ends of the line its last pixel
// goes on for ever.
func gaussian(sigma float64) smoother {
	radius := int(math.Ceil(3 * sigma))
	weights := make([]float32, 2*radius+1)
	var sum float32
	for i := range weights {
		distance := float64(i - radius)
		weights[i] = float32(math.Exp(-distance * distance / (2 * sigma * sigma)))
		sum += weights[i]
	}
	return func(line, blurred []float32) []float32 {
		last := len(line)/4 - 1
		for x := 0; x <= last; x++ {
			var pixel [4]float32
			for i, weight := range weights {
				from := max(0, min(last, x+i-radius)) * 4
				for c := range pixel {
					pixel[c] += weight * line[from+c]
				}
			}
			for c := range pixel {
				blurred[x*4+c] = pixel[c] / sum
			}
		}
		return blurred
	}
}

// boxes averages three times, over odd widths that together have the variance of the Gaussian: a
// box of width w has (w*w-1)/12.
func boxes(sigma float64) smoother {
	const times = 3
	ideal := math.Sqrt(12*sigma*sigma/times + 1)
	narrow := int(ideal)
	if narrow%2 == 0 {
		narrow--
	}
	n := float64(narrow)
	narrowTimes := int(math.Round((12*sigma*sigma - times*n*n - 4*times*n - 3*times) / (-4*n - 4)))
	return func(line, spare []float32) []float32 {
		for i := range times {
			radius := narrow / 2
			if i >= narrowTimes {
				radius++
			}
			box(line, spare, radius)
			line, spare = spare, line
		}
		return line
	}
}

// box averages each pixel with its neighbours up to a radius away, by a running sum. The sum is
// kept in whole 64th parts, so that nothing is lost or gathered along a line.
func box(line, averaged []float32, radius int) {
	const parts = 64
	last := len(line)/4 - 1
	width := float32((2*radius + 1) * parts)
	for c := range 4 {
		at := func(x int) int64 { return int64(line[max(0, min(last, x))*4+c]*parts + 0.5) }
		var sum int64
		for x := -radius; x <= radius; x++ {
			sum += at(x)
		}
		for x := 0; x <= last; x++ {
			averaged[x*4+c] = float32(sum) / width
			sum += at(x+radius+1) - at(x-radius)
		}
	}
}
