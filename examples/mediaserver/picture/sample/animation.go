package sample

import (
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"io"
	"math"
)

const (
	// Frames is how many frames the animations have; Delay is how long each is shown, in
	// hundredths of a second.
	Frames = 10
	Delay  = 8
)

// Ball is the colour of the ball that moves through the animations.
var Ball = color.RGBA{220, 30, 40, 255}

// encodeGIF writes the landscape and, in all frames but the first, a ball over it: a small frame
// with transparent corners that is taken away again before the next.
func encodeGIF(w io.Writer, seed uint64, width, height, frames int) error {
	scene := Picture(seed, width, height)
	background := image.NewPaletted(scene.Rect, palette.Plan9)
	draw.FloydSteinberg.Draw(background, scene.Rect, scene, image.Point{})
	file := &gif.GIF{
		Image:    []*image.Paletted{background},
		Delay:    []int{Delay},
		Disposal: []byte{gif.DisposalNone},
		Config:   image.Config{Width: width, Height: height},
	}
	for frame := 1; frame < frames; frame++ {
		file.Image = append(file.Image, ball(BallBounds(frame, width, height)))
		file.Delay = append(file.Delay, Delay)
		file.Disposal = append(file.Disposal, gif.DisposalPrevious)
	}
	return gif.EncodeAll(w, file)
}

// BallBounds is where the ball is in a frame other than the first: it jumps once across.
func BallBounds(frame, width, height int) image.Rectangle {
	side := max(1, min(width, height)/4)
	t := float64(frame) / (Frames - 1)
	x := int(math.Round(t * float64(width-side)))
	y := int(math.Round((1 - math.Sin(t*math.Pi)) * float64(height-side)))
	return image.Rect(x, y, x+side, y+side)
}

func ball(bounds image.Rectangle) *image.Paletted {
	dst := image.NewPaletted(bounds, color.Palette{color.RGBA{}, Ball})
	radius := float64(bounds.Dx()) / 2
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			if math.Hypot(float64(x)+0.5-radius, float64(y)+0.5-radius) <= radius {
				dst.SetColorIndex(bounds.Min.X+x, bounds.Min.Y+y, 1)
			}
		}
	}
	return dst
}
