package vp8l

import "context"

// The alphabets of the five prefix codes of a group. Lengths of references follow the values of
// green in its alphabet.
const (
	literals        = 256
	lengthSymbols   = 24
	distanceSymbols = 40
)

// histograms count the symbols of a group, in the order in which the codes are written.
type histograms struct {
	green           [literals + lengthSymbols]int
	red, blue, opac [literals]int
	distance        [distanceSymbols]int
}

// writeCoded writes pixels: the prefix codes, then each pixel or reference in them.
func writeCoded(ctx context.Context, bits *bitWriter, pixels []uint32, width int) error {
	references, err := findReferences(ctx, pixels)
	if err != nil {
		return err
	}
	var counts histograms
	counts.add(pixels, references, width)
	green := writeCode(bits, counts.green[:])
	red := writeCode(bits, counts.red[:])
	blue := writeCode(bits, counts.blue[:])
	opacity := writeCode(bits, counts.opac[:])
	distance := writeCode(bits, counts.distance[:])

	for i := 0; i < len(pixels); {
		if len(references) > 0 && int(references[0].at) == i {
			r := references[0]
			references = references[1:]
			symbol, extra, extraBits := prefixed(int(r.length))
			green.write(bits, literals+symbol)
			bits.write(extra, extraBits)
			symbol, extra, extraBits = prefixed(distanceCode(int(r.distance), width))
			distance.write(bits, symbol)
			bits.write(extra, extraBits)
			i += int(r.length)
			continue
		}
		pixel := pixels[i]
		green.write(bits, int(pixel>>8&0xff))
		red.write(bits, int(pixel>>16&0xff))
		blue.write(bits, int(pixel&0xff))
		opacity.write(bits, int(pixel>>24))
		i++
	}
	return ctx.Err()
}

func (h *histograms) add(pixels []uint32, references []reference, width int) {
	for i := 0; i < len(pixels); {
		if len(references) > 0 && int(references[0].at) == i {
			r := references[0]
			references = references[1:]
			length, _, _ := prefixed(int(r.length))
			h.green[literals+length]++
			distance, _, _ := prefixed(distanceCode(int(r.distance), width))
			h.distance[distance]++
			i += int(r.length)
			continue
		}
		pixel := pixels[i]
		h.green[pixel>>8&0xff]++
		h.red[pixel>>16&0xff]++
		h.blue[pixel&0xff]++
		h.opac[pixel>>24]++
		i++
	}
}
