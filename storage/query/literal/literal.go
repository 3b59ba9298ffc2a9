// Package literal is values as people write and read them: on a command line, in tables, in JSON.
//
// What may be written follows from the field's kind alone, so the package knows no operation. It must
// not know databases: which types fit a value is decided when a statement is described.
//
// The forms, by kind:
//
//	bytes  hexadecimal digits, with 0x or \x in front if you like; text:WORD is WORD in UTF-8
//	text   as it stands; text:WORD is WORD, for words that mean something else here
//	int    decimal digits
//	float  a decimal number, with an exponent if need be; also NaN, Infinity and -Infinity
//	bool   true, yes, on, t, y, 1; false, no, off, f, n, 0
//	time   RFC 3339 (2024-07-01T12:00:00Z); a date or date and time without offset are UTC; a number is
//	       Unix seconds; now, now-31m, now+1h30m
//	addr   an IP address
//	uuid   32 hexadecimal digits, with or without hyphens
//	json   JSON; text:null is its null where the field may be NULL
//
// The word null, in capitals or not, is NULL where the field is optional.
//
// A list is its elements separated by commas; nothing at all is the empty list. Spaces around an element
// do not belong to it. An element that has a comma, a quotation mark or a space at its ends in it is written
// as a JSON string: "a,b". A text, too, may be written as a JSON string: "line\nline"; one that only begins
// with a quotation mark is written text:"so.
//
// No error holds a value.
package literal

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/storage/operation"
)

// asText stands in front of what is to be taken as text as it stands.
const asText = "text:"

// Parse reads a value for a parameter. It knows the kind; the contract's rules for the parameter (lengths,
// ranges) are checked when the value is stored in a request. The error says what is expected, and never holds
// the text.
func Parse(p *operation.Parameter, text string) (operation.Value, error) {
	return reader{now: time.Now}.field(&p.Field, text)
}

// A reader reads values at a time.
type reader struct {
	now func() time.Time
}

func (r reader) field(f *operation.Field, text string) (operation.Value, error) {
	if !f.List {
		return r.one(f, text)
	}
	elements, err := split(text)
	if err != nil {
		return operation.Value{}, err
	}
	v := operation.Value{List: make([]operation.Value, len(elements))}
	single := *f
	single.List, single.Optional = false, false
	for i, element := range elements {
		if f.Kind == operation.Text && element.quoted {
			v.List[i] = operation.Value{Text: element.text}
			continue
		}
		if v.List[i], err = r.one(&single, element.text); err != nil {
			return operation.Value{}, fmt.Errorf("element %d %w", i+1, err)
		}
	}
	return v, nil
}

func (r reader) one(f *operation.Field, text string) (operation.Value, error) {
	if f.Optional && strings.EqualFold(text, "null") {
		return operation.Value{Null: true}, nil
	}
	var v operation.Value
	var err error
	switch f.Kind {
	case operation.Bytes:
		v.Bytes, err = readBytes(text)
	case operation.Text:
		v.Text, err = readText(text)
	case operation.Int:
		v.Int, err = readInt(text)
	case operation.Float:
		v.Float, err = readFloat(text)
	case operation.Bool:
		v.Bool, err = readBool(text)
	case operation.Time:
		v.Time, err = r.time(text)
	case operation.Addr:
		v.Addr, err = readAddr(text)
	case operation.UUID:
		v.Bytes, err = readUUID(text)
	case operation.JSON:
		v.Bytes, err = readJSON(text)
	default:
		err = fmt.Errorf("is %s, which cannot be written on a command line", f.Kind)
	}
	if err != nil {
		return operation.Value{}, err
	}
	return v, nil
}

func readBytes(text string) ([]byte, error) {
	if plain, ok := strings.CutPrefix(text, asText); ok {
		return []byte(plain), nil
	}
	digits := text
	for _, prefix := range []string{"0x", "0X", `\x`, `\X`} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			digits = rest
			break
		}
	}
	decoded, err := hex.DecodeString(digits)
	switch {
	case errors.Is(err, hex.ErrLength):
		return nil, errors.New("must be an even number of hexadecimal digits; for a text in UTF-8 write text: in front of it")
	case err != nil:
		return nil, errors.New("must be hexadecimal digits, with 0x in front if you like; for a text in UTF-8 write text: in front of it")
	}
	return decoded, nil
}

func readText(text string) (string, error) {
	if plain, ok := strings.CutPrefix(text, asText); ok {
		return plain, nil
	}
	if !strings.HasPrefix(text, `"`) {
		return text, nil
	}
	var plain string
	if json.Unmarshal([]byte(text), &plain) != nil {
		return "", errors.New("begins with a quotation mark and is no JSON string; write text: in front of it if it is meant as it stands")
	}
	return plain, nil
}

func readInt(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("must fit into 64 bits")
	case err != nil:
		return 0, errors.New("must be a whole number, in decimal digits")
	}
	return n, nil
}

func readFloat(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("is larger than a number of double precision can be")
	case err != nil:
		return 0, errors.New("must be a number, as in 12.5 or 1e9")
	}
	return n, nil
}

// truths are the words that PostgreSQL takes for a boolean, written out.
var truths = map[string]bool{
	"true": true, "t": true, "yes": true, "y": true, "on": true, "1": true,
	"false": false, "f": false, "no": false, "n": false, "off": false, "0": false,
}

func readBool(text string) (bool, error) {
	truth, known := truths[strings.ToLower(text)]
	if !known {
		return false, errors.New("must be true or false")
	}
	return truth, nil
}

var errTime = errors.New("must be a time: 2024-07-01T12:00:00Z, Unix seconds, now, or now-31m")

// timeLayouts are tried in order; those without an offset are in UTC.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly}

// time reads an instant, in the microseconds that the database keeps.
func (r reader) time(text string) (time.Time, error) {
	if rest, ok := strings.CutPrefix(text, "now"); ok {
		now := r.now().UTC().Truncate(time.Microsecond)
		if rest == "" {
			return now, nil
		}
		if rest[0] != '+' && rest[0] != '-' {
			return time.Time{}, errTime
		}
		shift, err := time.ParseDuration(rest)
		if err != nil {
			return time.Time{}, errors.New("must be now, and behind + or - a duration as in 90s, 31m or 1h30m")
		}
		return now.Add(shift).Truncate(time.Microsecond), nil
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Truncate(time.Microsecond), nil
		}
	}
	return readUnix(text)
}

// readUnix reads seconds since 1970, with a fraction if there is one. The range of years that a time may be
// in is the contract's affair; here a number only has to be one that can be reckoned with.
func readUnix(text string) (time.Time, error) {
	const most = 1 << 40 // beyond the year 9999
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(fraction, "0123456789") != "" || seconds > most || seconds < -most {
		return time.Time{}, errTime
	}
	micros, _ := strconv.ParseInt((fraction + "000000")[:6], 10, 64)
	if strings.HasPrefix(whole, "-") {
		micros = -micros
	}
	return time.Unix(seconds, micros*1000).UTC(), nil
}

func readAddr(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return netip.Addr{}, errors.New("must be an IP address, as in 192.0.2.1 or 2001:db8::1")
	case addr.Zone() != "":
		return netip.Addr{}, errors.New("must be an IP address without a zone")
	}
	return addr.Unmap(), nil
}

func readUUID(text string) ([]byte, error) {
	digits := text
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		digits = strings.ReplaceAll(text, "-", "")
	}
	decoded, err := hex.DecodeString(digits)
	if err != nil || len(decoded) != 16 {
		return nil, errors.New("must be a UUID, as in 123e4567-e89b-12d3-a456-426614174000")
	}
	return decoded, nil
}

func readJSON(text string) ([]byte, error) {
	raw := []byte(strings.TrimPrefix(text, asText))
	if !json.Valid(raw) {
		return nil, errors.New("must be JSON; mind that a string needs quotation marks of its own inside those of the shell")
	}
	return raw, nil
}

// isFinite says whether JSON has a number for it.
func isFinite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }
