package picture

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
)

// animation collects the frames of a GIF that is being made from another.
type animation struct {
	source *gifLayout
	frames []*image.Paletted
	// transparent says that a frame has transparent pixels.
	transparent bool
}

func newAnimation(source *gifLayout) *animation {
	return &animation{source: source, frames: make([]*image.Paletted, 0, len(source.frames))}
}

// add takes the next frame, as it is to look; src stays the caller's.
func (a *animation) add(ctx context.Context, src *image.RGBA) error {
	frame, err := quantize(ctx, src, false)
	if err != nil {
		return err
	}
	a.frames = append(a.frames, frame)
	a.transparent = a.transparent || bytes.IndexByte(frame.Pix, 0) >= 0
	return nil
}

// write writes the animation and returns the size of its canvas.
func (a *animation) write(ctx context.Context, w io.Writer) (image.Point, error) {
	size := a.frames[0].Rect.Size()
	out := &gif.GIF{
		Image:     a.frames,
		Disposal:  make([]byte, len(a.frames)),
		LoopCount: a.source.loops,
		Config:    image.Config{Width: size.X, Height: size.Y},
	}
	for i, frame := range a.source.frames {
		out.Delay = append(out.Delay, frame.delay)
		// Where pixels can become transparent again each frame starts on an empty canvas;
		// otherwise frames stay, and the next only has what differs.
		out.Disposal[i] = gif.DisposalNone
		if a.transparent {
			out.Disposal[i] = gif.DisposalBackground
		}
	}
	if !a.transparent {
		out.Image = differences(a.frames)
	}
	err := gif.EncodeAll(w, out)
	if ctx.Err() != nil {
		return size, ctx.Err()
	}
	if err != nil {
		return size, fmt.Errorf("writing an animation: %w", err)
	}
	return size, nil
}

// differences cuts each frame but the first to what differs from the one before.
func differences(frames []*image.Paletted) []*image.Paletted {
	cut := make([]*image.Paletted, len(frames))
	for i, frame := range frames {
		cut[i] = frame
		if i == 0 {
			continue
		}
		bounds := changed(frames[i-1], frame)
		if bounds.Empty() { // the format has no empty frames
			bounds = image.Rect(0, 0, 1, 1)
		}
		cut[i] = frame.SubImage(bounds).(*image.Paletted)
	}
	return cut
}

// changed is the smallest rectangle around the pixels that differ.
func changed(before, after *image.Paletted) image.Rectangle {
	old, now := colours(before.Palette), colours(after.Palette)
	var bounds image.Rectangle
	for y := range after.Rect.Dy() {
		left, right := -1, -1
		row := y * after.Stride
		for x := range after.Rect.Dx() {
			if old[before.Pix[row+x]] != now[after.Pix[row+x]] {
				if left < 0 {
					left = x
				}
				right = x
			}
		}
		if left >= 0 {
			bounds = bounds.Union(image.Rect(left, y, right+1, y+1))
		}
	}
	return bounds
}

func colours(p color.Palette) (all [maxColours + 1]color.NRGBA) {
	for i, c := range p {
		all[i] = c.(color.NRGBA)
	}
	return all
}
