package picture

import (
	"bytes"
	"encoding/binary"
)

// orientation is the value of the Exif tag of that name (CIPA DC-008, tag 0x0112): where row 0 and
// column 0 of the stored picture are when it is displayed.
type orientation uint8

// upright is how the picture is stored: the other values are 2 to 8.
const upright orientation = 1

const (
	orientationTag = 0x0112
	tiffShort      = 3
)

// swapsSides says whether width becomes height.
func (o orientation) swapsSides() bool { return o >= 5 }

// jpegOrientation reads the orientation of a JPEG. It is a reader of this one tag, and not a
// library for all of Exif, because nothing else of the metadata is used and everything in it is
// written by strangers. Whatever is not understood counts as upright, as it does in browsers.
func jpegOrientation(data []byte) orientation {
	rest := data[2:] // after the start marker
	for len(rest) >= 4 && rest[0] == 0xff {
		marker := rest[1]
		if marker == 0xff { // fill byte
			rest = rest[1:]
			continue
		}
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if marker == 0xda || length < 2 || length+2 > len(rest) { // 0xda: compressed data begins
			return upright
		}
		segment := rest[4 : length+2]
		if tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return tiffOrientation(tiff)
		}
		rest = rest[length+2:]
	}
	return upright
}

// tiffOrientation looks through the first directory of a TIFF structure, which is the one of the
// main picture.
func tiffOrientation(tiff []byte) orientation {
	if len(tiff) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	start := uint64(order.Uint32(tiff[4:]))
	if start+2 > uint64(len(tiff)) {
		return upright
	}
	count := order.Uint16(tiff[start:])
	entries := tiff[start+2:]
	for range count {
		if len(entries) < 12 {
			return upright
		}
		value := order.Uint16(entries[8:])
		if order.Uint16(entries) == orientationTag && order.Uint16(entries[2:]) == tiffShort && value >= 1 && value <= 8 {
			return orientation(value)
		}
		entries = entries[12:]
	}
	return upright
}
