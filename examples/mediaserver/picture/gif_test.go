package picture

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/gif"
	"slices"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

var (
	red    = color.RGBA{255, 0, 0, 255}
	green  = color.RGBA{0, 255, 0, 255}
	blue   = color.RGBA{0, 0, 255, 255}
	nobody = color.RGBA{}
)

// patch is a frame of one colour.
func patch(bounds image.Rectangle, c color.RGBA) *image.Paletted {
	frame := image.NewPaletted(bounds, color.Palette{nobody, c})
	for i := range frame.Pix {
		frame.Pix[i] = 1
	}
	return frame
}

func encodeGIF(t *testing.T, file *gif.GIF) []byte {
	t.Helper()
	var encoded bytes.Buffer
	if err := gif.EncodeAll(&encoded, file); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// canvases decodes an animation the plain way: the standard library's decoder, and the rules for
// disposal pixel by pixel.
func canvases(t *testing.T, data []byte) []*image.RGBA {
	t.Helper()
	file, err := gif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	canvas := image.NewRGBA(image.Rect(0, 0, file.Config.Width, file.Config.Height))
	var shown []*image.RGBA
	for i, frame := range file.Image {
		before := slices.Clone(canvas.Pix)
		bounds := frame.Bounds()
		each := func(do func(x, y int)) {
			for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
				for x := bounds.Min.X; x < bounds.Max.X; x++ {
					do(x, y)
				}
			}
		}
		each(func(x, y int) {
			if _, _, _, alpha := frame.At(x, y).RGBA(); alpha > 0 {
				canvas.Set(x, y, frame.At(x, y))
			}
		})
		shown = append(shown, &image.RGBA{Pix: slices.Clone(canvas.Pix), Stride: canvas.Stride, Rect: canvas.Rect})
		switch file.Disposal[i] {
		case gif.DisposalBackground:
			each(func(x, y int) { canvas.SetRGBA(x, y, nobody) })
		case gif.DisposalPrevious:
			canvas.Pix = before
		}
	}
	return shown
}

// One frame with each way of disposal, on a canvas of 4 by 1 pixels.
func disposals(t *testing.T) []byte {
	return encodeGIF(t, &gif.GIF{
		Image: []*image.Paletted{
			patch(image.Rect(0, 0, 3, 1), red),
			patch(image.Rect(1, 0, 2, 1), green),
			patch(image.Rect(2, 0, 4, 1), blue),
			patch(image.Rect(0, 0, 1, 1), blue),
			patch(image.Rect(3, 0, 4, 1), green),
		},
		Disposal:  []byte{gif.DisposalNone, gif.DisposalPrevious, gif.DisposalBackground, 0, gif.DisposalNone},
		Delay:     []int{1, 20, 300, 0, 65535},
		LoopCount: 3,
		Config:    image.Config{Width: 4, Height: 1},
	})
}

func TestDisposal(t *testing.T) {
	want := [][4]color.RGBA{
		{red, red, red, nobody},
		{red, green, red, nobody},
		{red, red, blue, blue},
		{blue, red, nobody, nobody},
		{blue, red, nobody, green},
	}
	check := func(name string, i int, canvas *image.RGBA) {
		for x := range 4 {
			if got := canvas.RGBAAt(x, 0); got != want[i][x] {
				t.Errorf("%s, frame %d, pixel %d is %v, want %v", name, i, x, got, want[i][x])
			}
		}
	}
	data := disposals(t)
	head, err := readHeader(data, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for canvas, err := range head.gif.composed(context.Background(), 4, 1) {
		if err != nil {
			t.Fatal(err)
		}
		check("read", i, canvas)
		i++
	}
	if i != len(want) {
		t.Errorf("%d frames, want %d", i, len(want))
	}
	made, _ := run(t, "identity/gif", data)
	for i, canvas := range canvases(t, made) {
		check("written", i, canvas)
	}
}

func TestTimingIsKept(t *testing.T) {
	for _, loops := range []int{-1, 0, 3} {
		source, err := gif.DecodeAll(bytes.NewReader(disposals(t)))
		if err != nil {
			t.Fatal(err)
		}
		source.LoopCount = loops
		made, _ := run(t, "identity/gif", encodeGIF(t, source))
		got, err := gif.DecodeAll(bytes.NewReader(made))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Delay, []int{1, 20, 300, 0, 65535}) || got.LoopCount != loops {
			t.Errorf("delays are %v, loops %d, want those of the source and %d", got.Delay, got.LoopCount, loops)
		}
	}
}

func TestAnimationsMove(t *testing.T) {
	const width, height = 120, 80
	data := file(t, sample.AnimatedGIF, 9, width, height)
	for variant, scale := range map[string]float64{"identity/gif": 1, "resize/60/gif": 0.5, "thumbnail/60/gif": 0.5} {
		made, _ := run(t, variant, data)
		shown, originals := canvases(t, made), canvases(t, data)
		if len(shown) != sample.Frames {
			t.Fatalf("%s: %d frames, want %d", variant, len(shown), sample.Frames)
		}
		for i, canvas := range shown {
			if worst := differ(canvas, originals[i]); worst > 12 {
				t.Errorf("%s, frame %d: a region's colour is off by %.1f", variant, i, worst)
			}
			if i == 0 {
				continue
			}
			ball := sample.BallBounds(i, width, height)
			centre := ball.Min.Add(ball.Max).Div(2)
			got := canvas.RGBAAt(int(float64(centre.X)*scale), int(float64(centre.Y)*scale))
			if got.R < 180 || got.G > 80 || got.B > 90 {
				t.Errorf("%s, frame %d: there is no ball at %v but %v", variant, i, centre, got)
			}
		}
	}
}

func TestFramesThatDoNotDifferAreSmall(t *testing.T) {
	same := patch(image.Rect(0, 0, 50, 50), red)
	changed := patch(image.Rect(10, 20, 13, 25), blue)
	data := encodeGIF(t, &gif.GIF{
		Image:    []*image.Paletted{same, same, changed},
		Disposal: []byte{gif.DisposalNone, gif.DisposalNone, gif.DisposalNone},
		Delay:    []int{5, 5, 5},
	})
	made, _ := run(t, "identity/gif", data)
	got, err := gif.DecodeAll(bytes.NewReader(made))
	if err != nil {
		t.Fatal(err)
	}
	want := []image.Rectangle{image.Rect(0, 0, 50, 50), image.Rect(0, 0, 1, 1), image.Rect(10, 20, 13, 25)}
	for i, frame := range got.Image {
		if frame.Rect != want[i] {
			t.Errorf("frame %d is %v, want %v", i, frame.Rect, want[i])
		}
	}
}

func TestTheFirstFrameStandsForAStill(t *testing.T) {
	made, details := run(t, "identity/png", disposals(t))
	got := decode(t, "png", made)
	if got.RGBAAt(1, 0) != red || got.RGBAAt(3, 0) != nobody || details.Format != Image || details.Frames != nil {
		t.Errorf("pixels are %v, details %+v", got.Pix, details)
	}
}

func TestDamagedGIFs(t *testing.T) {
	data := disposals(t)
	frame := bytes.IndexByte(data[gifHeaderLength:], gifImage) + gifHeaderLength
	for name, change := range map[string]func(data []byte){
		"a frame beyond the canvas": func(data []byte) { data[frame+5] = 5 },
		"a frame far to the right":  func(data []byte) { data[frame+2] = 0xff },
		"an unknown block":          func(data []byte) { data[frame] = 0x2d },
		"an impossible code size":   func(data []byte) { data[frame+gifDescriptorLength+6] = 20 },
	} {
		broken := bytes.Clone(data)
		change(broken)
		_, _, err := Inspect(bytes.NewReader(broken), DefaultLimits())
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		wantCode(t, err, CodeDamaged)
	}
}
