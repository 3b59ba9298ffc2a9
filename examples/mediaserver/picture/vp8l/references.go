package vp8l

import "context"

// Backward references: a run of pixels that occurred before is written as its length and how far
// back it is.
const (
	minLength = 3
	maxLength = 4096
	// window is the furthest distance the format can write, less the codes for near pixels.
	window = 1<<20 - nearCodes
	// tries is how many earlier places are compared for each pixel.
	tries = 24
	// longEnough ends the search.
	longEnough = 128
	hashBits   = 16
)

// reference replaces pixels by a copy.
type reference struct {
	// at is where it begins; distance is how far back the copied pixels begin, length how many they
	// are, all in pixels.
	at, distance, length int32
}

// findReferences looks for repetitions, greedily, with chains of places where the same two pixels
// begin.
func findReferences(ctx context.Context, pixels []uint32) ([]reference, error) {
	const between = 1 << 14 // pixels that go by before the context is asked again
	var found []reference
	var heads [1 << hashBits]int32 // place + 1 of the latest
	chain := make([]int32, len(pixels))
	remember := func(i int) {
		if i+1 < len(pixels) {
			h := hash(pixels[i], pixels[i+1])
			chain[i] = heads[h]
			heads[h] = int32(i) + 1
		}
	}
	for i, ask := 0, 0; i < len(pixels); {
		if i >= ask {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			ask = i + between
		}
		best := longestMatch(pixels, i, chain, &heads)
		if best.length < minLength {
			remember(i)
			i++
			continue
		}
		found = append(found, best)
		end := i + int(best.length)
		for ; i < end; i++ {
			remember(i)
		}
	}
	return found, nil
}

func longestMatch(pixels []uint32, at int, chain []int32, heads *[1 << hashBits]int32) reference {
	limit := min(maxLength, len(pixels)-at)
	best := reference{at: int32(at)}
	if limit < minLength {
		return best
	}
	place := int(heads[hash(pixels[at], pixels[at+1])]) - 1
	for try := 0; try < tries && place >= 0 && at-place <= window; try++ {
		// A longer match must agree where the best so far ends.
		if pixels[place+int(best.length)] == pixels[at+int(best.length)] {
			length := 0
			for length < limit && pixels[place+length] == pixels[at+length] {
				length++
			}
			if length > int(best.length) {
				best.distance, best.length = int32(at-place), int32(length)
				if length == limit || length >= longEnough {
					break
				}
			}
		}
		place = int(chain[place]) - 1
	}
	return best
}

func hash(a, b uint32) uint32 {
	return (a*0x9e3779b1 ^ b*0x85ebca6b) * 0xc2b2ae35 >> (32 - hashBits)
}

// nearCodes is how many distance codes stand for places near in two dimensions. Four of them are
// used; other distances are written after all of these codes.
const nearCodes = 120

// distanceCode is the number by which a distance is written.
func distanceCode(distance, width int) int {
	switch distance {
	case width:
		return 1
	case 1:
		return 2
	case width + 1:
		return 3
	case width - 1:
		return 4
	}
	return distance + nearCodes
}

// prefixed splits a length or distance code into its prefix symbol and extra bits.
func prefixed(value int) (symbol int, extra uint64, extraBits uint) {
	if value <= 4 {
		return value - 1, 0, 0
	}
	value--
	high := uint(0)
	for value>>(high+1) != 0 {
		high++
	}
	extraBits = high - 1
	return 2*int(high) + value>>extraBits&1, uint64(value & (1<<extraBits - 1)), extraBits
}
