package literal

import (
	"strconv"
	"strings"

	"github.com/mortise-storage/mortise/storage/operation"
)

// Example writes a value that the contract allows for a parameter: for command lines that a person completes.
// It is the same at each call.
func Example(p *operation.Parameter) string {
	text := exampleOne(&p.Field)
	if p.List && !plainElement(text) {
		return quote(text)
	}
	return text
}

// ExampleWords writes name=value for all parameters of an operation that a call by hand must give.
func ExampleWords(op *operation.Operation) []string {
	var words []string
	for _, p := range op.Parameters {
		if Required(p) {
			words = append(words, p.Name+"="+Example(p))
		}
	}
	return words
}

func exampleOne(f *operation.Field) string {
	switch f.Kind {
	case operation.Bytes:
		return exampleBytes(exampleLength(f, 4))
	case operation.Text:
		if words := f.Rules.GetValues(); len(words) > 0 {
			return words[0]
		}
		return strings.Repeat("example", exampleLength(f, 7)/7+1)[:exampleLength(f, 7)]
	case operation.Int:
		return strconv.FormatInt(exampleInt(f), 10)
	case operation.Float:
		return "0.5"
	case operation.Bool:
		return "true"
	case operation.Time:
		return "now"
	case operation.Addr:
		return "192.0.2.1" // RFC 5737: for documentation
	case operation.UUID:
		return "123e4567-e89b-12d3-a456-426614174000"
	case operation.JSON:
		return "{}"
	}
	return ""
}

func exampleLength(f *operation.Field, wanted int) int {
	if f.Rules == nil {
		return wanted
	}
	if lengths := f.Rules.GetLength(); len(lengths) > 0 {
		return int(lengths[0])
	}
	if f.Rules.MaxLength != nil {
		wanted = min(wanted, int(*f.Rules.MaxLength))
	}
	return max(wanted, int(f.Rules.GetMinLength()))
}

// exampleBytes counts up, so that it is seen at once that the value is made up.
func exampleBytes(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%15+1) * 0x11
	}
	return formatBytes(b)
}

func exampleInt(f *operation.Field) int64 {
	n := int64(10)
	if f.Rules == nil {
		return n
	}
	if f.Rules.Max != nil {
		n = min(n, *f.Rules.Max)
	}
	if f.Rules.Min != nil {
		n = max(n, *f.Rules.Min)
	}
	return n
}
