package literal

import (
	"encoding/json"
	"errors"
	"strings"
)

// An element is one of a list; quoted says that it was written as a JSON string.
type element struct {
	text   string
	quoted bool
}

var errQuotes = errors.New(`must be elements separated by commas; one with a comma or quotation mark in it is a JSON string: "a,b"`)

// split takes a list apart.
func split(text string) ([]element, error) {
	rest := strings.TrimSpace(text)
	if rest == "" {
		return nil, nil
	}
	var elements []element
	for {
		e, after, err := next(rest)
		if err != nil {
			return nil, err
		}
		elements = append(elements, e)
		if after == "" {
			return elements, nil
		}
		rest = strings.TrimLeft(after[1:], " \t\r\n")
	}
}

// next reads one element; after begins with the comma behind it, or is empty.
func next(text string) (e element, after string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexByte(text, ',')
		if end < 0 {
			end = len(text)
		}
		return element{text: strings.TrimSpace(text[:end])}, text[end:], nil
	}
	end := closing(text)
	if end < 0 || json.Unmarshal([]byte(text[:end]), &e.text) != nil {
		return element{}, "", errQuotes
	}
	after = strings.TrimLeft(text[end:], " \t\r\n")
	if after != "" && after[0] != ',' {
		return element{}, "", errQuotes
	}
	e.quoted = true
	return e, after, nil
}

// closing returns the place behind the quotation mark that ends the string with which the text begins; -1
// if there is none.
func closing(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}
