package server

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// invalidQuery is the code of arguments that are not understood.
const invalidQuery host.Code = "invalid-query"

// sourceOf reads which original a request is about.
func sourceOf(r *http.Request, names ...string) (host.Source, error) {
	if alias := r.PathValue("alias"); alias != "" {
		return host.Source{Alias: alias}, nil
	}
	query := r.URL.Query()
	source := host.Source{URL: query.Get("proxy")}
	given := 0
	for _, name := range append([]string{"alias"}, names...) {
		if query.Get(name) != "" {
			source.Alias = query.Get(name)
			given++
		}
	}
	if source.URL != "" {
		given++
	}
	if given != 1 {
		return host.Source{}, refuse(http.StatusBadRequest, invalidQuery,
			"the query needs exactly one of %s and proxy", strings.Join(append(names, "alias"), ", "))
	}
	return source, nil
}

// processOf reads which variant of which original a request is about. file is the last part of the
// path: a name, a dot, and the format.
func processOf(r *http.Request, extension string) (host.Source, picture.Process, error) {
	arguments, err := picture.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return host.Source{}, picture.Process{}, err
	}
	p, err := picture.ParseProcess(arguments, extension)
	if err != nil {
		return host.Source{}, picture.Process{}, err
	}
	source, err := sourceOf(r, "src")
	return source, p, err
}

// uploadOptions reads limits and operations from the query of an upload. Limits can only become
// tighter; max_file_size is in MiB. Arguments that are named in others belong to somebody else, and
// unknown ones are refused: a limit that is misspelt would not hold.
func uploadOptions(r *http.Request, limits picture.Limits, others ...string) (host.IngestOptions, error) {
	options := host.IngestOptions{Limits: &limits}
	arguments, err := picture.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return options, err
	}
	known := map[string]func(string) bool{
		"max_width":       tightened(&limits.MaxWidth, 1),
		"max_height":      tightened(&limits.MaxHeight, 1),
		"max_area":        tightened(&limits.MaxArea, 1),
		"max_frame_count": tightened(&limits.MaxFrames, 1),
		"max_file_size":   tightened(&limits.MaxBytes, 1<<20),
		"allow_image":     forbidden(&limits.AllowImage),
		"allow_animation": forbidden(&limits.AllowAnimation),
		"allow_video":     forbidden(&limits.AllowVideo),
	}
	for _, other := range others {
		known[other] = func(string) bool { return true }
	}
	for _, argument := range arguments {
		if picture.IsOperation(argument.Key) {
			options.Operations = append(options.Operations, argument)
			continue
		}
		take, ok := known[argument.Key]
		if !ok {
			return options, refuse(http.StatusBadRequest, invalidQuery, "the query has an unknown argument")
		}
		if !take(argument.Value) {
			return options, refuse(http.StatusBadRequest, invalidQuery, "the value of %s is not understood", argument.Key)
		}
	}
	return options, nil
}

// maxNumber keeps products with a unit from overflowing.
const maxNumber = 1 << 40

// tightened reads a number, in a unit, into a limit that may only become smaller. A limit of 0 or less
// is none.
func tightened[N int | int64](limit *N, unit N) func(string) bool {
	return func(text string) bool {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil || number < 1 || number > maxNumber {
			return false
		}
		if value := N(number) * unit; *limit <= 0 || value < *limit {
			*limit = value
		}
		return true
	}
}

// forbidden reads whether something is allowed, if it is allowed at all.
func forbidden(allowed *bool) func(string) bool {
	return func(text string) bool {
		value, err := strconv.ParseBool(text)
		*allowed = *allowed && value
		return err == nil
	}
}

// flag reads an argument that is true or false; without it, it is false.
func flag(query url.Values, name string) (bool, error) {
	if !query.Has(name) {
		return false, nil
	}
	value, err := strconv.ParseBool(query.Get(name))
	if err != nil {
		return false, refuse(http.StatusBadRequest, invalidQuery, "%s is true or false", name)
	}
	return value, nil
}
