package picture

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"
)

// decodeAll decodes every frame and throws it away: it finds damage.
func (h *header) decodeAll(ctx context.Context, data []byte) error {
	if h.gif == nil {
		_, err := h.decodeStill(ctx, data)
		return err
	}
	for _, frame := range h.gif.frames {
		if _, err := h.gif.decode(ctx, frame); err != nil {
			return err
		}
	}
	return nil
}

// decodeStill decodes a file that is no GIF, as it is stored.
func (h *header) decodeStill(ctx context.Context, data []byte) (image.Image, error) {
	var (
		decoded image.Image
		err     error
		name    string
	)
	r := contextReader{ctx, bytes.NewReader(data)}
	switch h.format {
	case formatPNG:
		name = "PNG"
		decoded, err = png.Decode(r)
	case formatJPEG:
		name = "JPEG"
		decoded, err = jpeg.Decode(r)
	case formatWebP:
		name = "WebP"
		decoded, err = webp.Decode(r)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, damaged(name, err)
	}
	// The header was believed so far: limits were checked on it.
	if size := decoded.Bounds().Size(); size != image.Pt(h.width, h.height) {
		return nil, refuse(CodeDamaged, "the file begins like %s but its picture has another size than its header says", name)
	}
	return decoded, nil
}

// decodeFirst decodes the picture, or the first frame, as it is displayed.
func (h *header) decodeFirst(ctx context.Context, data []byte) (*image.RGBA, error) {
	if h.gif != nil {
		return h.gif.first(ctx, h.width, h.height)
	}
	decoded, err := h.decodeStill(ctx, data)
	if err != nil {
		return nil, err
	}
	return h.turn.applied(toRGBA(decoded)), nil
}

// toRGBA converts to what all operations work on: 8 bits, colours multiplied by their opacity, so
// that averages are right at transparent edges.
func toRGBA(src image.Image) *image.RGBA {
	if rgba, ok := src.(*image.RGBA); ok && rgba.Rect.Min == (image.Point{}) {
		return rgba
	}
	bounds := src.Bounds()
	dst := image.NewRGBA(image.Rectangle{Max: bounds.Size()})
	draw.Draw(dst, dst.Rect, src, bounds.Min, draw.Src)
	return dst
}
