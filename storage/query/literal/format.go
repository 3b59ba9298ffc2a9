package literal

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/mortise-storage/mortise/storage/operation"
)

// Format writes a value as Parse reads it, on one line, without characters that move a terminal's cursor.
// Parse gives the same value again, but for the white space in JSON.
func Format(f *operation.Field, v *operation.Value) string {
	if v.Null {
		return "null"
	}
	if !f.List {
		return formatOne(f.Kind, v)
	}
	elements := make([]string, len(v.List))
	for i := range v.List {
		elements[i] = formatElement(f.Kind, &v.List[i])
	}
	return strings.Join(elements, ",")
}

func formatElement(kind operation.Kind, v *operation.Value) string {
	if kind == operation.Text {
		if !plainElement(v.Text) || strings.HasPrefix(v.Text, asText) {
			return quote(v.Text)
		}
		return v.Text
	}
	text := formatOne(kind, v)
	if !plainElement(text) {
		return quote(text)
	}
	return text
}

// plainElement says whether a list's element may stand there without quotation marks.
func plainElement(text string) bool {
	return text != "" && !strings.ContainsAny(text, `,"`) && strings.TrimSpace(text) == text && printable(text)
}

func formatOne(kind operation.Kind, v *operation.Value) string {
	switch kind {
	case operation.Bytes:
		return formatBytes(v.Bytes)
	case operation.Text:
		return formatText(v.Text)
	case operation.Int:
		return strconv.FormatInt(v.Int, 10)
	case operation.Float:
		return formatFloat(v.Float)
	case operation.Bool:
		return strconv.FormatBool(v.Bool)
	case operation.Time:
		return v.Time.UTC().Format(time.RFC3339Nano)
	case operation.Addr:
		return v.Addr.String()
	case operation.UUID:
		return formatUUID(v.Bytes)
	case operation.JSON:
		return formatJSON(v.Bytes)
	}
	return ""
}

// formatBytes leaves the prefix out, as it makes columns of hashes wider, where there are digits to see.
func formatBytes(b []byte) string {
	if len(b) == 0 {
		return "0x"
	}
	return hex.EncodeToString(b)
}

func formatText(text string) string {
	switch {
	case !printable(text):
		return quote(text)
	case strings.EqualFold(text, "null") || strings.HasPrefix(text, asText) || strings.HasPrefix(text, `"`):
		return asText + text
	}
	return text
}

func formatFloat(n float64) string {
	switch {
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

func formatUUID(b []byte) string {
	if len(b) != 16 {
		return formatBytes(b)
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// formatJSON puts JSON on one line, and is left with what is no JSON as a string.
func formatJSON(raw []byte) string {
	text := string(raw)
	if !json.Valid(raw) {
		return quote(text)
	}
	if !printable(text) {
		text = escapeJSON(text)
	}
	if strings.EqualFold(text, "null") || strings.HasPrefix(text, asText) {
		return asText + text
	}
	return text
}

// escapeJSON replaces white space between tokens by blanks, and other characters that cannot be seen, which
// can only be inside of strings, by escapes.
func escapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			writeEscape(&b, r)
		}
	}
	return b.String()
}

// printable says whether a text can be shown as it stands.
func printable(text string) bool {
	for _, r := range text {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// quote writes a text as a JSON string of printable characters.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			writeEscape(&b, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// writeEscape writes a character as JSON's \uXXXX, in two parts where it is beyond 16 bits.
func writeEscape(b *strings.Builder, r rune) {
	if high, low := utf16.EncodeRune(r); r > 0xffff {
		fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		return
	}
	fmt.Fprintf(b, `\u%04x`, r)
}

// JSON writes a value for programs: numbers, booleans and null as such, JSON as it is, lists as arrays,
// and everything else as the string that Format gives, but text as it stands. NaN and the infinities, for
// which JSON has no number, are strings.
func JSON(f *operation.Field, v *operation.Value) json.RawMessage {
	if v.Null {
		return json.RawMessage("null")
	}
	if !f.List {
		return jsonOne(f.Kind, v)
	}
	elements := make([]json.RawMessage, len(v.List))
	for i := range v.List {
		elements[i] = jsonOne(f.Kind, &v.List[i])
	}
	return encode(elements)
}

func jsonOne(kind operation.Kind, v *operation.Value) json.RawMessage {
	switch kind {
	case operation.Int:
		return encode(v.Int)
	case operation.Float:
		if isFinite(v.Float) {
			return encode(v.Float)
		}
	case operation.Bool:
		return encode(v.Bool)
	case operation.Text:
		return encode(v.Text)
	case operation.Bytes:
		return encode(hex.EncodeToString(v.Bytes))
	case operation.JSON:
		if json.Valid(v.Bytes) {
			return append(json.RawMessage{}, v.Bytes...)
		}
		return encode(string(v.Bytes))
	}
	return encode(formatOne(kind, v))
}

// encode writes values that JSON always has a form for.
func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}
