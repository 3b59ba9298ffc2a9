package picture

import (
	"context"
	"image"
	"image/color"
)

// GIF has at most 256 colours a frame, one of which stands for transparency.
const maxColours = 255

// quantize turns a picture into one with a palette. Pixels that are less than half opaque become
// transparent (index 0), all others opaque. A picture of few colours keeps them exactly; others
// get the best ones by median cut, with dithering if wanted (it flickers in animations).
func quantize(ctx context.Context, src *image.RGBA, dither bool) (*image.Paletted, error) {
	dst := image.NewPaletted(src.Rect, nil)
	if exact := exactPalette(src); exact != nil {
		dst.Palette = exact.palette
		return dst, exact.paint(ctx, dst, src, false)
	}
	chosen := medianCut(src)
	dst.Palette = chosen.palette
	return dst, chosen.paint(ctx, dst, src, dither)
}

// palette finds the index of a colour.
type palette struct {
	palette color.Palette
	// exact has every colour that occurs, or is nil.
	exact map[[3]uint8]uint8
	// nearest remembers, for each cell of the colour cube, the index that is nearest to it; 0 if it
	// was not looked for yet, since 0 is transparency.
	nearest [1 << (3 * cellBits)]uint8
}

// cellBits is how many bits of each channel tell cells of the colour cube apart.
const cellBits = 5

func cell(c [3]uint8) int {
	const shift = 8 - cellBits
	return int(c[0]>>shift)<<(2*cellBits) | int(c[1]>>shift)<<cellBits | int(c[2]>>shift)
}

// index of the palette's colour for this one.
func (p *palette) index(c [3]uint8) uint8 {
	if p.exact != nil {
		return p.exact[c]
	}
	known := &p.nearest[cell(c)]
	if *known == 0 {
		best := 1 << 30
		for i, candidate := range p.palette[1:] {
			other := candidate.(color.NRGBA)
			dr, dg, db := int(c[0])-int(other.R), int(c[1])-int(other.G), int(c[2])-int(other.B)
			// Eyes are most sensitive to green, least to blue.
			if distance := 3*dr*dr + 6*dg*dg + db*db; distance < best {
				best, *known = distance, uint8(i+1)
			}
		}
	}
	return *known
}

func newPalette() *palette { return &palette{palette: color.Palette{color.NRGBA{}}} }

func (p *palette) add(c [3]uint8) {
	p.palette = append(p.palette, color.NRGBA{c[0], c[1], c[2], 255})
}

// opaqueColour is the colour of a pixel without its opacity; false if it counts as transparent.
func opaqueColour(pixel []uint8) (c [3]uint8, ok bool) {
	alpha := uint32(pixel[3])
	if alpha < 128 {
		return c, false
	}
	for i := range c {
		c[i] = uint8((uint32(pixel[i])*255 + alpha/2) / alpha)
	}
	return c, true
}

// exactPalette is nil if the picture has too many colours.
func exactPalette(src *image.RGBA) *palette {
	p := newPalette()
	p.exact = make(map[[3]uint8]uint8)
	var previous [3]uint8
	for i := 0; i < len(src.Pix); i += 4 {
		c, ok := opaqueColour(src.Pix[i : i+4])
		if !ok || (c == previous && len(p.exact) > 0) {
			continue
		}
		if _, seen := p.exact[c]; !seen {
			if len(p.exact) == maxColours {
				return nil
			}
			p.add(c)
			p.exact[c] = uint8(len(p.exact) + 1)
		}
		previous = c
	}
	return p
}
