// Package vp8l writes WebP pictures in their lossless form (VP8L, "Specification for WebP Lossless
// Bitstream"). Reading is left to golang.org/x/image/webp, against which the tests hold it.
//
// It is code of our own because encoders for Go either are bound to C, which the example is built
// without, or, as far as they can be had as modules, do not stand up: nativewebp 0.9.3 panics when
// a picture's frequencies ask for codes longer than the format allows.
//
// It uses what pays most for its size: the transforms subtract-green and prediction, backward
// references and one group of prefix codes. It knows nothing of files, requests or operations.
package vp8l

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
)

// MaxSide is the longest side a picture may have, in pixels: the header has 14 bits for it.
const MaxSide = 1 << 14

// ErrSize is returned for a picture that is empty or has a side longer than MaxSide.
var ErrSize = errors.New("WebP holds pictures of 1 to 16384 pixels a side")

// Encode writes a picture. What is decoded from it is equal to the source, pixel by pixel. The
// context ends the work early, with its error.
func Encode(ctx context.Context, w io.Writer, src *image.NRGBA) error {
	width, height := src.Rect.Dx(), src.Rect.Dy()
	if width < 1 || height < 1 || width > MaxSide || height > MaxSide {
		return ErrSize
	}
	pixels, transparent := argb(src)
	bits := &bitWriter{}
	writeHeader(bits, width, height, transparent)
	if err := writePicture(ctx, bits, pixels, width); err != nil {
		return err
	}
	if err := writeContainer(w, bits.bytes()); err != nil {
		return fmt.Errorf("writing a WebP picture: %w", err)
	}
	return nil
}

// argb packs pixels the way the format orders channels, and says whether any is not opaque.
func argb(src *image.NRGBA) (pixels []uint32, transparent bool) {
	width, height := src.Rect.Dx(), src.Rect.Dy()
	pixels = make([]uint32, 0, width*height)
	for y := range height {
		row := src.Pix[y*src.Stride : y*src.Stride+width*4]
		for x := 0; x < len(row); x += 4 {
			pixels = append(pixels, uint32(row[x+3])<<24|uint32(row[x])<<16|uint32(row[x+1])<<8|uint32(row[x+2]))
			transparent = transparent || row[x+3] != 255
		}
	}
	return pixels, transparent
}

func writeHeader(bits *bitWriter, width, height int, transparent bool) {
	const signature = 0x2f
	bits.write(signature, 8)
	bits.write(uint64(width-1), 14)
	bits.write(uint64(height-1), 14)
	if transparent {
		bits.write(1, 1)
	} else {
		bits.write(0, 1)
	}
	bits.write(0, 3) // version
}

// writePicture writes the transforms and the transformed pixels.
func writePicture(ctx context.Context, bits *bitWriter, pixels []uint32, width int) error {
	// Predicting pays for pictures like photographs; in those of few colours it hides repetitions.
	if !fewColours(pixels) {
		subtractGreen(pixels)
		bits.write(1, 1)
		bits.write(transformSubtractGreen, 2)
		modes, residuals, err := predict(ctx, pixels, width)
		if err != nil {
			return err
		}
		bits.write(1, 1)
		bits.write(transformPredictor, 2)
		bits.write(tileBits-2, 3)
		bits.write(0, 1) // no colour cache
		if err := writeCoded(ctx, bits, modes, tiles(width)); err != nil {
			return err
		}
		pixels = residuals
	}
	bits.write(0, 1) // no more transforms
	bits.write(0, 1) // no colour cache
	bits.write(0, 1) // one group of prefix codes for the whole picture
	return writeCoded(ctx, bits, pixels, width)
}

// fewColours says whether there are at most 256 colours.
func fewColours(pixels []uint32) bool {
	seen := make(map[uint32]struct{})
	previous := ^pixels[0]
	for _, pixel := range pixels {
		if pixel == previous {
			continue
		}
		if seen[pixel] = struct{}{}; len(seen) > 256 {
			return false
		}
		previous = pixel
	}
	return true
}

// writeContainer writes the RIFF form around the one chunk.
func writeContainer(w io.Writer, data []byte) error {
	const chunkHeader = 8
	padded := len(data) + len(data)%2
	head := make([]byte, 0, 12+chunkHeader)
	head = append(head, "RIFF"...)
	head = binary.LittleEndian.AppendUint32(head, uint32(4+chunkHeader+padded))
	head = append(head, "WEBPVP8L"...)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(data)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	if padded > len(data) {
		data = append(data, 0)
	}
	_, err := w.Write(data)
	return err
}

// bitWriter packs values, the least significant bit first.
type bitWriter struct {
	data    []byte
	pending uint64
	count   uint
}

// write appends the n lowest bits of a value, at most 32 at once.
func (b *bitWriter) write(value uint64, n uint) {
	b.pending |= value << b.count
	b.count += n
	for b.count >= 8 {
		b.data = append(b.data, byte(b.pending))
		b.pending >>= 8
		b.count -= 8
	}
}

// bytes ends the stream: the last byte is filled up with zeros.
func (b *bitWriter) bytes() []byte {
	if b.count > 0 {
		b.write(0, 8-b.count)
	}
	return b.data
}
