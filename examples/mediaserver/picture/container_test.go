package picture

import (
	"bytes"
	"slices"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

func TestAnimatedPNG(t *testing.T) {
	data := file(t, sample.PNG, 1, 16, 16)
	const headerEnd, trailer = 8 + 25, 12 // the chunks that come first and last
	control := pngChunk("acTL", []byte{0, 0, 0, 5, 0, 0, 0, 0})
	animated := slices.Concat(data[:headerEnd], control, data[headerEnd:])

	details, extension, err := Inspect(bytes.NewReader(animated), DefaultLimits())
	if err != nil || details.Format != Animation || *details.Frames != 5 || extension != "png" {
		t.Errorf("details are %+v, %s, %v, want an animation of 5 frames", details, extension, err)
	}
	limits := DefaultLimits()
	limits.MaxFrames = 4
	_, _, err = Inspect(bytes.NewReader(animated), limits)
	wantCode(t, err, CodeFrames)

	// Variants show its default image.
	for _, format := range []string{"png", "gif"} {
		made, details := run(t, "identity/"+format, animated)
		if details.Format != Image || details.Frames != nil || differ(decode(t, format, made), sample.Picture(1, 16, 16)) > 8 {
			t.Errorf("as %s it is %+v, or looks otherwise", format, details)
		}
	}

	afterwards := slices.Concat(data[:len(data)-trailer], control, data[len(data)-trailer:])
	if frames := apngFrames(afterwards); frames != 0 {
		t.Errorf("a control chunk after the pixels was taken: %d frames", frames)
	}
}
