package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"golang.org/x/image/webp"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// file returns a sample or ends the test.
func file(t testing.TB, kind sample.Kind, seed uint64, width, height int) []byte {
	t.Helper()
	data, err := sample.Sample(kind, seed, width, height)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// run makes a variant of a file or ends the test.
func run(t testing.TB, variant string, data []byte) ([]byte, Details) {
	t.Helper()
	p, err := ParseVariant(variant)
	if err != nil {
		t.Fatalf("%s: %v", variant, err)
	}
	var made bytes.Buffer
	details, err := p.Run(context.Background(), bytes.NewReader(data), &made)
	if err != nil {
		t.Fatalf("%s: %v", variant, err)
	}
	return made.Bytes(), details
}

// decode decodes a still (the first frame of a GIF) with the format's own decoder.
func decode(t testing.TB, format string, data []byte) *image.RGBA {
	t.Helper()
	decoders := map[string]func() (image.Image, error){
		"png":  func() (image.Image, error) { return png.Decode(bytes.NewReader(data)) },
		"jpg":  func() (image.Image, error) { return jpeg.Decode(bytes.NewReader(data)) },
		"jpeg": func() (image.Image, error) { return jpeg.Decode(bytes.NewReader(data)) },
		"gif":  func() (image.Image, error) { return gif.Decode(bytes.NewReader(data)) },
		"webp": func() (image.Image, error) { return webp.Decode(bytes.NewReader(data)) },
	}
	decoded, err := decoders[format]()
	if err != nil {
		t.Fatalf("the %s cannot be decoded: %v", format, err)
	}
	return toRGBA(decoded)
}

// mean colour and opacity of a region.
func mean(src *image.RGBA, region image.Rectangle) [4]float64 {
	var sum [4]float64
	for y := region.Min.Y; y < region.Max.Y; y++ {
		for x := region.Min.X; x < region.Max.X; x++ {
			for c := range sum {
				sum[c] += float64(src.Pix[src.PixOffset(x, y)+c])
			}
		}
	}
	for c := range sum {
		sum[c] /= float64(region.Dx() * region.Dy())
	}
	return sum
}

// grid divides a picture into regions whose colours are compared. Sides that it divides evenly give
// the same regions in every size.
const grid = 5

// differ returns by how much the regions of two pictures differ at most, whatever their sizes.
func differ(a, b *image.RGBA) float64 {
	worst := 0.0
	for row := range grid {
		for column := range grid {
			of := func(src *image.RGBA) [4]float64 {
				width, height := src.Rect.Dx(), src.Rect.Dy()
				return mean(src, image.Rect(column*width/grid, row*height/grid, (column+1)*width/grid, (row+1)*height/grid))
			}
			first, second := of(a), of(b)
			for c := range first {
				worst = max(worst, first[c]-second[c], second[c]-first[c])
			}
		}
	}
	return worst
}

// wantCode checks that an error is an Error with the code.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("error is %v, want one of code %s", err, code)
	}
	if refused.Code != code {
		t.Fatalf("code is %s (%s), want %s", refused.Code, refused.Message, code)
	}
	if refused.Message == "" {
		t.Errorf("code %s has no message", code)
	}
}

// solid is a picture of one colour.
func solid(width, height int, pixel [4]uint8) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range dst.Pix {
		dst.Pix[i] = pixel[i%4]
	}
	return dst
}
