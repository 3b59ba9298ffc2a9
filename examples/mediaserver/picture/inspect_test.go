package picture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

func TestInspectSaysWhatEachKindIs(t *testing.T) {
	contentTypes := map[string]string{"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
	for _, kind := range sample.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			before := time.Now().Add(-time.Millisecond)
			r := bytes.NewReader(file(t, kind, 1, 90, 60))
			if _, err := r.Seek(20, io.SeekStart); err != nil { // it must begin at the beginning itself
				t.Fatal(err)
			}
			details, extension, err := Inspect(r, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if details.Width != 90 || details.Height != 60 {
				t.Errorf("size is %dx%d, want 90x60", details.Width, details.Height)
			}
			if extension != kind.Extension() || details.ContentType != contentTypes[extension] {
				t.Errorf("extension %q and content type %q, want %q and its type", extension, details.ContentType, kind.Extension())
			}
			if details.CreatedAt.Before(before) || details.CreatedAt.After(time.Now()) || details.CreatedAt.Location() != time.UTC {
				t.Errorf("created at %v, want now in UTC", details.CreatedAt)
			}
			animated := kind == sample.AnimatedGIF
			if animated && (details.Format != Animation || details.Frames == nil || *details.Frames != sample.Frames) {
				t.Errorf("details %+v, want an animation of %d frames", details, sample.Frames)
			}
			if !animated && (details.Format != Image || details.Frames != nil) {
				t.Errorf("details %+v, want a still", details)
			}
		})
	}
}

func TestDetailsAsJSON(t *testing.T) {
	frames := 3
	created := time.Date(2024, 5, 6, 7, 8, 9, 120_000_000, time.UTC)
	for _, test := range []struct {
		details Details
		want    string
	}{
		{Details{4, 5, nil, "image/png", created, Image},
			`{"width":4,"height":5,"frames":null,"content_type":"image/png","created_at":"2024-05-06T07:08:09.12Z","format":"Image"}`},
		{Details{4, 5, &frames, "image/gif", created, Animation},
			`{"width":4,"height":5,"frames":3,"content_type":"image/gif","created_at":"2024-05-06T07:08:09.12Z","format":"Animation"}`},
	} {
		got, err := json.Marshal(test.details)
		if err != nil || string(got) != test.want {
			t.Errorf("got %s, %v, want %s", got, err, test.want)
		}
	}
}

func TestLimits(t *testing.T) {
	still, animated := file(t, sample.JPEG, 1, 80, 50), file(t, sample.AnimatedGIF, 1, 80, 50)
	turned := file(t, sample.RotatedJPEG, 1, 80, 50) // stored 50 wide
	for _, test := range []struct {
		name   string
		data   []byte
		change func(*Limits)
		code   string // empty: allowed
	}{
		{"width", still, func(l *Limits) { l.MaxWidth = 79 }, CodeWidth},
		{"width reached", still, func(l *Limits) { l.MaxWidth = 80 }, ""},
		{"width as displayed", turned, func(l *Limits) { l.MaxWidth = 79 }, CodeWidth},
		{"height", still, func(l *Limits) { l.MaxHeight = 49 }, CodeHeight},
		{"height reached", still, func(l *Limits) { l.MaxHeight = 50 }, ""},
		{"height as displayed", turned, func(l *Limits) { l.MaxHeight = 50 }, ""},
		{"area", still, func(l *Limits) { l.MaxArea = 3999 }, CodeArea},
		{"area reached", still, func(l *Limits) { l.MaxArea = 4000 }, ""},
		{"frames", animated, func(l *Limits) { l.MaxFrames = sample.Frames - 1 }, CodeFrames},
		{"frames reached", animated, func(l *Limits) { l.MaxFrames = sample.Frames }, ""},
		{"frames of a still", still, func(l *Limits) { l.MaxFrames = 1 }, ""},
		{"bytes", still, func(l *Limits) { l.MaxBytes = int64(len(still)) - 1 }, CodeFileSize},
		{"bytes reached", still, func(l *Limits) { l.MaxBytes = int64(len(still)) }, ""},
		{"no limits", animated, func(l *Limits) { *l = Limits{AllowImage: true, AllowAnimation: true} }, ""},
		{"no stills", still, func(l *Limits) { l.AllowImage = false }, CodeNotAllowed},
		{"no stills, an animation", animated, func(l *Limits) { l.AllowImage = false }, ""},
		{"no animations", animated, func(l *Limits) { l.AllowAnimation = false }, CodeNotAllowed},
		{"no animations, a still", still, func(l *Limits) { l.AllowAnimation = false }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			limits := DefaultLimits()
			test.change(&limits)
			_, _, err := Inspect(bytes.NewReader(test.data), limits)
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantCode(t, err, test.code)
		})
	}
}

func TestWhatIsNoPicture(t *testing.T) {
	allowVideo := DefaultLimits()
	allowVideo.AllowVideo = true
	for _, test := range []struct {
		name   string
		data   string
		limits Limits
		code   string
	}{
		{"empty", "", DefaultLimits(), CodeUnsupported},
		{"text", "Dear Sir or Madam, this is not a picture.", DefaultLimits(), CodeUnsupported},
		{"html", "<!doctype html><img src=x>", DefaultLimits(), CodeUnsupported},
		{"svg", `<svg xmlns="http://www.w3.org/2000/svg"/>`, DefaultLimits(), CodeUnsupported},
		{"bmp", "BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00", DefaultLimits(), CodeUnsupported},
		{"avif", "\x00\x00\x00\x20ftypavif\x00\x00\x00\x00avifmif1", DefaultLimits(), CodeUnsupported},
		{"mp4", "\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2", DefaultLimits(), CodeNotAllowed},
		{"mp4 allowed", "\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2", allowVideo, CodeUnsupported},
		{"webm", "\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01", DefaultLimits(), CodeNotAllowed},
		{"animated webp", "RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x09\x00\x00\x09\x00\x00", DefaultLimits(), CodeUnsupported},
		{"other riff", "RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00", DefaultLimits(), CodeUnsupported},
		{"only the signature of PNG", pngSignature, DefaultLimits(), CodeDamaged},
		{"only the beginning of JPEG", "\xff\xd8\xff", DefaultLimits(), CodeDamaged},
		{"only the beginning of GIF", "GIF89a", DefaultLimits(), CodeDamaged},
		{"GIF without a frame", "GIF89a\x01\x00\x01\x00\x00\x00\x00;", DefaultLimits(), CodeDamaged},
		{"GIF without a pixel", "GIF89a\x00\x00\x01\x00\x00\x00\x00;", DefaultLimits(), CodeDamaged},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := Inspect(bytes.NewReader([]byte(test.data)), test.limits)
			wantCode(t, err, test.code)
		})
	}
}

// The file's name is never asked for: a file is what its content says.
func TestTruncatedFilesAreFound(t *testing.T) {
	for _, kind := range sample.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			data := file(t, kind, 2, 48, 32)
			for length := 12; length < len(data); length += 1 + length/23 {
				_, _, err := Inspect(bytes.NewReader(data[:length]), DefaultLimits())
				if err == nil {
					t.Fatalf("%d of %d bytes were taken for a whole file", length, len(data))
				}
				wantCode(t, err, CodeDamaged)
			}
			_, _, err := Inspect(bytes.NewReader(data[:len(data)-1]), DefaultLimits())
			wantCode(t, err, CodeDamaged)
		})
	}
}

// Whatever the bytes are there is an answer: details, or an Error.
func TestDamagedBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	check := func(t *testing.T, data []byte) {
		t.Helper()
		details, extension, err := Inspect(bytes.NewReader(data), DefaultLimits())
		var refused *Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("error is no Error: %v", err)
		}
		if err == nil && (details.Width < 1 || details.Height < 1 || extension == "") {
			t.Fatalf("no error, but details %+v", details)
		}
	}
	for _, kind := range sample.Kinds() {
		data := file(t, kind, 3, 24, 24)
		t.Run(string(kind), func(t *testing.T) {
			for range 150 {
				broken := bytes.Clone(data)
				for range 1 + random.IntN(4) {
					broken[random.IntN(len(broken))] = byte(random.Uint32())
				}
				check(t, broken)
			}
		})
		t.Run(fmt.Sprintf("noise after the beginning of %s", kind), func(t *testing.T) {
			for range 50 {
				noise := bytes.Clone(data[:min(len(data), 12+random.IntN(40))])
				for range 400 {
					noise = append(noise, byte(random.Uint32()))
				}
				check(t, noise)
			}
		})
	}
}

// brokenDisk fails in the middle of a file.
type brokenDisk struct{ io.ReadSeeker }

var errDisk = errors.New("the disk is broken")

func (brokenDisk) Read([]byte) (int, error) { return 0, errDisk }

func TestErrorsOfTheReaderAreNotTheFilesFault(t *testing.T) {
	_, _, err := Inspect(brokenDisk{bytes.NewReader(file(t, sample.PNG, 1, 8, 8))}, DefaultLimits())
	var refused *Error
	if !errors.Is(err, errDisk) || errors.As(err, &refused) {
		t.Errorf("error is %v, want the reader's", err)
	}
}

func TestBytesAfterTheEndAreNoDamage(t *testing.T) {
	for _, kind := range sample.Kinds() {
		data := append(file(t, kind, 1, 16, 16), "appended by a camera or a joker"...)
		if _, _, err := Inspect(bytes.NewReader(data), DefaultLimits()); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
