package picture

import "image"

// applied returns the picture as it is to be displayed.
func (o orientation) applied(src *image.RGBA) *image.RGBA {
	if o <= upright || o > 8 {
		return src
	}
	width, height := src.Rect.Dx(), src.Rect.Dy()
	if o.swapsSides() {
		width, height = height, width
	}
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		row := dst.Pix[y*dst.Stride:]
		for x := range width {
			sx, sy := o.source(x, y, width, height)
			from := sy*src.Stride + sx*4
			copy(row[x*4:x*4+4], src.Pix[from:from+4])
		}
	}
	return dst
}

// source says which stored pixel is displayed at (x, y) of a picture displayed with that size.
func (o orientation) source(x, y, width, height int) (sx, sy int) {
	right, bottom := width-1-x, height-1-y
	switch o {
	case 2: // mirrored
		return right, y
	case 3: // upside down
		return right, bottom
	case 4: // upside down and mirrored
		return x, bottom
	case 5: // mirrored along the main diagonal
		return y, x
	case 6: // stored turned left by a quarter: turn right
		return y, right
	case 7: // mirrored along the other diagonal
		return bottom, right
	case 8: // stored turned right by a quarter: turn left
		return bottom, x
	}
	return x, y
}
