package picture

import (
	"context"
	"image"
	"io"
	"math"
	"strings"
)

// The algorithm is that of the BlurHash project (its Algorithm.md). It is written out here because
// it is short and the libraries for it in Go had their last release years ago.

const (
	// The number of waves along the longer and the shorter side.
	longerWaves, shorterWaves = 4, 3
	// blurhashSide is the size to which pictures are scaled first: waves this long do not see more.
	blurhashSide = 64
)

const base83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"

// Blurhash computes the blurhash of a picture (of its first frame): a text of 28
// characters (less for pictures of a few pixels) from which clients paint a blurred preview. Transparent parts count as white. What is wrong with
// the picture comes as an *Error.
func Blurhash(r io.Reader) (string, error) {
	ctx := context.Background()
	data, head, err := load(ctx, r)
	if err != nil {
		return "", err
	}
	src, err := head.decodeFirst(ctx, data)
	if err != nil {
		return "", err
	}
	small, err := thumbnail{blurhashSide}.apply(ctx, src)
	if err != nil {
		return "", err
	}
	columns, rows := longerWaves, shorterWaves
	if small.Rect.Dy() > small.Rect.Dx() {
		columns, rows = rows, columns
	}
	// Waves with more bends than there are pixels would repeat each other.
	return blurhash(flatten(small), min(columns, small.Rect.Dx()), min(rows, small.Rect.Dy())), nil
}

// blurhash of an opaque picture with a number of waves in each direction, 1 to 9.
func blurhash(src *image.RGBA, columns, rows int) string {
	factors := waves(src, columns, rows)
	largest := 0.0
	for _, factor := range factors[1:] {
		for _, value := range factor {
			largest = max(largest, math.Abs(value))
		}
	}
	var hash strings.Builder
	encode83(&hash, columns-1+(rows-1)*9, 1)
	quantized := 0
	if len(factors) > 1 {
		quantized = max(0, min(82, int(math.Floor(largest*166-0.5))))
	}
	encode83(&hash, quantized, 1)
	mean := factors[0]
	encode83(&hash, int(toSRGB(mean[0]))<<16|int(toSRGB(mean[1]))<<8|int(toSRGB(mean[2])), 4)
	scale := float64(quantized+1) / 166
	for _, factor := range factors[1:] {
		value := 0
		for _, channel := range factor {
			value = value*19 + max(0, min(18, int(math.Floor(signedRoot(channel/scale)*9+9.5))))
		}
		encode83(&hash, value, 2)
	}
	return hash.String()
}

// waves computes how much of each wave is in the picture, per channel, in linear light.
func waves(src *image.RGBA, columns, rows int) [][3]float64 {
	width, height := src.Rect.Dx(), src.Rect.Dy()
	factors := make([][3]float64, columns*rows)
	for y := range height {
		for x := range width {
			pixel := src.Pix[src.PixOffset(x, y):]
			light := [3]float64{linear[pixel[0]], linear[pixel[1]], linear[pixel[2]]}
			for i := range factors {
				basis := math.Cos(math.Pi*float64(i%columns)*float64(x)/float64(width)) *
					math.Cos(math.Pi*float64(i/columns)*float64(y)/float64(height))
				for c := range light {
					factors[i][c] += basis * light[c]
				}
			}
		}
	}
	for i := range factors {
		norm := 2 / float64(width*height)
		if i == 0 {
			norm /= 2
		}
		for c := range factors[i] {
			factors[i][c] *= norm
		}
	}
	return factors
}

// linear is the light of each sRGB value (IEC 61966-2-1).
var linear = func() (table [256]float64) {
	for i := range table {
		value := float64(i) / 255
		if value <= 0.04045 {
			table[i] = value / 12.92
		} else {
			table[i] = math.Pow((value+0.055)/1.055, 2.4)
		}
	}
	return table
}()

func toSRGB(light float64) uint8 {
	light = max(0, min(1, light))
	if light <= 0.0031308 {
		return uint8(light*12.92*255 + 0.5)
	}
	return uint8((1.055*math.Pow(light, 1/2.4)-0.055)*255 + 0.5)
}

func signedRoot(value float64) float64 { return math.Copysign(math.Sqrt(math.Abs(value)), value) }

func encode83(hash *strings.Builder, value, length int) {
	for divisor := int(math.Pow(83, float64(length-1))); divisor > 0; divisor /= 83 {
		hash.WriteByte(base83[value/divisor%83])
	}
}
