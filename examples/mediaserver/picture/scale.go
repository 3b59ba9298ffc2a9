package picture

import (
	"context"
	"image"
	"math"
)

// transform changes pixels. It leaves its argument as it is and may return it.
type transform interface {
	apply(ctx context.Context, src *image.RGBA) (*image.RGBA, error)
}

func (t thumbnail) apply(ctx context.Context, src *image.RGBA) (*image.RGBA, error) {
	width, height := fitSide(src.Rect.Dx(), src.Rect.Dy(), t.side)
	return resample(ctx, src, width, height, triangle)
}

func (r resize) apply(ctx context.Context, src *image.RGBA) (*image.RGBA, error) {
	width, height := src.Rect.Dx(), src.Rect.Dy()
	if r.side > 0 {
		width, height = fitSide(width, height, r.side)
	} else {
		width, height = fitArea(width, height, r.area)
	}
	return resample(ctx, src, width, height, filters[r.filter])
}

// fitSide scales a size down into a square, keeping its ratio; what fits stays as it is.
func fitSide(width, height, side int) (int, int) {
	longer := max(width, height)
	if longer <= side {
		return width, height
	}
	scaled := func(length int) int {
		return max(1, int(math.Round(float64(length)*float64(side)/float64(longer))))
	}
	return scaled(width), scaled(height)
}

// fitArea scales a size down to a number of pixels, keeping its ratio; what fits stays as it is.
func fitArea(width, height, area int) (int, int) {
	if width*height <= area {
		return width, height
	}
	factor := math.Sqrt(float64(area) / (float64(width) * float64(height)))
	fitWidth := max(1, int(float64(width)*factor))
	fitHeight := max(1, int(float64(height)*factor))
	// A side that cannot get shorter than one pixel leaves the other to obey.
	return min(fitWidth, max(1, area/fitHeight)), min(fitHeight, max(1, area/fitWidth))
}

// resample scales a picture to a size that is not larger than its own. It goes through the source
// once and holds only the rows that one row of the result needs.
func resample(ctx context.Context, src *image.RGBA, width, height int, k kernel) (*image.RGBA, error) {
	if src.Rect.Dx() == width && src.Rect.Dy() == height {
		return src, ctx.Err()
	}
	columns, rows := k.weigh(src.Rect.Dx(), width), k.weigh(src.Rect.Dy(), height)
	// The horizontally scaled source rows that are in reach, row n at n modulo the length.
	ring := make([][]float32, longest(rows))
	for i := range ring {
		ring[i] = make([]float32, width*4)
	}
	sum := make([]float32, width*4)
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	next := 0
	for y, row := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for next = max(next, row.first); next < row.first+len(row.weights); next++ {
			scaleRow(ring[next%len(ring)], src.Pix[next*src.Stride:], columns)
		}
		clear(sum)
		for i, weight := range row.weights {
			for x, value := range ring[(row.first+i)%len(ring)] {
				sum[x] += weight * value
			}
		}
		storeRow(dst.Pix[y*dst.Stride:], sum)
	}
	return dst, nil
}

// scaleRow scales one row of pixels.
func scaleRow(dst []float32, src []uint8, columns []contribution) {
	for x, column := range columns {
		var r, g, b, a float32
		pixels := src[column.first*4:]
		for i, weight := range column.weights {
			pixel := pixels[i*4 : i*4+4]
			r += weight * float32(pixel[0])
			g += weight * float32(pixel[1])
			b += weight * float32(pixel[2])
			a += weight * float32(pixel[3])
		}
		dst[x*4], dst[x*4+1], dst[x*4+2], dst[x*4+3] = r, g, b, a
	}
}

// storeRow rounds a row. Filters with negative lobes overshoot at edges: where opacity does, colours,
// which are multiplied by it, are brought back along with it, and never exceed it.
func storeRow(dst []uint8, row []float32) {
	for x := 0; x < len(row); x += 4 {
		alpha, scale := clamp(row[x+3], 255), float32(1)
		if row[x+3] > 255 {
			scale = 255 / row[x+3]
		}
		for c := range 3 {
			dst[x+c] = uint8(clamp(row[x+c]*scale, alpha) + 0.5)
		}
		dst[x+3] = uint8(alpha + 0.5)
	}
}

func clamp(value, limit float32) float32 { return max(0, min(value, limit)) }

func (c crop) apply(ctx context.Context, src *image.RGBA) (*image.RGBA, error) {
	region := c.region(src.Rect.Dx(), src.Rect.Dy())
	if region == src.Rect {
		return src, ctx.Err()
	}
	dst := image.NewRGBA(image.Rectangle{Max: region.Size()})
	for y := range region.Dy() {
		from := src.PixOffset(region.Min.X, region.Min.Y+y)
		copy(dst.Pix[y*dst.Stride:(y+1)*dst.Stride], src.Pix[from:])
	}
	return dst, ctx.Err()
}

// region is the largest centred one of the ratio: at least one side is the picture's own.
func (c crop) region(width, height int) image.Rectangle {
	cropWidth, cropHeight := width, height
	if width*c.height > height*c.width {
		cropWidth = max(1, height*c.width/c.height)
	} else {
		cropHeight = max(1, width*c.height/c.width)
	}
	corner := image.Pt((width-cropWidth)/2, (height-cropHeight)/2)
	return image.Rectangle{Min: corner, Max: corner.Add(image.Pt(cropWidth, cropHeight))}
}
