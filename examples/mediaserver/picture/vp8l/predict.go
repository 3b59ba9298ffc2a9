package vp8l

import "context"

// The transforms used here, by the numbers of the format.
const (
	transformPredictor     = 0
	transformSubtractGreen = 2
)

// tileBits is the logarithm of the sides of the squares that share a way of prediction.
const tileBits = 4

// opaqueBlack predicts the first pixel.
const opaqueBlack = 0xff000000

func tiles(length int) int { return (length + 1<<tileBits - 1) >> tileBits }

// subtractGreen takes the green value from red and blue, which mostly go along with it.
func subtractGreen(pixels []uint32) {
	for i, pixel := range pixels {
		green := pixel >> 8 & 0xff
		pixels[i] = subtract(pixel, green<<16|green)
	}
}

// subtract takes the channels of b from those of a, each modulo 256.
func subtract(a, b uint32) uint32 {
	const even, odd = 0x00ff00ff, 0xff00ff00
	// Two channels at a time; the bits between them are set, so that borrowing stops there.
	return ((a|odd)-(b&even))&even | ((a|even)-(b&odd))&odd
}

// modes are the predictions that are tried: those that win most often. In the same order as their
// functions.
var modes = [...]uint32{1, 2, 4, 5, 7, 11, 12, 13}

// predictors have the prediction of each mode from the pixels at the left, top, top left and top
// right.
var predictors = [len(modes)]func(left, top, topLeft, topRight uint32) uint32{
	func(l, _, _, _ uint32) uint32 { return l },
	func(_, t, _, _ uint32) uint32 { return t },
	func(_, _, tl, _ uint32) uint32 { return tl },
	func(l, t, _, tr uint32) uint32 { return average(average(l, tr), t) },
	func(l, t, _, _ uint32) uint32 { return average(l, t) },
	func(l, t, tl, _ uint32) uint32 { return selected(l, t, tl) },
	func(l, t, tl, _ uint32) uint32 { return perChannel(l, t, tl, gradient) },
	func(l, t, tl, _ uint32) uint32 { return perChannel(average(l, t), tl, 0, halfGradient) },
}

// predict chooses a way of prediction for each tile and returns the choices, as a picture of one
// pixel a tile, and what is left of each pixel after its prediction.
func predict(ctx context.Context, pixels []uint32, width int) (choices, residuals []uint32, err error) {
	height := len(pixels) / width
	residuals = make([]uint32, len(pixels))
	for i := range min(width, len(pixels)) { // the first row, always from the left
		residuals[i] = subtract(pixels[i], beside(pixels, i))
	}
	for tileTop := 0; tileTop < height; tileTop += 1 << tileBits {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		bottom := min(height, tileTop+1<<tileBits)
		for tileLeft := 0; tileLeft < width; tileLeft += 1 << tileBits {
			t := tile{pixels, width, tileLeft, max(1, tileTop), min(width, tileLeft+1<<tileBits), bottom}
			best := t.choose()
			t.apply(residuals, predictors[best])
			choices = append(choices, opaqueBlack|modes[best]<<8)
		}
	}
	return choices, residuals, nil
}

func beside(pixels []uint32, i int) uint32 {
	if i == 0 {
		return opaqueBlack
	}
	return pixels[i-1]
}

// tile is a part of the picture, without its first row.
type tile struct {
	pixels                   []uint32
	width                    int
	left, top, right, bottom int
}

// choose returns the predictor that leaves least, judged on every second row and column.
func (t tile) choose() int {
	best, least := 0, int(^uint(0)>>1)
	for mode, predictor := range predictors {
		cost := 0
		for y := t.top; y < t.bottom; y += 2 {
			for x := max(1, t.left); x < t.right; x += 2 {
				i := y*t.width + x
				cost += magnitude(subtract(t.pixels[i], predictor(t.around(i))))
			}
		}
		if cost < least {
			best, least = mode, cost
		}
	}
	return best
}

// around returns the neighbours that are known when pixel i is decoded. At the right edge "top
// right" is the first pixel of the same row, which is what comes next in memory.
func (t tile) around(i int) (left, top, topLeft, topRight uint32) {
	above := i - t.width
	return t.pixels[i-1], t.pixels[above], t.pixels[above-1], t.pixels[above+1]
}

func (t tile) apply(residuals []uint32, predictor func(l, t, tl, tr uint32) uint32) {
	for y := t.top; y < t.bottom; y++ {
		for x := t.left; x < t.right; x++ {
			i := y*t.width + x
			if x == 0 { // the first column, always from the top
				residuals[i] = subtract(t.pixels[i], t.pixels[i-t.width])
				continue
			}
			residuals[i] = subtract(t.pixels[i], predictor(t.around(i)))
		}
	}
}

// magnitude adds up the channels' distances from zero.
func magnitude(residual uint32) int {
	sum := 0
	for shift := 0; shift < 32; shift += 8 {
		value := int(int8(residual >> shift))
		sum += max(value, -value)
	}
	return sum
}

// average of each channel, rounded down.
func average(a, b uint32) uint32 { return (a^b)&0xfefefefe>>1 + a&b }

// selected is left or top, whichever is nearer to left + top - top left.
func selected(left, top, topLeft uint32) uint32 {
	toLeft, toTop := 0, 0
	for shift := 0; shift < 32; shift += 8 {
		l, t, tl := int(left>>shift&0xff), int(top>>shift&0xff), int(topLeft>>shift&0xff)
		toLeft += max(t-tl, tl-t)
		toTop += max(l-tl, tl-l)
	}
	if toLeft < toTop {
		return left
	}
	return top
}

func perChannel(a, b, c uint32, combine func(a, b, c int) int) uint32 {
	var combined uint32
	for shift := 0; shift < 32; shift += 8 {
		value := combine(int(a>>shift&0xff), int(b>>shift&0xff), int(c>>shift&0xff))
		combined |= uint32(max(0, min(255, value))) << shift
	}
	return combined
}

func gradient(left, top, topLeft int) int { return left + top - topLeft }

func halfGradient(mean, topLeft, _ int) int { return mean + (mean-topLeft)/2 }
