package picture

import (
	"context"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/vp8l"
)

// jpegQuality is where artefacts are hardly seen and files are a fraction of the best quality's.
const jpegQuality = 85

// encode writes one picture in a format.
func encode(ctx context.Context, format string, w io.Writer, src *image.RGBA) error {
	if limit := formatSides[format]; max(src.Rect.Dx(), src.Rect.Dy()) > limit {
		return refuse(CodeArea, "a picture of %d by %d pixels cannot be written as %s, which holds %d a side", src.Rect.Dx(), src.Rect.Dy(), format, limit)
	}
	var err error
	switch format {
	case formatPNG:
		err = png.Encode(w, opaqueOrNot(src))
	case formatJPEG:
		err = jpeg.Encode(w, flatten(src), &jpeg.Options{Quality: jpegQuality})
	case formatWebP:
		err = vp8l.Encode(ctx, w, toNRGBA(src))
	case formatGIF:
		var paletted *image.Paletted
		if paletted, err = quantize(ctx, src, true); err == nil {
			err = gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{paletted}, Delay: []int{0}})
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("writing a variant: %w", err)
	}
	return nil
}

// formatSides are the longest sides, in pixels, that the formats have room for.
var formatSides = map[string]int{
	formatPNG:  1 << 24,
	formatJPEG: maxSide,
	formatGIF:  maxSide,
	formatWebP: vp8l.MaxSide,
}

// opaqueOrNot gives the PNG encoder the type it is fast with.
func opaqueOrNot(src *image.RGBA) image.Image {
	if src.Opaque() {
		return src
	}
	return toNRGBA(src)
}

// toNRGBA divides colours by their opacity.
func toNRGBA(src *image.RGBA) *image.NRGBA {
	dst := image.NewNRGBA(src.Rect)
	for i := 0; i < len(src.Pix); i += 4 {
		alpha := uint32(src.Pix[i+3])
		switch alpha {
		case 0:
			continue
		case 255:
			copy(dst.Pix[i:i+4], src.Pix[i:i+4])
			continue
		}
		for c := range 3 {
			dst.Pix[i+c] = uint8((uint32(src.Pix[i+c])*255 + alpha/2) / alpha)
		}
		dst.Pix[i+3] = uint8(alpha)
	}
	return dst
}

// flatten puts white behind the picture.
func flatten(src *image.RGBA) *image.RGBA {
	if src.Opaque() {
		return src
	}
	dst := image.NewRGBA(src.Rect)
	for i := 0; i < len(src.Pix); i += 4 {
		white := 255 - src.Pix[i+3]
		for c := range 3 {
			dst.Pix[i+c] = src.Pix[i+c] + white
		}
		dst.Pix[i+3] = 255
	}
	return dst
}
