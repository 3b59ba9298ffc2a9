package picture

import (
	"net/url"
	"slices"
	"strings"
)

// KeyValue is one argument of a request's query.
type KeyValue struct{ Key, Value string }

// ParseQuery splits a raw query string (url.URL.RawQuery) into its arguments and keeps their order,
// which url.Values does not. Arguments that are not well-formed are an Error of CodeProcess.
func ParseQuery(raw string) ([]KeyValue, error) {
	var arguments []KeyValue
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		key, errKey := url.QueryUnescape(key)
		value, errValue := url.QueryUnescape(value)
		if errKey != nil || errValue != nil {
			return nil, refuse(CodeProcess, "an argument of the query is not well-formed: %% needs two hexadecimal digits after it")
		}
		arguments = append(arguments, KeyValue{key, value})
	}
	return arguments, nil
}

// maxOperations bounds the work one request can ask for.
const maxOperations = 8

// Process says how a variant is made from a picture: operations, in order, and the target format.
// Make one with ParseProcess or ParseVariant; the zero value makes nothing. It is safe for use by
// several goroutines.
type Process struct {
	operations []operation
	format     string
}

// operation is one step: a value that knows its canonical path and what it does to pixels.
type operation interface {
	// path is the operation's name and value, as in a variant: "resize/200".
	path() string
	transform
}

// sourceKeys name the picture in the same query as the operations and are passed over.
var sourceKeys = []string{"src", "alias", "proxy"}

// IsOperation says whether a query argument of this name is an operation for ParseProcess: for
// requests where operations and other arguments come mixed.
func IsOperation(key string) bool { return key == "identity" || parsers[key] != nil }

// ParseProcess reads the operations of a request, in their order, and the target format, a file
// name extension without a dot (see Formats).
//
//	identity          nothing
//	blur=<sigma>      Gaussian blur, sigma in pixels: 0.01 to 100
//	thumbnail=<px>    fit into a square of that many pixels a side, quickly
//	resize=<px>       the same with a good filter; resize=<filter>.<px> names it (lanczos,
//	                  lanczossharp, lanczos2, lanczos2sharp, mitchell, robidouxsharp; default
//	                  lanczos2); a before the number limits the area instead: resize=a40000
//	crop=<w>x<h>      the largest centred region of that ratio of width to height
//
// None scales up. The arguments that name the source (src, alias, proxy) are passed over; any
// other is an Error of CodeProcess, as is a bad value. A format that is not offered is one of
// CodeExtension.
func ParseProcess(query []KeyValue, format string) (Process, error) {
	p := Process{format: canonicalFormat(format)}
	if p.format == "" {
		return Process{}, refuse(CodeExtension, "the file extension is none of %s", strings.Join(Formats(), ", "))
	}
	for _, argument := range query {
		if slices.Contains(sourceKeys, argument.Key) || argument.Key == "identity" {
			continue
		}
		parse := parsers[argument.Key]
		if parse == nil {
			return Process{}, refuse(CodeProcess, "the query has an unknown operation; known are %s", operationNames)
		}
		if len(p.operations) == maxOperations {
			return Process{}, refuse(CodeProcess, "a variant has at most %d operations", maxOperations)
		}
		operation, err := parse(argument.Value)
		if err != nil {
			return Process{}, err
		}
		p.operations = append(p.operations, operation)
	}
	return p, nil
}

// Variant is the process as a path that ends with the target format, such as "resize/200/webp";
// "identity/png" if there is no operation. Processes that do the same for the same reason (another
// spelling of a number, the default filter named) have equal variants.
func (p Process) Variant() string {
	parts := make([]string, 0, len(p.operations)+2)
	for _, operation := range p.operations {
		parts = append(parts, operation.path())
	}
	if len(parts) == 0 {
		parts = append(parts, "identity")
	}
	return strings.Join(append(parts, p.format), "/")
}

// ParseVariant is the way back from Variant. It takes nothing but what Variant gives: everything
// else is an Error of CodeProcess (of CodeExtension if only the format is not offered).
func ParseVariant(variant string) (Process, error) {
	parts := strings.Split(variant, "/")
	format := parts[len(parts)-1]
	parts = parts[:len(parts)-1]
	var query []KeyValue
	switch {
	case len(parts) == 1 && parts[0] == "identity":
	case len(parts) > 0 && len(parts)%2 == 0:
		for pair := range slices.Chunk(parts, 2) {
			query = append(query, KeyValue{pair[0], pair[1]})
		}
	default:
		return Process{}, refuse(CodeProcess, "the variant is not a path of operations with their values and a format")
	}
	p, err := ParseProcess(query, format)
	if err != nil {
		return Process{}, err
	}
	if p.Variant() != variant {
		return Process{}, refuse(CodeProcess, "the variant is not in its canonical form")
	}
	return p, nil
}

// ContentType is the media type of what Run writes.
func (p Process) ContentType() string { return contentTypes[p.format] }

// Extension is the file name extension of what Run writes, without a dot: "jpg", never "jpeg".
func (p Process) Extension() string { return p.format }
