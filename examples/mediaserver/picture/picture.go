// Package picture understands images: what a file is, whether it is allowed, and how variants of
// it are made. It reads PNG, JPEG, GIF (still and animated) and WebP, and writes the same formats
// without metadata. Files come from anybody, so nothing a file says about itself is believed
// before it was checked: sizes are limited before pixels are decoded, and a file counts as good
// only when it was decoded to its end.
//
// The package must not know where files are kept, who asked for them over which protocol, or that
// there is a storage: it goes from bytes to bytes.
package picture

import (
	"fmt"
	"time"
)

// Format is the kind of a medium, as its details name it.
type Format string

// The kinds of media. Video is named only to be refused: nothing here decodes it.
const (
	Image     Format = "Image"
	Animation Format = "Animation"
	Video     Format = "Video"
)

// Details is what is recorded about a file. It never changes for a given file.
type Details struct {
	// Width and Height in pixels, as displayed: a JPEG that says it is to be turned counts as turned.
	Width  int `json:"width"`
	Height int `json:"height"`
	// Frames is nil for what is no animation.
	Frames      *int      `json:"frames"`
	ContentType string    `json:"content_type"`
	CreatedAt   time.Time `json:"created_at"`
	Format      Format    `json:"format"`
}

// Limits says which files are allowed. A number of 0 or less is no limit; the package's own
// bounds, beyond which it decodes nothing, hold in any case.
type Limits struct {
	// MaxWidth and MaxHeight in pixels, MaxArea in pixels of one frame.
	MaxWidth, MaxHeight int
	MaxArea             int64
	// MaxFrames of an animation.
	MaxFrames int
	// MaxBytes is the file's size.
	MaxBytes int64
	// What kinds are allowed.
	AllowImage, AllowAnimation, AllowVideo bool
}

// DefaultLimits are the limits of a server that was told nothing else: 10000 pixels a side,
// 40 megapixels, 100 frames, 40 MiB; images and animations.
func DefaultLimits() Limits {
	return Limits{
		MaxWidth:       10_000,
		MaxHeight:      10_000,
		MaxArea:        40_000_000,
		MaxFrames:      100,
		MaxBytes:       40 << 20,
		AllowImage:     true,
		AllowAnimation: true,
	}
}

// The package's own bounds. A decoder needs up to 12 bytes for a pixel (progressive JPEG).
const (
	// hardArea bounds the pixels of one frame.
	hardArea = 64 << 20
	// hardTotalArea bounds an animation: its frames times the pixels of its canvas, all of which are
	// composed, processed and compressed.
	hardTotalArea = 128 << 20
	// hardFrames bounds the frames that are so much as looked at.
	hardFrames = 10_000
	// hardBytes bounds a file, which is held in memory while it is worked on.
	hardBytes = 256 << 20
)

// The codes of an Error. The validate- codes are about limits, the rest about the file or the request.
const (
	CodeWidth    = "validate-width"
	CodeHeight   = "validate-height"
	CodeArea     = "validate-area"
	CodeFrames   = "validate-frames"
	CodeFileSize = "validate-file-size"
	// CodeUnsupported: not an image, or a kind of image that nothing here decodes.
	CodeUnsupported = "unsupported-file"
	// CodeDamaged: it begins like an image but cannot be decoded to its end.
	CodeDamaged = "damaged-file"
	// CodeNotAllowed: Limits do not allow this kind of medium.
	CodeNotAllowed = "not-allowed"
	// CodeExtension: ParseProcess was given a target format that is not offered.
	CodeExtension = "invalid-file-extension"
	// CodeProcess: an operation is unknown or its value is not understood.
	CodeProcess = "invalid-process-path"
)

// Error says what is wrong with a file or a request. Everything that is the sender's fault comes
// as a *Error, possibly wrapped; other errors (reading, writing, a done context) come as they are.
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// damaged wraps what a decoder says.
func damaged(format string, cause error) *Error {
	return refuse(CodeDamaged, "the file begins like %s but cannot be decoded: %v", format, cause)
}
