package picture

import (
	"encoding/binary"
	"errors"
	"image"
)

// gifLayout is where the frames of a GIF are in its file. The blocks are walked without
// decompressing anything, so that a file of many thousand frames costs nothing before it is
// refused, and frames can later be decoded one at a time: the decoder of the standard library
// holds all of them.
type gifLayout struct {
	// prefix is the header, the logical screen and the global colour table.
	prefix []byte
	frames []gifFrame
	// loops as in gif.GIF.LoopCount: 0 for ever, -1 once, n shows it n+1 times.
	loops int
}

// gifFrame is one frame.
type gifFrame struct {
	// control is the graphic control extension block; nil if the frame has none.
	control []byte
	// image is the image descriptor with its colour table and compressed data.
	image []byte
	// bounds on the canvas.
	bounds image.Rectangle
	// delay in hundredths of a second.
	delay int
	// disposal is what happens to the canvas after the frame: a value of gif.Disposal*.
	disposal byte
	// control says that a colour is transparent.
	transparent bool
}

// Lengths and marks of GIF89a.
const (
	gifHeaderLength     = 6 + 7
	gifDescriptorLength = 1 + 9
	gifControlLength    = 2 + 1 + 4 + 1

	gifExtension   = 0x21
	gifImage       = 0x2c
	gifTrailer     = 0x3b
	gifControl     = 0xf9
	gifApplication = 0xff
)

var (
	errGIFEnd    = errors.New("it ends before its end")
	errGIFBlock  = errors.New("unknown block")
	errGIFBounds = errors.New("a frame lies outside of the canvas")
	errGIFEmpty  = errors.New("it has no frame")
)

// gifHeader walks the file. Frames beyond the limit end the walk.
func gifHeader(data []byte, limits Limits) (*header, error) {
	maxFrames := hardFrames
	if limits.MaxFrames > 0 {
		maxFrames = min(maxFrames, limits.MaxFrames)
	}
	if len(data) < gifHeaderLength {
		return nil, damaged("GIF", errGIFEnd)
	}
	config := image.Config{
		Width:  int(binary.LittleEndian.Uint16(data[6:])),
		Height: int(binary.LittleEndian.Uint16(data[8:])),
	}
	head, err := newHeader(formatGIF, config, 0)
	if err != nil {
		return nil, err
	}
	s := gifScanner{data: data, canvas: image.Rect(0, 0, head.width, head.height), layout: &gifLayout{loops: -1}}
	if err := s.walk(maxFrames); err != nil {
		var refused *Error
		if errors.As(err, &refused) {
			return nil, err
		}
		return nil, damaged("GIF", err)
	}
	head.gif = s.layout
	if frames := len(s.layout.frames); frames > 1 {
		head.frames = frames
	}
	return head, nil
}

// gifScanner walks the blocks of a GIF.
type gifScanner struct {
	data   []byte
	at     int
	canvas image.Rectangle
	// control is the graphic control extension that waits for its frame.
	control []byte
	layout  *gifLayout
}

func (s *gifScanner) walk(maxFrames int) error {
	s.at = gifHeaderLength + colourTableLength(s.data[10])
	if s.at > len(s.data) {
		return errGIFEnd
	}
	s.layout.prefix = s.data[:s.at]
	for s.at < len(s.data) {
		var err error
		switch s.data[s.at] {
		case gifExtension:
			err = s.extension()
		case gifImage:
			if len(s.layout.frames) == maxFrames {
				return tooManyFrames(maxFrames)
			}
			err = s.frame()
		case gifTrailer:
			if len(s.layout.frames) == 0 {
				return errGIFEmpty
			}
			return nil
		default:
			err = errGIFBlock
		}
		if err != nil {
			return err
		}
	}
	return errGIFEnd
}

// colourTableLength in bytes, from the flags that announce the table.
func colourTableLength(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// extension reads one extension block: control of the next frame, or how often to repeat.
func (s *gifScanner) extension() error {
	start := s.at
	if start+2 > len(s.data) {
		return errGIFEnd
	}
	s.at += 2
	if err := s.skipSubBlocks(); err != nil {
		return err
	}
	block := s.data[start:s.at]
	switch {
	case block[1] == gifControl && len(block) == gifControlLength && block[2] == 4:
		s.control = block
	case block[1] == gifApplication && len(block) == 19 && string(block[3:14]) == "NETSCAPE2.0" && block[14] == 3 && block[15] == 1:
		s.layout.loops = int(binary.LittleEndian.Uint16(block[16:]))
	}
	return nil
}

// frame reads one image descriptor and steps over its data.
func (s *gifScanner) frame() error {
	start := s.at
	if start+gifDescriptorLength > len(s.data) {
		return errGIFEnd
	}
	descriptor := s.data[start : start+gifDescriptorLength]
	left, top := int(binary.LittleEndian.Uint16(descriptor[1:])), int(binary.LittleEndian.Uint16(descriptor[3:]))
	width, height := int(binary.LittleEndian.Uint16(descriptor[5:])), int(binary.LittleEndian.Uint16(descriptor[7:]))
	frame := gifFrame{bounds: image.Rect(left, top, left+width, top+height)}
	if !frame.bounds.In(s.canvas) {
		return errGIFBounds
	}
	s.at += gifDescriptorLength + colourTableLength(descriptor[9]) + 1 // 1: size of the first code
	if err := s.skipSubBlocks(); err != nil {
		return err
	}
	frame.image = s.data[start:s.at]
	if frame.control = s.control; frame.control != nil {
		flags := frame.control[3]
		frame.disposal = flags >> 2 & 7
		frame.transparent = flags&1 != 0
		frame.delay = int(binary.LittleEndian.Uint16(frame.control[4:]))
	}
	s.control = nil
	s.layout.frames = append(s.layout.frames, frame)
	return nil
}

// skipSubBlocks steps over blocks with a length in front, to the empty one that ends them.
func (s *gifScanner) skipSubBlocks() error {
	for s.at < len(s.data) {
		length := int(s.data[s.at])
		s.at += 1 + length
		if length == 0 {
			return nil
		}
	}
	return errGIFEnd
}
