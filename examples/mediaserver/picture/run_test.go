package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// original is what a sample looks like when it is displayed, painted and not decoded.
func original(kind sample.Kind, seed uint64, width, height int) *image.RGBA {
	painted := sample.Picture(seed, width, height)
	if kind != sample.TransparentPNG {
		return painted
	}
	for y := range height {
		for x := range width {
			dx, dy := 2*(float64(x)+0.5)/float64(width)-1, 2*(float64(y)+0.5)/float64(height)-1
			if dx*dx+dy*dy > 1 {
				copy(painted.Pix[painted.PixOffset(x, y):], make([]byte, 4))
			}
		}
	}
	return painted
}

// Every kind of file through every operation into every format.
func TestVariantsLookLikeTheirOriginals(t *testing.T) {
	const width, height = 150, 100
	operations := []struct {
		path string
		want image.Point
		// region of the original that is to be seen.
		region image.Rectangle
	}{
		{"identity", image.Pt(150, 100), image.Rect(0, 0, 150, 100)},
		{"blur/1", image.Pt(150, 100), image.Rect(0, 0, 150, 100)},
		{"blur/2.5", image.Pt(150, 100), image.Rect(0, 0, 150, 100)},
		{"thumbnail/60", image.Pt(60, 40), image.Rect(0, 0, 150, 100)},
		{"resize/60", image.Pt(60, 40), image.Rect(0, 0, 150, 100)},
		{"resize/mitchell.75", image.Pt(75, 50), image.Rect(0, 0, 150, 100)},
		{"resize/a5400", image.Pt(90, 60), image.Rect(0, 0, 150, 100)},
		{"crop/1x1", image.Pt(100, 100), image.Rect(25, 0, 125, 100)},
		{"crop/2x1", image.Pt(150, 75), image.Rect(0, 12, 150, 87)},
		{"crop/1x1/resize/50", image.Pt(50, 50), image.Rect(25, 0, 125, 100)},
		{"resize/75/crop/1x2", image.Pt(25, 50), image.Rect(50, 0, 100, 100)},
	}
	for _, kind := range sample.Kinds() {
		data := file(t, kind, 5, width, height)
		source := original(kind, 5, width, height)
		for _, operation := range operations {
			for _, format := range []string{"png", "jpg", "gif", "webp"} {
				variant := operation.path + "/" + format
				t.Run(fmt.Sprintf("%s %s", kind, variant), func(t *testing.T) {
					made, details := run(t, variant, data)
					got := decode(t, format, made)
					if got.Rect.Size() != operation.want || details.Width != operation.want.X || details.Height != operation.want.Y {
						t.Fatalf("size is %v, in the details %dx%d, want %v", got.Rect.Size(), details.Width, details.Height, operation.want)
					}
					want := toRGBA(source.SubImage(operation.region))
					if format == "jpg" {
						want = flatten(want)
					}
					if worst := differ(got, want); worst > tolerance(kind, format, operation.path) {
						t.Errorf("a region's colour is off by %.1f", worst)
					}
					checkDetails(t, kind, format, made, details)
				})
			}
		}
	}
}

// tolerance for the mean colour of a region, in values of 0 to 255.
func tolerance(kind sample.Kind, format, operation string) float64 {
	allowed := 3.0
	if format == "gif" || kind == sample.GIF || kind == sample.AnimatedGIF {
		allowed += 6 // 256 colours; half transparent edges are decided one way or the other
	}
	if format == "jpg" {
		allowed += 3 // colours are stored in blocks, which cross the borders of small regions
	}
	if strings.HasPrefix(operation, "blur") {
		allowed += 6 // colours cross the borders of regions
	}
	return allowed
}

// checkDetails compares what Run said of a file with what Inspect says.
func checkDetails(t *testing.T, kind sample.Kind, format string, made []byte, said Details) {
	t.Helper()
	found, extension, err := Inspect(bytes.NewReader(made), DefaultLimits())
	if err != nil {
		t.Fatalf("the variant is not accepted: %v", err)
	}
	animated := kind == sample.AnimatedGIF && format == "gif"
	if found.Width != said.Width || found.Height != said.Height || found.ContentType != said.ContentType ||
		found.Format != said.Format || (found.Frames == nil) != (said.Frames == nil) || extension != format {
		t.Errorf("details are %+v, but found %+v, %s", said, found, extension)
	}
	if (said.Format == Animation) != animated || (animated && *said.Frames != sample.Frames) {
		t.Errorf("details are %+v, animated should be %v", said, animated)
	}
}

func TestNothingIsScaledUp(t *testing.T) {
	data := file(t, sample.PNG, 1, 40, 30)
	for _, operation := range []string{"thumbnail/41", "resize/4000", "resize/40", "resize/a1200", "resize/a65535", "crop/4x3"} {
		made, details := run(t, operation+"/png", data)
		if details.Width != 40 || details.Height != 30 {
			t.Errorf("%s: size is %dx%d, want 40x30", operation, details.Width, details.Height)
		}
		if !bytes.Equal(decode(t, "png", made).Pix, sample.Picture(1, 40, 30).Pix) {
			t.Errorf("%s changed the pixels", operation)
		}
	}
}

func TestExtremeShapes(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {1, 300}, {300, 1}, {2, 2}, {17, 5}} {
		data := file(t, sample.PNG, 1, size.X, size.Y)
		for _, operation := range []string{"resize/3", "thumbnail/1", "resize/a2", "crop/100x1", "crop/1x100", "blur/0.5", "blur/30"} {
			for _, format := range []string{"png", "jpg", "gif", "webp"} {
				made, details := run(t, operation+"/"+format, data)
				if got := decode(t, format, made).Rect.Size(); got != image.Pt(details.Width, details.Height) || got.X < 1 || got.Y < 1 || got.X > size.X || got.Y > size.Y {
					t.Errorf("%v by %s in %s: %v, in the details %dx%d", size, operation, format, got, details.Width, details.Height)
				}
			}
		}
	}
}

func TestTransparency(t *testing.T) {
	data := file(t, sample.TransparentPNG, 1, 80, 80)
	for _, format := range []string{"png", "webp", "gif"} {
		made, _ := run(t, "resize/40/"+format, data)
		got := decode(t, format, made)
		if corner := got.RGBAAt(0, 0); corner.A != 0 {
			t.Errorf("%s: the corner is %v, want nothing", format, corner)
		}
		if middle := got.RGBAAt(20, 20); middle.A != 255 {
			t.Errorf("%s: the middle is %v, want it opaque", format, middle)
		}
	}
	made, _ := run(t, "resize/40/jpg", data)
	if corner := decode(t, "jpg", made).RGBAAt(0, 0); corner.R < 250 || corner.G < 250 || corner.B < 250 {
		t.Errorf("jpg: the corner is %v, want white", corner)
	}
}

// A dark frame around transparency is what comes of averaging colours that are not to be seen.
func TestTransparentEdgesKeepTheirColour(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := 33; x < 64; x++ {
			copy(src.Pix[src.PixOffset(x, y):], []byte{200, 100, 50, 255})
		}
	}
	for name, operation := range map[string]operation{"resize": resize{filter: "lanczos", side: 16}, "thumbnail": thumbnail{16}, "blur": blur{3}} {
		made, err := operation.apply(context.Background(), src)
		if err != nil {
			t.Fatal(err)
		}
		straight := toNRGBA(made)
		for x := range straight.Rect.Dx() {
			if c := straight.NRGBAAt(x, 8); c.A > 64 && (c.R < 194 || c.R > 206 || c.G < 94 || c.G > 106) {
				t.Errorf("%s: pixel %d is %v, want the colour 200 100 50", name, x, c)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	data := file(t, sample.AnimatedGIF, 1, 60, 40)
	p, err := ParseVariant("crop/1x1/resize/mitchell.20/blur/2/gif")
	if err != nil {
		t.Fatal(err)
	}
	results := make([][]byte, 6)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			var made bytes.Buffer
			if _, err := p.Run(context.Background(), bytes.NewReader(data), &made); err != nil {
				t.Error(err)
			}
			if _, err := Blurhash(bytes.NewReader(data)); err != nil {
				t.Error(err)
			}
			results[i] = made.Bytes()
		})
	}
	group.Wait()
	for _, result := range results {
		if !bytes.Equal(result, results[0]) {
			t.Error("the same variant came out differently")
		}
	}
}

// cancelling calls cancel after a number of bytes went through.
type cancelling struct {
	io.Reader
	io.Writer
	left   int
	cancel func()
}

func (c *cancelling) passed(n int) {
	if c.left -= n; c.left <= 0 {
		c.cancel()
	}
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p[:min(len(p), 512)])
	c.passed(n)
	return n, err
}

func (c *cancelling) Write(p []byte) (int, error) {
	c.passed(len(p))
	return c.Writer.Write(p)
}

func TestCancellation(t *testing.T) {
	for _, kind := range []sample.Kind{sample.PNG, sample.JPEG, sample.AnimatedGIF, sample.WebP} {
		data := file(t, kind, 1, 200, 150)
		for _, variant := range []string{"identity/png", "resize/100/webp", "blur/3/jpg", "resize/100/gif"} {
			p, err := ParseVariant(variant)
			if err != nil {
				t.Fatal(err)
			}
			for name, start := range map[string]func(cancel func()) (io.Reader, io.Writer){
				"before": func(cancel func()) (io.Reader, io.Writer) { cancel(); return bytes.NewReader(data), io.Discard },
				"while reading": func(cancel func()) (io.Reader, io.Writer) {
					return &cancelling{Reader: bytes.NewReader(data), left: len(data) / 2, cancel: cancel}, io.Discard
				},
				"at the end of reading": func(cancel func()) (io.Reader, io.Writer) {
					return &cancelling{Reader: bytes.NewReader(data), left: len(data), cancel: cancel}, io.Discard
				},
				"while writing": func(cancel func()) (io.Reader, io.Writer) {
					return bytes.NewReader(data), &cancelling{Writer: io.Discard, left: 10, cancel: cancel}
				},
			} {
				ctx, cancel := context.WithCancel(context.Background())
				src, dst := start(cancel)
				if _, err := p.Run(ctx, src, dst); !errors.Is(err, context.Canceled) {
					t.Errorf("%s to %s, cancelled %s: error is %v", kind, variant, name, err)
				}
				cancel()
			}
		}
	}
}

// full fails like a disk without room.
type full struct{}

var errFull = errors.New("no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestErrorsOfTheWriterAreTheWriters(t *testing.T) {
	data := file(t, sample.AnimatedGIF, 1, 30, 30)
	for _, format := range Formats() {
		p, err := ParseProcess(nil, format)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(context.Background(), bytes.NewReader(data), full{}); !errors.Is(err, errFull) {
			t.Errorf("%s: error is %v, want the writer's", format, err)
		}
	}
}

func TestTheZeroProcessMakesNothing(t *testing.T) {
	var p Process
	if _, err := p.Run(context.Background(), bytes.NewReader(file(t, sample.PNG, 1, 4, 4)), io.Discard); err == nil {
		t.Error("no error")
	}
}

func TestRunRefusesDamagedFiles(t *testing.T) {
	p, err := ParseVariant("resize/10/png")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range sample.Kinds() {
		data := file(t, kind, 1, 64, 64)
		_, err := p.Run(context.Background(), bytes.NewReader(data[:len(data)/2]), io.Discard)
		wantCode(t, err, CodeDamaged)
	}
	_, err = p.Run(context.Background(), bytes.NewReader([]byte("not a picture at all")), io.Discard)
	wantCode(t, err, CodeUnsupported)
}

func TestFormatsWithoutRoomForThePicture(t *testing.T) {
	long := file(t, sample.PNG, 1, 17000, 1)
	p, err := ParseVariant("identity/webp")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Run(context.Background(), bytes.NewReader(long), io.Discard)
	wantCode(t, err, CodeArea)
	if _, details := run(t, "identity/jpg", long); details.Width != 17000 {
		t.Errorf("as JPEG it is %d wide, want 17000", details.Width)
	}
}

func TestMetadataIsNotCarriedOver(t *testing.T) {
	data := file(t, sample.RotatedJPEG, 1, 40, 30)
	if !bytes.Contains(data, []byte("Exif")) {
		t.Fatal("the sample has no metadata")
	}
	made, details := run(t, "identity/jpg", data)
	if bytes.Contains(made, []byte("Exif")) || details.Width != 40 {
		t.Errorf("metadata is left, or the picture lies on its side: %+v", details)
	}
}
