package picture

import (
	"context"
	"image"
	"math"
	"testing"
)

func TestFitting(t *testing.T) {
	for _, test := range []struct{ width, height, side, wantWidth, wantHeight int }{
		{1600, 900, 200, 200, 113},
		{900, 1600, 200, 113, 200},
		{200, 200, 200, 200, 200},
		{201, 200, 200, 200, 199},
		{10000, 1, 10, 10, 1},
		{100, 50, 65535, 100, 50},
	} {
		if w, h := fitSide(test.width, test.height, test.side); w != test.wantWidth || h != test.wantHeight {
			t.Errorf("%dx%d into %d: %dx%d, want %dx%d", test.width, test.height, test.side, w, h, test.wantWidth, test.wantHeight)
		}
	}
	for _, test := range []struct{ width, height, area, wantWidth, wantHeight int }{
		{1600, 900, 14400, 160, 90},
		{1600, 900, 1440000, 1600, 900},
		{1600, 900, 1439999, 1599, 899},
		{1000, 1, 10, 10, 1},
		{1, 1000, 10, 1, 10},
		{1000, 1000, 1, 1, 1},
	} {
		if w, h := fitArea(test.width, test.height, test.area); w != test.wantWidth || h != test.wantHeight {
			t.Errorf("%dx%d into an area of %d: %dx%d, want %dx%d", test.width, test.height, test.area, w, h, test.wantWidth, test.wantHeight)
		}
	}
}

func TestCropRegions(t *testing.T) {
	for _, test := range []struct {
		crop          crop
		width, height int
		want          image.Rectangle
	}{
		{crop{1, 1}, 1600, 900, image.Rect(350, 0, 1250, 900)},
		{crop{16, 9}, 1600, 1100, image.Rect(0, 100, 1600, 1000)},
		{crop{16, 9}, 1600, 900, image.Rect(0, 0, 1600, 900)},
		{crop{1, 1}, 3, 2, image.Rect(0, 0, 2, 2)},
		{crop{65535, 1}, 10, 10, image.Rect(0, 4, 10, 5)},
		{crop{1, 65535}, 10, 10, image.Rect(4, 0, 5, 10)},
	} {
		if got := test.crop.region(test.width, test.height); got != test.want {
			t.Errorf("%s of %dx%d is %v, want %v", test.crop.path(), test.width, test.height, got, test.want)
		}
	}
}

func TestFiltersKeepOneColour(t *testing.T) {
	colour := [4]uint8{100, 60, 20, 200}
	for name, filter := range filters {
		for _, side := range []int{1, 2, 13, 39} {
			made, err := resample(context.Background(), solid(40, 40, colour), side, side, filter)
			if err != nil {
				t.Fatal(err)
			}
			for i, value := range made.Pix {
				if value != colour[i%4] {
					t.Fatalf("%s to %d: value %d of pixel %d is %d, want %d", name, side, i%4, i/4, value, colour[i%4])
				}
			}
		}
	}
}

func TestWeights(t *testing.T) {
	for name, filter := range filters {
		for _, lengths := range [][2]int{{1, 1}, {2, 1}, {100, 99}, {100, 7}, {1000, 3}, {5, 4}} {
			from, to := lengths[0], lengths[1]
			for i, c := range filter.weigh(from, to) {
				if c.first < 0 || c.first+len(c.weights) > from || len(c.weights) == 0 {
					t.Fatalf("%s, %d to %d: place %d takes %d from %d", name, from, to, i, len(c.weights), c.first)
				}
				sum, centre := 0.0, 0.0
				for j, weight := range c.weights {
					sum += float64(weight)
					centre += float64(weight) * (float64(c.first+j) + 0.5)
				}
				if math.Abs(sum-1) > 1e-5 {
					t.Errorf("%s, %d to %d: weights of place %d add up to %v", name, from, to, i, sum)
				}
				place := (float64(i) + 0.5) * float64(from) / float64(to)
				inner := c.first > 0 && c.first+len(c.weights) < from
				if inner && math.Abs(centre-place) > 0.1*float64(from)/float64(to) {
					t.Errorf("%s, %d to %d: place %d looks at %v, not at %v", name, from, to, i, centre, place)
				}
			}
		}
	}
}

// What distinguishes the filters: at whole distances Lanczos filters are 0 (narrower ones at
// others), cubic ones have the value of their formula.
func TestKernels(t *testing.T) {
	for _, test := range []struct {
		filter   string
		distance float64
		want     float64
	}{
		{"lanczos", 0, 1}, {"lanczos", 1, 0}, {"lanczos", 2, 0}, {"lanczos", 3, 0}, {"lanczos", 2.5, 0.0243171},
		{"lanczos2", 0, 1}, {"lanczos2", 1, 0}, {"lanczos2", 1.5, -0.0636844}, {"lanczos2", 2.5, 0},
		{"lanczossharp", sharp3, 0}, {"lanczos2sharp", sharp2, 0},
		{"mitchell", 0, 8.0 / 9}, {"mitchell", 1, 1.0 / 18}, {"mitchell", 2, 0},
		{"robidouxsharp", 0, 1 - 0.2620145123990142/3}, {"robidouxsharp", 1, 0.2620145123990142 / 6}, {"robidouxsharp", 3, 0},
	} {
		for _, distance := range []float64{test.distance, -test.distance} {
			if got := filters[test.filter].at(distance); math.Abs(got-test.want) > 1e-6 {
				t.Errorf("%s at %v is %v, want %v", test.filter, distance, got, test.want)
			}
		}
	}
}

// Scaling down far must average: a fine chessboard becomes grey, not black or white.
func TestFinePatternsBecomeGrey(t *testing.T) {
	board := image.NewRGBA(image.Rect(0, 0, 120, 120))
	for i := range 120 * 120 {
		value := uint8((i%120 + i/120) % 2 * 255)
		copy(board.Pix[i*4:], []byte{value, value, value, 255})
	}
	for name, operation := range map[string]operation{"thumbnail": thumbnail{20}, "resize": resize{filter: defaultFilter, side: 20}, "blur": blur{4}} {
		made, err := operation.apply(context.Background(), board)
		if err != nil {
			t.Fatal(err)
		}
		for y := 2; y < made.Rect.Dy()-2; y++ {
			for x := 2; x < made.Rect.Dx()-2; x++ {
				if c := made.RGBAAt(x, y); c.R < 120 || c.R > 135 {
					t.Fatalf("%s: pixel %d,%d is %v, want grey", name, x, y, c)
				}
			}
		}
	}
}

// A blurred line has the standard deviation that was asked for, and loses nothing.
func TestBlurHasItsSigma(t *testing.T) {
	const side, bright = 301, 250
	for _, sigma := range []float64{0.6, 1, 1.9, 2, 3.3, 8, 25} {
		src := solid(side, 1, [4]uint8{0, 0, 0, 255})
		// A bar instead of a line, so that wide blurs do not round to nothing; its own variance is
		// taken off again.
		const width = 25
		for x := side/2 - width/2; x <= side/2+width/2; x++ {
			src.Pix[x*4] = bright
		}
		made, err := blur{sigma}.apply(context.Background(), src)
		if err != nil {
			t.Fatal(err)
		}
		sum, variance := 0.0, 0.0
		for x := range side {
			value := float64(made.Pix[x*4])
			sum += value
			variance += value * float64((x-side/2)*(x-side/2))
		}
		variance = variance/sum - (width*width-1)/12.0
		if math.Abs(sum-bright*width) > 0.02*bright*width {
			t.Errorf("sigma %v: %v of %v is left", sigma, sum, bright*width)
		}
		if got := math.Sqrt(variance); math.Abs(got-sigma) > 0.06*sigma+0.05 {
			t.Errorf("sigma is %v, want %v", got, sigma)
		}
	}
}

func TestBlurKeepsOneColour(t *testing.T) {
	colour := [4]uint8{100, 60, 20, 200}
	for _, sigma := range []float64{0.01, 0.5, 1.99, 2, 5, 100} {
		made, err := blur{sigma}.apply(context.Background(), solid(50, 7, colour))
		if err != nil {
			t.Fatal(err)
		}
		if made.Rect.Size() != image.Pt(50, 7) {
			t.Errorf("sigma %v: size is %v", sigma, made.Rect.Size())
		}
		for i, value := range made.Pix {
			if value != colour[i%4] {
				t.Fatalf("sigma %v: value %d of pixel %d is %d, want %d", sigma, i%4, i/4, value, colour[i%4])
			}
		}
	}
}
