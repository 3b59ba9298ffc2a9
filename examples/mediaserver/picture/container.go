package picture

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// What the file formats say around their pixels, as far as the decoders do not tell it.

const pngSignature = "\x89PNG\r\n\x1a\n"

// apngFrames counts the frames of an animated PNG; 0 if it is a still. The animation control chunk
// (acTL, PNG third edition, 11.3.6.1) stands before the first image data. Decoders, and variants,
// see the default image only.
func apngFrames(data []byte) int {
	for rest := data[len(pngSignature):]; len(rest) >= 12; {
		length := uint64(binary.BigEndian.Uint32(rest))
		switch kind := string(rest[4:8]); {
		case kind == "acTL" && length == 8 && len(rest) >= 20:
			return int(min(binary.BigEndian.Uint32(rest[8:]), hardFrames+1))
		case kind == "IDAT", length+12 > uint64(len(rest)):
			return 0
		}
		rest = rest[length+12:]
	}
	return 0
}

// The animation flag in the VP8X chunk, which stands first in a WebP that has one.
const webpAnimationFlag = 1 << 1

func webpAnimated(data []byte) bool {
	return len(data) > 20 && string(data[12:16]) == "VP8X" && data[20]&webpAnimationFlag != 0
}

// webpComplete compares the length in the RIFF header with the file's: the decoder reads no
// further than it needs, and may not miss the end.
func webpComplete(data []byte) error {
	length := int64(binary.LittleEndian.Uint32(data[4:]))
	if length+8 > int64(len(data)) {
		return refuse(CodeDamaged, "the file begins like WebP and ends before its end: %d of %d bytes", len(data), length+8)
	}
	return nil
}

// videoBrands are the major brands of ISO base media files that are videos, not pictures (AVIF
// and HEIC share the container).
var videoBrands = []string{"isom", "iso2", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "dash", "M4V ", "qt  "}

// isVideo recognizes MP4, QuickTime, WebM and Matroska, to say more than "not an image".
func isVideo(data []byte) bool {
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		return slices.Contains(videoBrands, string(data[8:12]))
	}
	return bytes.HasPrefix(data, []byte("\x1a\x45\xdf\xa3"))
}
