package picture

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/gif"
	"io"
	"iter"
)

// decode decodes one frame alone, as a file that has no other.
func (g *gifLayout) decode(ctx context.Context, frame gifFrame) (*image.Paletted, error) {
	file := io.MultiReader(
		bytes.NewReader(g.prefix), bytes.NewReader(frame.control), bytes.NewReader(frame.image),
		bytes.NewReader([]byte{gifTrailer}))
	decoded, err := gif.DecodeAll(contextReader{ctx, file})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, damaged("GIF", err)
	}
	if len(decoded.Image) != 1 {
		return nil, damaged("GIF", errGIFEmpty)
	}
	return decoded.Image[0], nil
}

// composed yields the canvas as it looks while each frame is shown. It is the same image every
// time: whoever keeps it copies it. An error ends it.
func (g *gifLayout) composed(ctx context.Context, width, height int) iter.Seq2[*image.RGBA, error] {
	return func(yield func(*image.RGBA, error) bool) {
		canvas := image.NewRGBA(image.Rect(0, 0, width, height))
		var saved []byte
		for _, frame := range g.frames {
			decoded, err := g.decode(ctx, frame)
			if err != nil {
				yield(nil, err)
				return
			}
			if frame.disposal == gif.DisposalPrevious {
				saved = append(saved[:0], canvas.Pix...)
			}
			draw.Draw(canvas, frame.bounds, decoded, frame.bounds.Min, draw.Over)
			if !yield(canvas, nil) {
				return
			}
			switch frame.disposal {
			case gif.DisposalBackground:
				// Browsers clear to transparency; the background colour of the header is ignored.
				draw.Draw(canvas, frame.bounds, image.Transparent, image.Point{}, draw.Src)
			case gif.DisposalPrevious:
				copy(canvas.Pix, saved)
			}
		}
	}
}

// first returns the first frame, composed.
func (g *gifLayout) first(ctx context.Context, width, height int) (*image.RGBA, error) {
	for canvas, err := range g.composed(ctx, width, height) {
		return canvas, err
	}
	return nil, damaged("GIF", errGIFEmpty)
}
