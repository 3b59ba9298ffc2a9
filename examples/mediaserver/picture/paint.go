package picture

import (
	"context"
	"image"
	"image/color"
)

// paint fills dst with the indices for src's pixels; if dither is set, with the difference of each
// pixel passed on to its neighbours (Floyd and Steinberg, 1976).
func (p *palette) paint(ctx context.Context, dst *image.Paletted, src *image.RGBA, dither bool) error {
	width := src.Rect.Dx()
	// The differences handed to this row and to the next, in 16th parts, with a pixel of margin.
	current, next := make([][3]int32, width+2), make([][3]int32, width+2)
	for y := range src.Rect.Dy() {
		if err := ctx.Err(); err != nil {
			return err
		}
		pixels, indices := src.Pix[y*src.Stride:], dst.Pix[y*dst.Stride:]
		for x := range width {
			c, ok := opaqueColour(pixels[x*4 : x*4+4])
			switch {
			case !ok:
				indices[x] = 0
			case dither:
				indices[x] = p.diffuse(c, x+1, current, next)
			default:
				indices[x] = p.index(c)
			}
		}
		current, next = next, current
		clear(next)
	}
	return nil
}

// diffuse chooses the index for one pixel with what was handed to it, and hands on the rest.
func (p *palette) diffuse(c [3]uint8, x int, current, next [][3]int32) uint8 {
	var wanted [3]int32
	for i := range c {
		wanted[i] = max(0, min(255, int32(c[i])+current[x][i]/16))
		c[i] = uint8(wanted[i])
	}
	index := p.index(c)
	chosen := p.palette[index].(color.NRGBA)
	for i, value := range [3]uint8{chosen.R, chosen.G, chosen.B} {
		difference := wanted[i] - int32(value)
		current[x+1][i] += 7 * difference
		next[x-1][i] += 3 * difference
		next[x][i] += 5 * difference
		next[x+1][i] += difference
	}
	return index
}
