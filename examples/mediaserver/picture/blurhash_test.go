package picture

import (
	"bytes"
	"image"
	"math"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// painted decodes a blurhash to a picture, as clients do.
func painted(t *testing.T, hash string, width, height int) *image.RGBA {
	t.Helper()
	number := func(from, length int) int {
		value := 0
		for _, digit := range hash[from : from+length] {
			at := strings.IndexRune(base83, digit)
			if at < 0 {
				t.Fatalf("%q has a character that is no digit", hash)
			}
			value = value*83 + at
		}
		return value
	}
	columns, rows := number(0, 1)%9+1, number(0, 1)/9+1
	if len(hash) != 4+2*columns*rows {
		t.Fatalf("%q has %d characters for %d by %d waves", hash, len(hash), columns, rows)
	}
	largest := float64(number(1, 1)+1) / 166
	mean := number(2, 4)
	factors := [][3]float64{{linear[mean>>16], linear[mean>>8&255], linear[mean&255]}}
	for i := 1; i < columns*rows; i++ {
		value := number(4+2*i, 2)
		var factor [3]float64
		for c, digit := range []int{value / 361, value / 19 % 19, value % 19} {
			root := float64(digit-9) / 9
			factor[c] = math.Copysign(root*root, root) * largest
		}
		factors = append(factors, factor)
	}
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			for c := range 3 {
				light := 0.0
				for i, factor := range factors {
					light += factor[c] * math.Cos(math.Pi*float64(x*(i%columns))/float64(width)) *
						math.Cos(math.Pi*float64(y*(i/columns))/float64(height))
				}
				dst.Pix[dst.PixOffset(x, y)+c] = toSRGB(light)
			}
			dst.Pix[dst.PixOffset(x, y)+3] = 255
		}
	}
	return dst
}

func TestBlurhashShowsThePicture(t *testing.T) {
	for _, size := range []image.Point{{160, 100}, {100, 160}, {20, 15}, {1, 1}} {
		for _, kind := range []sample.Kind{sample.PNG, sample.RotatedJPEG, sample.AnimatedGIF, sample.WebP} {
			hash, err := Blurhash(bytes.NewReader(file(t, kind, 11, size.X, size.Y)))
			if err != nil {
				t.Fatal(err)
			}
			if size.X > 1 && len(hash) != 28 {
				t.Errorf("%q has %d characters, want 28 for 4 by 3 waves", hash, len(hash))
			}
			got, want := painted(t, hash, size.X, size.Y), sample.Picture(11, size.X, size.Y)
			all := image.Rectangle{Max: size}
			allowed := 12.0
			if kind == sample.AnimatedGIF {
				allowed = 20 // a pixel alone gets one of few colours
			}
			for c, value := range mean(got, all) {
				if difference := math.Abs(value - mean(want, all)[c]); difference > allowed {
					t.Errorf("%s of %v: channel %d is off by %.1f on average", kind, size, c, difference)
				}
			}
			if size.X > 50 {
				if worst := differ(got, want); worst > 60 {
					t.Errorf("%s of %v: a region's colour is off by %.1f", kind, size, worst)
				}
			}
		}
	}
}

func TestBlurhashOfOneColour(t *testing.T) {
	for _, test := range []struct {
		colour [4]uint8
		want   string
	}{
		// 83 to the powers 3, 2, 1, 0 are 571787, 6889, 83, 1: the mean follows from the colour.
		{[4]uint8{0, 0, 0, 255}, "000000"},
		{[4]uint8{0, 0, 82, 255}, "00000~"},
		{[4]uint8{0, 0, 83, 255}, "000010"},
		{[4]uint8{255, 255, 255, 255}, "00TSUA"},
	} {
		if got := blurhash(solid(8, 8, test.colour), 1, 1); got != test.want {
			t.Errorf("%v: %q, want %q", test.colour, got, test.want)
		}
	}
}

func TestBlurhashOfTransparencyIsWhite(t *testing.T) {
	hash, err := Blurhash(bytes.NewReader(file(t, sample.TransparentPNG, 1, 60, 60)))
	if err != nil {
		t.Fatal(err)
	}
	corner, middle := mean(painted(t, hash, 60, 60), image.Rect(0, 0, 4, 4)), mean(painted(t, hash, 60, 60), image.Rect(28, 28, 32, 32))
	if corner[0]+corner[1]+corner[2] < middle[0]+middle[1]+middle[2]+150 {
		t.Errorf("the corner is %v, the middle %v", corner, middle)
	}
}

func TestBlurhashOfNoPicture(t *testing.T) {
	_, err := Blurhash(strings.NewReader("nothing to be seen"))
	wantCode(t, err, CodeUnsupported)
}
