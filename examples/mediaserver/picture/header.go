package picture

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"
)

// header is what a file says about itself before any pixel is decoded.
type header struct {
	// format is one of the canonical format names.
	format string
	// width and height as stored.
	width, height int
	// frames is 0 for what is no animation.
	frames int
	// turn is how a JPEG is to be displayed.
	turn orientation
	// gif is where the parts of a GIF are.
	gif *gifLayout
}

// kind of the medium.
func (h *header) kind() Format {
	if h.frames > 0 {
		return Animation
	}
	return Image
}

// displayed is the size with the orientation applied.
func (h *header) displayed() (width, height int) {
	if h.turn.swapsSides() {
		return h.height, h.width
	}
	return h.width, h.height
}

// readHeader finds out what the file is and checks that against the limits and the package's own
// bounds, without decoding pixels.
func readHeader(data []byte, limits Limits) (*header, error) {
	head, err := parseHeader(data, limits)
	if err != nil {
		return nil, err
	}
	if err := head.check(limits); err != nil {
		return nil, err
	}
	return head, nil
}

func parseHeader(data []byte, limits Limits) (*header, error) {
	switch {
	case bytes.HasPrefix(data, []byte(pngSignature)):
		return pngHeader(data)
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return jpegHeader(data)
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return gifHeader(data, limits)
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return webpHeader(data)
	case isVideo(data):
		if !limits.AllowVideo {
			return nil, refuse(CodeNotAllowed, "videos are not allowed")
		}
		return nil, refuse(CodeUnsupported, "the file is a video, which this server cannot read")
	}
	return nil, refuse(CodeUnsupported, "the file is none of PNG, JPEG, GIF and WebP")
}

// check compares a header with what is allowed.
func (h *header) check(limits Limits) error {
	width, height := h.displayed()
	area := int64(width) * int64(height)
	maxArea := int64(hardArea)
	if limits.MaxArea > 0 {
		maxArea = min(maxArea, limits.MaxArea)
	}
	switch {
	case h.kind() == Image && !limits.AllowImage:
		return refuse(CodeNotAllowed, "still images are not allowed")
	case h.kind() == Animation && !limits.AllowAnimation:
		return refuse(CodeNotAllowed, "animations are not allowed")
	case limits.MaxWidth > 0 && width > limits.MaxWidth:
		return refuse(CodeWidth, "the picture is %d pixels wide, %d are allowed", width, limits.MaxWidth)
	case limits.MaxHeight > 0 && height > limits.MaxHeight:
		return refuse(CodeHeight, "the picture is %d pixels high, %d are allowed", height, limits.MaxHeight)
	case area > maxArea:
		return refuse(CodeArea, "the picture has %d pixels, %d are allowed", area, maxArea)
	case limits.MaxFrames > 0 && h.frames > limits.MaxFrames:
		return tooManyFrames(limits.MaxFrames)
	case area*int64(h.frames) > hardTotalArea:
		return refuse(CodeArea, "the frames of the animation have %d pixels together, %d are allowed", area*int64(h.frames), hardTotalArea)
	}
	return nil
}

func tooManyFrames(limit int) error {
	return refuse(CodeFrames, "the animation has more than %d frames", limit)
}

func pngHeader(data []byte) (*header, error) {
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, damaged("PNG", err)
	}
	return newHeader(formatPNG, config, apngFrames(data))
}

func jpegHeader(data []byte) (*header, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, damaged("JPEG", err)
	}
	head, err := newHeader(formatJPEG, config, 0)
	if err == nil {
		head.turn = jpegOrientation(data)
	}
	return head, err
}

func webpHeader(data []byte) (*header, error) {
	if webpAnimated(data) {
		return nil, refuse(CodeUnsupported, "the file is an animated WebP, which this server cannot read")
	}
	if err := webpComplete(data); err != nil {
		return nil, err
	}
	config, err := webp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, damaged("WebP", err)
	}
	return newHeader(formatWebP, config, 0)
}

func newHeader(format string, config image.Config, frames int) (*header, error) {
	if config.Width < 1 || config.Height < 1 {
		return nil, refuse(CodeDamaged, "the picture has no pixels")
	}
	return &header{format: format, width: config.Width, height: config.Height, frames: frames}, nil
}
