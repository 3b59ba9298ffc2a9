// Package sample paints pictures for tests and demonstrations: landscapes with a sky, a sun, hills,
// trees and grain, in every format the server reads. The same arguments always give the same
// bytes, and no two seeds the same picture. It must not know how pictures are inspected or
// processed: tests hold that against what is painted here.
package sample

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/vp8l"
)

// Kind is a kind of file.
type Kind string

// The kinds of files that can be had.
const (
	PNG Kind = "png"
	// TransparentPNG is the picture in an oval, with nothing around it.
	TransparentPNG Kind = "transparent png"
	JPEG           Kind = "jpeg"
	// RotatedJPEG is stored on its side and says so, as phones do.
	RotatedJPEG Kind = "rotated jpeg"
	GIF         Kind = "gif"
	AnimatedGIF Kind = "animated gif"
	WebP        Kind = "webp"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{PNG, TransparentPNG, JPEG, RotatedJPEG, GIF, AnimatedGIF, WebP}
}

// Extension is the kind's file name extension, without a dot.
func (k Kind) Extension() string {
	switch k {
	case PNG, TransparentPNG:
		return "png"
	case JPEG, RotatedJPEG:
		return "jpg"
	case GIF, AnimatedGIF:
		return "gif"
	case WebP:
		return "webp"
	}
	return ""
}

// Sample paints a picture that is displayed with the size and returns it as a file of the kind.
func Sample(kind Kind, seed uint64, width, height int) ([]byte, error) {
	if width < 1 || height < 1 {
		return nil, fmt.Errorf("a sample needs at least one pixel a side, not %d by %d", width, height)
	}
	var file bytes.Buffer
	var err error
	switch kind {
	case PNG:
		err = png.Encode(&file, Picture(seed, width, height))
	case TransparentPNG:
		err = png.Encode(&file, oval(Picture(seed, width, height)))
	case JPEG:
		return Oriented(1, seed, width, height)
	case RotatedJPEG:
		return Oriented(6, seed, width, height)
	case GIF:
		err = encodeGIF(&file, seed, width, height, 1)
	case AnimatedGIF:
		err = encodeGIF(&file, seed, width, height, Frames)
	case WebP:
		opaque := image.NewNRGBA(image.Rect(0, 0, width, height))
		draw.Draw(opaque, opaque.Rect, Picture(seed, width, height), image.Point{}, draw.Src)
		err = vp8l.Encode(context.Background(), &file, opaque)
	default:
		err = fmt.Errorf("there are no samples of kind %q", kind)
	}
	return file.Bytes(), err
}

// oval makes everything outside of an ellipse transparent.
func oval(src *image.RGBA) *image.NRGBA {
	dst := image.NewNRGBA(src.Rect)
	width, height := float64(src.Rect.Dx()), float64(src.Rect.Dy())
	for y := range src.Rect.Dy() {
		for x := range src.Rect.Dx() {
			dx, dy := 2*(float64(x)+0.5)/width-1, 2*(float64(y)+0.5)/height-1
			if dx*dx+dy*dy <= 1 {
				c := src.RGBAAt(x, y)
				dst.SetNRGBA(x, y, color.NRGBA{c.R, c.G, c.B, 255})
			}
		}
	}
	return dst
}

// jpegQuality of samples: what cameras use.
const jpegQuality = 90

// Oriented returns a JPEG that is displayed like the other samples, but stored in one of the
// orientations of Exif, 1 to 8. The first has no Exif at all.
func Oriented(orientation int, seed uint64, width, height int) ([]byte, error) {
	if orientation < 1 || orientation > 8 {
		return nil, fmt.Errorf("there are no orientations but 1 to 8, not %d", orientation)
	}
	var file bytes.Buffer
	err := jpeg.Encode(&file, turned(Picture(seed, width, height), orientation), &jpeg.Options{Quality: jpegQuality})
	if err != nil || orientation == 1 {
		return file.Bytes(), err
	}
	const startLength = 2
	encoded := file.Bytes()
	return bytes.Join([][]byte{encoded[:startLength], exif(orientation), encoded[startLength:]}, nil), nil
}

// edges says, for each orientation, where row 0 and column 0 of the stored picture are displayed
// (Exif 2.3, 4.6.4 A, Orientation).
var edges = [...]struct{ row, column string }{
	1: {"top", "left"}, 2: {"top", "right"}, 3: {"bottom", "right"}, 4: {"bottom", "left"},
	5: {"left", "top"}, 6: {"right", "top"}, 7: {"right", "bottom"}, 8: {"left", "bottom"},
}

// turned returns the picture as it is stored in an orientation.
func turned(displayed *image.RGBA, orientation int) *image.RGBA {
	edge := edges[orientation]
	size := displayed.Rect.Size()
	rows, columns := size.Y, size.X
	if orientation >= 5 {
		rows, columns = columns, rows
	}
	stored := image.NewRGBA(image.Rect(0, 0, columns, rows))
	for row := range rows {
		for column := range columns {
			at := image.Pt(column, row)
			if orientation >= 5 {
				at = image.Pt(row, column)
			}
			if edge.row == "right" || edge.column == "right" {
				at.X = size.X - 1 - at.X
			}
			if edge.row == "bottom" || edge.column == "bottom" {
				at.Y = size.Y - 1 - at.Y
			}
			stored.SetRGBA(column, row, displayed.RGBAAt(at.X, at.Y))
		}
	}
	return stored
}

// exif is an application segment with one directory of two entries, as a camera would write it.
func exif(orientation int) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x02" +
		"\x01\x0f\x00\x02\x00\x00\x00\x04Acm\x00" + // the maker: Acm
		"\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	tiff = append(tiff, byte(orientation), 0, 0, 0, 0, 0, 0)
	body := append([]byte("Exif\x00\x00"), tiff...)
	length := len(body) + 2
	return append([]byte{0xff, 0xe1, byte(length >> 8), byte(length)}, body...)
}
