package picture

import (
	"context"
	"image"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

func quantized(t *testing.T, src *image.RGBA, dither bool) *image.Paletted {
	t.Helper()
	made, err := quantize(context.Background(), src, dither)
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Palette) > 256 {
		t.Fatalf("the palette has %d colours", len(made.Palette))
	}
	return made
}

func TestFewColoursAreKept(t *testing.T) {
	for _, count := range []int{1, 2, 254, 255} {
		src := image.NewRGBA(image.Rect(0, 0, count+1, 2))
		for x := range count { // black, too, comes after a transparent pixel: the last of row 0
			for y := range 2 {
				copy(src.Pix[src.PixOffset(x, y):], []byte{uint8(x), uint8(x * 7), uint8(255 * (x % 2)), 255})
			}
		}
		made := toRGBA(quantized(t, src, true))
		for i := range src.Pix {
			if made.Pix[i] != src.Pix[i] {
				t.Fatalf("%d colours: value %d of pixel %d is %d, want %d", count, i%4, i/4, made.Pix[i], src.Pix[i])
			}
		}
	}
}

func TestBlackAfterTransparency(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 2, 1))
	src.Pix[7] = 255
	if c := toRGBA(quantized(t, src, false)).RGBAAt(1, 0); c.A != 255 {
		t.Errorf("the black pixel is %v", c)
	}
}

func TestOpacityIsDecidedAtHalf(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 3, 1))
	copy(src.Pix, []byte{100, 0, 0, 127, 100, 50, 0, 128, 10, 20, 30, 255})
	made := toRGBA(quantized(t, src, false))
	if made.Pix[3] != 0 || made.Pix[7] != 255 || made.Pix[4] != 199 || made.Pix[5] != 100 {
		t.Errorf("pixels are %v", made.Pix)
	}
}

func TestManyColours(t *testing.T) {
	src := sample.Picture(3, 200, 150)
	for _, dither := range []bool{false, true} {
		made := quantized(t, src, dither)
		if len(made.Palette) < 200 {
			t.Errorf("only %d colours are used", len(made.Palette))
		}
		got := toRGBA(made)
		if worst := differ(got, src); worst > 6 {
			t.Errorf("dithering %v: a region's colour is off by %.1f", dither, worst)
		}
		squares := 0
		for i := range got.Pix {
			d := int(got.Pix[i]) - int(src.Pix[i])
			squares += d * d
		}
		if mean := float64(squares) / float64(len(got.Pix)); mean > 60 {
			t.Errorf("dithering %v: the mean squared difference is %.1f", dither, mean)
		}
	}
}
