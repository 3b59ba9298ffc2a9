package host

import (
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/mortise-storage/mortise/examples/mediaserver/files"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// hashLength is that of a SHA-256, six bytes of size and one of format.
const hashLength = 32 + 6 + 1

// formats are what the last byte of a hash counts. Their order is for ever: hashes are stored.
var formats = [...]struct{ contentType, kind string }{
	{"image/apng", "Animation"},
	{"image/avif", "Animation"},
	{"image/gif", "Animation"},
	{"image/webp", "Animation"},
	{"image/avif", "Image"},
	{"image/jpeg", "Image"},
	{"image/jxl", "Image"},
	{"image/png", "Image"},
	{"image/webp", "Image"},
	{"video/mp4", "Video"},
	{"video/webm", "Video"},
}

// hashOf names a file by its content: two files have the same hash only if they are the same.
func hashOf(stored files.Stored, details picture.Details) ([]byte, error) {
	format := slices.IndexFunc(formats[:], func(f struct{ contentType, kind string }) bool {
		return f.contentType == details.ContentType && f.kind == string(details.Format)
	})
	// A GIF of one picture is stored as what it is, an image of a format that can move.
	if format < 0 {
		format = slices.IndexFunc(formats[:], func(f struct{ contentType, kind string }) bool {
			return f.contentType == details.ContentType
		})
	}
	if format < 0 {
		return nil, failure(picture.CodeUnsupported, "files of type %s are not stored", details.ContentType)
	}
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(stored.Size))
	hash := make([]byte, 0, hashLength)
	hash = append(hash, stored.SHA256[:]...)
	hash = append(hash, size[2:]...)
	return append(hash, byte(format)), nil
}

// variantKey names a variant of a hash in unique keys of jobs.
func variantKey(hash []byte, variant string) string {
	return base64.StdEncoding.EncodeToString(hash) + variant
}
