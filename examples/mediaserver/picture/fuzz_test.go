package picture

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// FuzzInspect: any bytes get details or an Error, and what is accepted can be processed.
func FuzzInspect(f *testing.F) {
	for _, kind := range sample.Kinds() {
		f.Add(file(f, kind, 1, 8, 6))
	}
	f.Add(pngClaiming(60000, 60000))
	f.Add(gifOf(f, 3, 2, 2))
	limits := DefaultLimits()
	limits.MaxArea = 1 << 16 // so that time goes into variety
	limits.MaxFrames = 20
	p, err := ParseVariant("resize/5/gif")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		details, extension, err := Inspect(bytes.NewReader(data), limits)
		var refused *Error
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("error is no Error: %v", err)
			}
			return
		}
		if details.Width < 1 || details.Height < 1 || details.Width*details.Height > 1<<16 || contentTypes[extension] != details.ContentType {
			t.Fatalf("details are %+v with extension %q", details, extension)
		}
		if made, err := p.Run(context.Background(), bytes.NewReader(data), io.Discard); err != nil || max(made.Width, made.Height) > 5 {
			t.Fatalf("what was accepted cannot be processed: %+v, %v", made, err)
		}
	})
}
