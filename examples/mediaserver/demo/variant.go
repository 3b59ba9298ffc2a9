package demo

import (
	"fmt"
	"math"
	"net/url"
)

// A recipe is a variant that is asked for, of every picture.
type recipe struct {
	// query is what a client asks for, extension the format.
	query, extension string
	// stored is the name under which the server records it.
	stored string
	// fits says what becomes of a picture's dimensions.
	fits func(width, height int) (int, int)
}

var recipes = []recipe{
	{"resize=160", "webp", "resize/160/webp", inSquare(160)},
	{"thumbnail=96", "jpg", "thumbnail/96/jpg", inSquare(96)},
	{"crop=1x1&resize=120", "png", "crop/1x1/resize/120/png", func(width, height int) (int, int) {
		side := min(width, height, 120)
		return side, side
	}},
	{"blur=1.5&resize=128", "png", "blur/1.5/resize/128/png", inSquare(128)},
}

// url is the address of the variant of an alias.
func (r recipe) url(server, alias string) string {
	return fmt.Sprintf("%s/image/process.%s?src=%s&%s", server, r.extension, url.QueryEscape(alias), r.query)
}

// inSquare scales down, never up, until both sides fit, and keeps the proportions.
func inSquare(side int) func(width, height int) (int, int) {
	return func(width, height int) (int, int) {
		longest := max(width, height)
		if longest <= side {
			return width, height
		}
		scaled := func(n int) int { return max(1, int(math.Round(float64(n)*float64(side)/float64(longest)))) }
		return scaled(width), scaled(height)
	}
}

// recipeOf finds a recipe by what the server recorded.
func recipeOf(stored string) (recipe, bool) {
	for _, r := range recipes {
		if r.stored == stored {
			return r, true
		}
	}
	return recipe{}, false
}
