package picture

import (
	"context"
	"errors"
	"image"
	"io"
	"time"
)

// Run makes the variant: it reads a picture from src, applies the operations, writes the result to
// dst and says what it is. Metadata is not carried over. The orientation of a JPEG is applied
// first. An animation stays one only from GIF to GIF; any other target gets its first frame. A
// target without transparency (JPEG) has white behind it.
//
// A done ctx ends it with the context's error at the next row, frame, read or write. After an error
// dst may hold a part of a file. What is wrong with the picture comes as an *Error; Limits are not
// applied again, only the package's own bounds.
func (p Process) Run(ctx context.Context, src io.Reader, dst io.Writer) (Details, error) {
	if p.format == "" {
		return Details{}, errors.New("a process must come from ParseProcess or ParseVariant")
	}
	data, head, err := load(ctx, src)
	if err != nil {
		return Details{}, err
	}
	var result header
	if p.format == formatGIF && head.gif != nil && head.frames > 0 {
		result, err = p.runAnimation(ctx, head, dst)
	} else {
		result, err = p.runStill(ctx, head, data, dst)
	}
	if err != nil {
		return Details{}, err
	}
	return result.details(time.Now()), nil
}

// load reads a file and its header, within the package's own bounds.
func load(ctx context.Context, src io.Reader) ([]byte, *header, error) {
	data, err := readAll(ctx, src, hardBytes)
	if err != nil {
		return nil, nil, err
	}
	head, err := readHeader(data, Limits{AllowImage: true, AllowAnimation: true})
	return data, head, err
}

// runStill makes a still variant.
func (p Process) runStill(ctx context.Context, head *header, data []byte, dst io.Writer) (header, error) {
	src, err := head.decodeFirst(ctx, data)
	if err != nil {
		return header{}, err
	}
	made, err := p.apply(ctx, src)
	if err != nil {
		return header{}, err
	}
	if err := encode(ctx, p.format, contextWriter{ctx, dst}, made); err != nil {
		return header{}, err
	}
	return header{format: p.format, width: made.Rect.Dx(), height: made.Rect.Dy()}, nil
}

// runAnimation makes an animated variant, frame by frame.
func (p Process) runAnimation(ctx context.Context, head *header, dst io.Writer) (header, error) {
	writer := newAnimation(head.gif)
	for canvas, err := range head.gif.composed(ctx, head.width, head.height) {
		if err != nil {
			return header{}, err
		}
		made, err := p.apply(ctx, canvas)
		if err != nil {
			return header{}, err
		}
		if err := writer.add(ctx, made); err != nil {
			return header{}, err
		}
	}
	size, err := writer.write(ctx, contextWriter{ctx, dst})
	if err != nil {
		return header{}, err
	}
	return header{format: formatGIF, width: size.X, height: size.Y, frames: len(head.gif.frames)}, nil
}

// apply runs the operations. The result may be the source.
func (p Process) apply(ctx context.Context, src *image.RGBA) (*image.RGBA, error) {
	var err error
	for _, operation := range p.operations {
		if src, err = operation.apply(ctx, src); err != nil {
			return nil, err
		}
	}
	return src, ctx.Err()
}

// contextWriter fails once its context is done: it is how encoders, which know no context, are
// stopped.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}
