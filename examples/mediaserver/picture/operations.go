package picture

import (
	"math"
	"strconv"
	"strings"
)

// parsers read the value of each operation but identity, which has none.
var parsers = map[string]func(value string) (operation, error){
	"blur":      parseBlur,
	"thumbnail": parseThumbnail,
	"resize":    parseResize,
	"crop":      parseCrop,
}

const operationNames = "identity, blur, thumbnail, resize, crop"

// The ranges of values. No picture has sides longer than maxSide (JPEG and GIF have 16 bits for
// them), so that larger numbers could only spell "do nothing" in other ways.
const (
	maxSide  = 65_535
	minSigma = 0.01
	maxSigma = 100
)

// blur is a Gaussian blur.
type blur struct{ sigma float64 }

func parseBlur(value string) (operation, error) {
	sigma, err := strconv.ParseFloat(value, 64)
	// Written so that NaN, for which every comparison is false, is refused too.
	if err != nil || !(sigma >= minSigma && sigma <= maxSigma) {
		return nil, refuse(CodeProcess, "blur needs a number between %v and %v", minSigma, maxSigma)
	}
	return blur{math.Round(sigma*100) / 100}, nil
}

func (b blur) path() string { return "blur/" + strconv.FormatFloat(b.sigma, 'f', -1, 64) }

// thumbnail fits a picture into a square.
type thumbnail struct{ side int }

func parseThumbnail(value string) (operation, error) {
	side, ok := parseNumber(value, maxSide)
	if !ok {
		return nil, refuse(CodeProcess, "thumbnail needs a number of pixels between 1 and %d", maxSide)
	}
	return thumbnail{side}, nil
}

func (t thumbnail) path() string { return "thumbnail/" + strconv.Itoa(t.side) }

// resize fits a picture into a square, or into a number of pixels.
type resize struct {
	filter string
	// One of the two is 0.
	side, area int
}

func parseResize(value string) (operation, error) {
	r := resize{filter: defaultFilter}
	if filter, size, named := strings.Cut(value, "."); named {
		r.filter, value = strings.ToLower(filter), size
	}
	var ok bool
	if area, isArea := strings.CutPrefix(value, "a"); isArea {
		r.area, ok = parseNumber(area, hardArea)
	} else {
		r.side, ok = parseNumber(value, maxSide)
	}
	if _, known := filters[r.filter]; !known || !ok {
		return nil, refuse(CodeProcess, "resize needs a number of pixels between 1 and %d, or a and an area, with the name of a filter and a dot before it if wanted", maxSide)
	}
	return r, nil
}

func (r resize) path() string {
	size := strconv.Itoa(r.side)
	if r.area > 0 {
		size = "a" + strconv.Itoa(r.area)
	}
	if r.filter != defaultFilter {
		size = r.filter + "." + size
	}
	return "resize/" + size
}

// crop takes the largest centred region of a ratio, in lowest terms.
type crop struct{ width, height int }

func parseCrop(value string) (operation, error) {
	w, h, _ := strings.Cut(value, "x")
	width, okWidth := parseNumber(w, maxSide)
	height, okHeight := parseNumber(h, maxSide)
	if !okWidth || !okHeight {
		return nil, refuse(CodeProcess, "crop needs a ratio such as 16x9, of numbers between 1 and %d", maxSide)
	}
	divisor := greatestCommonDivisor(width, height)
	return crop{width / divisor, height / divisor}, nil
}

func (c crop) path() string { return "crop/" + strconv.Itoa(c.width) + "x" + strconv.Itoa(c.height) }

func parseNumber(value string, limit int) (int, bool) {
	number, err := strconv.ParseUint(value, 10, 31)
	return int(number), err == nil && number >= 1 && number <= uint64(limit)
}

func greatestCommonDivisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
