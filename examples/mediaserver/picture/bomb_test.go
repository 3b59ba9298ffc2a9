package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"io"
	"runtime"
	"testing"
)

// pngChunk is a chunk with its length and checksum.
func pngChunk(kind string, body []byte) []byte {
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = append(append(chunk, kind...), body...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}

// pngClaiming is a PNG that says it has that size, with next to no data.
func pngClaiming(width, height uint32) []byte {
	head := binary.BigEndian.AppendUint32(nil, width)
	head = binary.BigEndian.AppendUint32(head, height)
	head = append(head, 8, 6, 0, 0, 0)
	return bytes.Join([][]byte{[]byte(pngSignature), pngChunk("IHDR", head), pngChunk("IDAT", []byte("x\x9c\x03\x00\x00\x00\x00\x01")), pngChunk("IEND", nil)}, nil)
}

// gifOf repeats one small frame on a canvas of a size.
func gifOf(t testing.TB, frames, width, height int) []byte {
	t.Helper()
	var encoded bytes.Buffer
	frame := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black, color.White})
	err := gif.EncodeAll(&encoded, &gif.GIF{
		Image: []*image.Paletted{frame}, Delay: []int{1},
		Config: image.Config{Width: width, Height: height, ColorModel: frame.Palette},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := encoded.Bytes()
	start := bytes.Index(file, []byte{gifExtension, gifControl})
	body := file[start : len(file)-1]
	return append(append(bytes.Clone(file[:start]), bytes.Repeat(body, frames)...), gifTrailer)
}

func TestBombsAreRefusedWithoutAllocating(t *testing.T) {
	noLimits := Limits{AllowImage: true, AllowAnimation: true}
	sides := DefaultLimits()
	sides.MaxWidth, sides.MaxHeight = 0, 0
	webpLossless := []byte("RIFF\x14\x00\x00\x00WEBPVP8L\x08\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00")
	webpExtended := []byte("RIFF\x1a\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\xff\x7f\x00\xff\x7f\x00\x00\x00\x00\x00")
	jpegHuge := []byte("\xff\xd8\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03\x01\x11\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00\xff\xd9")
	for _, test := range []struct {
		name   string
		data   []byte
		limits Limits
		code   string
	}{
		{"PNG of 60000x60000", pngClaiming(60000, 60000), DefaultLimits(), CodeWidth},
		{"PNG of 60000x60000 by area", pngClaiming(60000, 60000), sides, CodeArea},
		{"PNG of 60000x60000 without limits", pngClaiming(60000, 60000), noLimits, CodeArea},
		{"PNG one pixel high", pngClaiming(1<<31-1, 1), noLimits, CodeArea},
		{"JPEG of 65500x65500", jpegHuge, noLimits, CodeArea},
		{"lossless WebP of 16384x16384", webpLossless, noLimits, CodeArea},
		{"extended WebP of 32768x32768", webpExtended, noLimits, CodeArea},
		{"GIF of 65535x65535", gifOf(t, 1, 65535, 65535), noLimits, CodeArea},
		{"GIF of 10000 frames", gifOf(t, 10000, 1, 1), DefaultLimits(), CodeFrames},
		{"GIF of 10001 frames without limits", gifOf(t, 10001, 1, 1), noLimits, CodeFrames},
		{"GIF of 9000 large frames without limits", gifOf(t, 9000, 500, 500), noLimits, CodeArea},
	} {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := Inspect(bytes.NewReader(test.data), test.limits)
			runtime.ReadMemStats(&after)
			wantCode(t, err, test.code)
			// Reading the file takes up to a few times its size; pixels would take gigabytes.
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20+16*uint64(len(test.data)) {
				t.Errorf("%d bytes were allocated for a file of %d", allocated, len(test.data))
			}
		})
	}
}

func TestRunRefusesBombsToo(t *testing.T) {
	p, err := ParseVariant("resize/10/png")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Run(context.Background(), bytes.NewReader(pngClaiming(60000, 60000)), io.Discard)
	wantCode(t, err, CodeArea)
	_, err = Blurhash(bytes.NewReader(pngClaiming(60000, 60000)))
	wantCode(t, err, CodeArea)
}
