package picture

import (
	"bytes"
	"fmt"
	"image"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

func TestEveryOrientationIsDisplayedUpright(t *testing.T) {
	const width, height = 96, 64
	want := sample.Picture(4, width, height)
	for value := 1; value <= 8; value++ {
		t.Run(fmt.Sprint(value), func(t *testing.T) {
			data, err := sample.Oriented(value, 4, width, height)
			if err != nil {
				t.Fatal(err)
			}
			if got := jpegOrientation(data); got != orientation(value) {
				t.Fatalf("orientation is read as %d", got)
			}
			details, _, err := Inspect(bytes.NewReader(data), DefaultLimits())
			if err != nil || details.Width != width || details.Height != height {
				t.Errorf("details are %+v, %v, want %dx%d", details, err, width, height)
			}
			made, _ := run(t, "identity/png", data)
			got := decode(t, "png", made)
			if got.Rect.Size() != image.Pt(width, height) {
				t.Fatalf("size is %v", got.Rect.Size())
			}
			if worst := differ(got, want); worst > 5 {
				t.Errorf("a region's colour is off by %.1f", worst)
			}
		})
	}
}

// tiffWith is a TIFF structure with one entry.
func tiffWith(order string, tag, kind, value byte) string {
	if order == "II" {
		return "II*\x00\x08\x00\x00\x00\x01\x00" + string([]byte{tag, 1, kind, 0, 1, 0, 0, 0, value, 0, 0, 0}) + "\x00\x00\x00\x00"
	}
	return "MM\x00*\x00\x00\x00\x08\x00\x01" + string([]byte{1, tag, 0, kind, 0, 0, 0, 1, 0, value, 0, 0}) + "\x00\x00\x00\x00"
}

func TestOrientationOfOddMetadata(t *testing.T) {
	segment := func(marker byte, body string) string {
		length := len(body) + 2
		return string([]byte{0xff, marker, byte(length >> 8), byte(length)}) + body
	}
	exif := func(tiff string) string { return segment(0xe1, "Exif\x00\x00"+tiff) }
	const (
		start = "\xff\xd8"
		scan  = "\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"
	)
	good := exif(tiffWith("MM", 0x12, 3, 6))
	for _, test := range []struct {
		name, data string
		want       orientation
	}{
		{"big endian", start + good + scan, 6},
		{"little endian", start + exif(tiffWith("II", 0x12, 3, 8)) + scan, 8},
		{"after other segments", start + segment(0xe0, "JFIF\x00\x01\x01") + segment(0xfe, "a comment") + good + scan, 6},
		{"after XMP, in the same kind of segment", start + segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00<x/>") + good + scan, 6},
		{"after fill bytes", start + "\xff\xff\xff" + good + scan, 6},
		{"none", start + scan, upright},
		{"nothing at all", start, upright},
		{"in the compressed data", start + scan + good, upright},
		{"value 0", start + exif(tiffWith("MM", 0x12, 3, 0)) + scan, upright},
		{"value 9", start + exif(tiffWith("MM", 0x12, 3, 9)) + scan, upright},
		{"of another type", start + exif(tiffWith("MM", 0x12, 2, 6)) + scan, upright},
		{"another tag", start + exif(tiffWith("MM", 0x13, 3, 6)) + scan, upright},
		{"another byte order mark", start + exif("XX"+tiffWith("MM", 0x12, 3, 6)[2:]) + scan, upright},
		{"directory beyond the end", start + exif("MM\x00*\xff\xff\xff\xff\x00\x01") + scan, upright},
		{"more entries than there are", start + exif("MM\x00*\x00\x00\x00\x08\xff\xff\x01\x0f\x00\x02") + scan, upright},
		{"cut", start + exif("MM\x00*\x00") + scan, upright},
		{"segment longer than the file", start + "\xff\xe1\xff\xffExif\x00\x00", upright},
		{"segment of no length", start + "\xff\xe1\x00\x00Exif\x00\x00", upright},
	} {
		if got := jpegOrientation([]byte(test.data)); got != test.want {
			t.Errorf("%s: orientation %d, want %d", test.name, got, test.want)
		}
	}
}

func TestBrokenMetadataIsNoDamage(t *testing.T) {
	data := file(t, sample.JPEG, 1, 20, 10)
	broken := append([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00*\xff\xff\xff\xff"), data[2:]...)
	details, _, err := Inspect(bytes.NewReader(broken), DefaultLimits())
	if err != nil || details.Width != 20 {
		t.Errorf("details are %+v, %v, want 20 wide", details, err)
	}
}
