package vp8l

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/webp"
)

// encoded encodes a picture, checks that it decodes to the same, and returns the file.
func encoded(t testing.TB, src *image.NRGBA) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := Encode(context.Background(), &file, src); err != nil {
		t.Fatal(err)
	}
	decoded, err := webp.Decode(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatalf("it cannot be decoded: %v", err)
	}
	got, ok := decoded.(*image.NRGBA)
	if !ok || got.Rect.Size() != src.Rect.Size() {
		t.Fatalf("it is decoded as %T of %v, want %v", decoded, decoded.Bounds(), src.Rect)
	}
	for y := range src.Rect.Dy() {
		for x := range src.Rect.Dx() {
			want := src.NRGBAAt(src.Rect.Min.X+x, src.Rect.Min.Y+y)
			if pixel := got.NRGBAAt(x, y); pixel != want {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, pixel, want)
			}
		}
	}
	return file.Bytes()
}

// painters are pictures that exercise different parts of the format.
var painters = map[string]func(random *rand.Rand) func(x, y int) color.NRGBA{
	"one colour": func(*rand.Rand) func(x, y int) color.NRGBA {
		return func(int, int) color.NRGBA { return color.NRGBA{10, 200, 30, 255} }
	},
	"nothing": func(*rand.Rand) func(x, y int) color.NRGBA {
		return func(int, int) color.NRGBA { return color.NRGBA{} }
	},
	"two colours": func(random *rand.Rand) func(x, y int) color.NRGBA {
		return func(int, int) color.NRGBA { return color.NRGBA{0, uint8(random.IntN(2)), 255, 255} }
	},
	"three colours": func(random *rand.Rand) func(x, y int) color.NRGBA {
		return func(int, int) color.NRGBA { return color.NRGBA{0, uint8(random.IntN(3)), 255, 255} }
	},
	"gradient": func(*rand.Rand) func(x, y int) color.NRGBA {
		return func(x, y int) color.NRGBA { return color.NRGBA{uint8(x), uint8(y), uint8(x + y), 255} }
	},
	"noise": func(random *rand.Rand) func(x, y int) color.NRGBA {
		return func(int, int) color.NRGBA {
			v := random.Uint32()
			return color.NRGBA{uint8(v), uint8(v >> 8), uint8(v >> 16), uint8(v >> 24)}
		}
	},
	"noisy gradient": func(random *rand.Rand) func(x, y int) color.NRGBA {
		return func(x, y int) color.NRGBA {
			return color.NRGBA{uint8(x*2 + random.IntN(6)), uint8(y + random.IntN(6)), uint8(x - y + random.IntN(3)), uint8(255 - random.IntN(3))}
		}
	},
	"pattern": func(*rand.Rand) func(x, y int) color.NRGBA {
		return func(x, y int) color.NRGBA {
			return color.NRGBA{uint8(x % 7 * 30), uint8(y % 5 * 40), uint8(x * y % 3), 255}
		}
	},
	// Frequencies that halve again and again, then fall to nothing: the longest codes.
	"skewed": func(random *rand.Rand) func(x, y int) color.NRGBA {
		return func(int, int) color.NRGBA {
			level := 0
			for level < 250 && random.IntN(2) == 0 {
				level++
			}
			return color.NRGBA{uint8(level), uint8(level * 3), uint8(random.IntN(256)), 255}
		}
	},
}

func TestPicturesComeBackAsTheyWere(t *testing.T) {
	sizes := []image.Point{{1, 1}, {2, 1}, {1, 2}, {3, 3}, {15, 17}, {16, 16}, {33, 1}, {1, 70}, {64, 48}, {130, 97}, {300, 210}}
	for name, painter := range painters {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s %v", name, size), func(t *testing.T) {
				random := rand.New(rand.NewPCG(uint64(size.X), uint64(size.Y)))
				paint := painter(random)
				src := image.NewNRGBA(image.Rectangle{Max: size})
				for y := range size.Y {
					for x := range size.X {
						src.SetNRGBA(x, y, paint(x, y))
					}
				}
				encoded(t, src)
			})
		}
	}
}

func TestLongPictures(t *testing.T) {
	for _, size := range []image.Point{{MaxSide, 2}, {2, MaxSide}} {
		src := image.NewNRGBA(image.Rectangle{Max: size})
		for i := range src.Pix {
			src.Pix[i] = uint8(i / 4 * (i / 4) >> 8)
		}
		encoded(t, src)
	}
}

// Repetitions further back than the window, and longer than the longest reference.
func TestFarAndLongRepetitions(t *testing.T) {
	src := image.NewNRGBA(image.Rect(0, 0, 1024, 1100))
	random := rand.New(rand.NewPCG(1, 1))
	for y := range 1100 {
		for x := range 1024 {
			switch {
			case y < 3: // repeated at the end, 1.1 million pixels later, and just before that
				v := random.Uint32()
				src.SetNRGBA(x, y, color.NRGBA{uint8(v), uint8(v >> 8), uint8(v >> 16), 255})
			case y > 1090:
				src.SetNRGBA(x, y, src.NRGBAAt(x, y%3))
			case y%100 == 0:
				src.SetNRGBA(x, y, src.NRGBAAt(x, y/100%3))
			default:
				src.SetNRGBA(x, y, color.NRGBA{5, 5, 5, 255})
			}
		}
	}
	if file := encoded(t, src); len(file) > 40_000 {
		t.Errorf("%d bytes for 3 rows of noise and their repetitions", len(file))
	}
}

func TestPartsOfPictures(t *testing.T) {
	whole := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for i := range whole.Pix {
		whole.Pix[i] = uint8(i * i)
	}
	encoded(t, whole.SubImage(image.Rect(5, 6, 31, 29)).(*image.NRGBA))
}

// It is no use if it is larger than the other lossless format.
func TestSizeAgainstPNG(t *testing.T) {
	for _, name := range []string{"gradient", "noisy gradient", "pattern", "two colours"} {
		paint := painters[name](rand.New(rand.NewPCG(1, 1)))
		src := image.NewNRGBA(image.Rect(0, 0, 200, 150))
		for y := range 150 {
			for x := range 200 {
				src.SetNRGBA(x, y, paint(x, y))
			}
		}
		var other bytes.Buffer
		if err := png.Encode(&other, src); err != nil {
			t.Fatal(err)
		}
		if file := encoded(t, src); len(file) > other.Len() {
			t.Errorf("%s: %d bytes, %d as PNG", name, len(file), other.Len())
		}
	}
}

func TestSizesThatCannotBe(t *testing.T) {
	for _, size := range []image.Point{{0, 0}, {0, 5}, {5, 0}, {MaxSide + 1, 1}, {1, MaxSide + 1}} {
		var file bytes.Buffer
		err := Encode(context.Background(), &file, image.NewNRGBA(image.Rectangle{Max: size}))
		if !errors.Is(err, ErrSize) || file.Len() > 0 {
			t.Errorf("%v: error is %v, %d bytes were written", size, err, file.Len())
		}
	}
}

func TestDoneContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var file bytes.Buffer
	src := image.NewNRGBA(image.Rect(0, 0, 50, 50))
	for i := range src.Pix {
		src.Pix[i] = uint8(i * 7)
	}
	if err := Encode(ctx, &file, src); !errors.Is(err, context.Canceled) || file.Len() > 0 {
		t.Errorf("error is %v, %d bytes were written", err, file.Len())
	}
}

type fullDisk struct{ room int }

var errFull = errors.New("no room")

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestErrorsOfTheWriter(t *testing.T) {
	for _, room := range []int{0, 20} {
		if err := Encode(context.Background(), &fullDisk{room}, image.NewNRGBA(image.Rect(0, 0, 5, 5))); !errors.Is(err, errFull) {
			t.Errorf("with room for %d bytes the error is %v", room, err)
		}
	}
}

// Code lengths are limited, whatever the frequencies, and leave no code unused.
func TestCodeLengths(t *testing.T) {
	fibonacci := make([]int, 40)
	fibonacci[0], fibonacci[1] = 1, 1
	for i := 2; i < len(fibonacci); i++ {
		fibonacci[i] = fibonacci[i-1] + fibonacci[i-2]
	}
	even := make([]int, 280)
	for i := range even {
		even[i] = 1
	}
	for name, counts := range map[string][]int{"fibonacci": fibonacci, "even": even, "two": {0, 5, 0, 1}, "one rare": {1, 0, 1 << 30, 1 << 30}} {
		for _, limit := range []uint8{maxCodeLength, 9} {
			lengths := lengthsFor(counts, limit)
			total := 0.0
			for symbol, length := range lengths {
				if (length > 0) != (counts[symbol] > 0) || length > limit {
					t.Fatalf("%s: symbol %d, occurring %d times, has length %d with a limit of %d", name, symbol, counts[symbol], length, limit)
				}
				if length > 0 {
					total += 1 / float64(uint(1)<<length)
				}
			}
			if total != 1 {
				t.Errorf("%s: the code fills %v of its room", name, total)
			}
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add(uint16(4), []byte("a picture of a few pixels, of any colours"))
	f.Add(uint16(16), bytes.Repeat([]byte{1, 2, 3, 255, 7, 7, 7, 255}, 200))
	f.Fuzz(func(t *testing.T, width uint16, pixels []byte) {
		columns := int(width%600) + 1
		rows := len(pixels) / 4 / columns
		if rows < 1 {
			return
		}
		src := image.NewNRGBA(image.Rect(0, 0, columns, rows))
		copy(src.Pix, pixels)
		encoded(t, src)
	})
}
