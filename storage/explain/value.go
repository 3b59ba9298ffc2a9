package explain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mortise-storage/mortise/storage/operation"
)

// valueOf makes a value of a field's kind from what the driver decoded; false if it does not fit.
func valueOf(f *operation.Field, decoded any) (operation.Value, bool) {
	if decoded == nil {
		return operation.Value{Null: true}, true
	}
	if !f.List {
		return scalarOf(f.Kind, decoded)
	}
	elements, ok := decoded.([]any)
	if !ok {
		return operation.Value{}, false
	}
	v := operation.Value{List: []operation.Value{}}
	for _, element := range elements {
		one, ok := scalarOf(f.Kind, element)
		if !ok || element == nil {
			return operation.Value{}, false
		}
		v.List = append(v.List, one)
	}
	return v, len(v.List) > 0
}

func scalarOf(kind operation.Kind, decoded any) (operation.Value, bool) {
	switch kind {
	case operation.Bytes:
		return bytesOf(decoded)
	case operation.UUID:
		if text, ok := decoded.(string); ok {
			var u pgtype.UUID
			err := u.Scan(text)
			return operation.Value{Bytes: u.Bytes[:]}, err == nil
		}
		return bytesOf(decoded)
	case operation.Text:
		v, ok := bytesOf(decoded)
		return operation.Value{Text: string(v.Bytes)}, ok && utf8.Valid(v.Bytes)
	case operation.JSON:
		v, ok := bytesOf(decoded)
		return v, ok && json.Valid(v.Bytes)
	case operation.Int:
		n, ok := intOf(decoded)
		return operation.Value{Int: n}, ok
	case operation.Float:
		return floatOf(decoded)
	case operation.Bool:
		b, ok := decoded.(bool)
		return operation.Value{Bool: b}, ok
	case operation.Time:
		if t, ok := decoded.(time.Time); ok {
			return operation.Value{Time: t.UTC()}, true
		}
		n, ok := intOf(decoded) // Unix seconds
		return operation.Value{Time: time.Unix(n, 0).UTC()}, ok
	case operation.Addr:
		return addrOf(decoded)
	}
	return operation.Value{}, false
}

func bytesOf(decoded any) (operation.Value, bool) {
	switch d := decoded.(type) {
	case []byte:
		return operation.Value{Bytes: d}, true
	case string:
		return operation.Value{Bytes: []byte(d)}, true
	case [16]byte:
		return operation.Value{Bytes: d[:]}, true
	}
	return operation.Value{}, false
}

func intOf(decoded any) (int64, bool) {
	switch d := decoded.(type) {
	case int16:
		return int64(d), true
	case int32:
		return int64(d), true
	case int64:
		return d, true
	case pgtype.Numeric:
		i, err := d.Int64Value()
		return i.Int64, err == nil && i.Valid
	}
	return 0, false
}

func floatOf(decoded any) (operation.Value, bool) {
	switch d := decoded.(type) {
	case float32:
		return operation.Value{Float: float64(d)}, true
	case float64:
		return operation.Value{Float: d}, true
	case pgtype.Numeric:
		f, err := d.Float64Value()
		return operation.Value{Float: f.Float64}, err == nil && f.Valid
	}
	n, ok := intOf(decoded)
	return operation.Value{Float: float64(n)}, ok
}

func addrOf(decoded any) (operation.Value, bool) {
	var addr netip.Addr
	switch d := decoded.(type) {
	case netip.Prefix:
		addr = d.Addr()
	case []byte:
		addr, _ = netip.AddrFromSlice(d)
	case string:
		text, _, _ := strings.Cut(d, "/")
		addr, _ = netip.ParseAddr(text)
	}
	return operation.Value{Addr: addr.Unmap().WithZone("")}, addr.IsValid()
}

// textOf is a value as the server reads it in a comparison with a column of the kind's usual type.
func textOf(kind operation.Kind, v operation.Value) string {
	switch kind {
	case operation.Bytes:
		return `\x` + hex.EncodeToString(v.Bytes)
	case operation.UUID:
		return hex.EncodeToString(v.Bytes)
	case operation.Text:
		return v.Text
	case operation.JSON:
		return string(v.Bytes)
	case operation.Int:
		return fmt.Sprint(v.Int)
	case operation.Float:
		return fmt.Sprint(v.Float)
	case operation.Bool:
		return fmt.Sprint(v.Bool)
	case operation.Time:
		return v.Time.Format(time.RFC3339Nano)
	case operation.Addr:
		return v.Addr.String()
	}
	return ""
}

const (
	// inventedRows is what a parameter gets that says how many rows are wanted: as many peers or
	// entries of a list as a client usually asks for.
	inventedRows = 50
	// inventedAge is how long ago a time is that nothing is known about.
	inventedAge = 30 * time.Minute
)

// invent makes a value that the contract allows. It is the same in every run.
func (f *filling) invent(p *operation.Parameter) operation.Value {
	if p.List {
		list := operation.Value{}
		for i := range listLength {
			list.List = append(list.List, f.inventOne(p, fmt.Sprint(p.Name, i)))
		}
		return list
	}
	return f.inventOne(p, p.Name)
}

func (f *filling) inventOne(p *operation.Parameter, seed string) operation.Value {
	switch p.Kind {
	case operation.Bytes:
		return operation.Value{Bytes: noise(seed, length(p, 20))}
	case operation.UUID:
		return operation.Value{Bytes: noise(seed, 16)}
	case operation.Text:
		if values := p.Rules.GetValues(); len(values) > 0 {
			return operation.Value{Text: values[0]}
		}
		return operation.Value{Text: hex.EncodeToString(noise(seed, length(p, 20)))[:length(p, 20)]}
	case operation.JSON:
		return operation.Value{Bytes: []byte("{}")}
	case operation.Int:
		n := int64(1)
		if f.limits[p.Index] {
			n = inventedRows
		}
		if p.Rules != nil && p.Rules.Min != nil {
			n = max(n, *p.Rules.Min)
		}
		if p.Rules != nil && p.Rules.Max != nil {
			n = min(n, *p.Rules.Max)
		}
		return operation.Value{Int: n}
	case operation.Float:
		return operation.Value{Float: 1}
	case operation.Time:
		return operation.Value{Time: f.now.Add(-inventedAge)}
	case operation.Addr:
		return operation.Value{Addr: netip.AddrFrom4([4]byte{203, 0, 113, 1})} // RFC 5737: for examples
	}
	return operation.Value{}
}

// length is a length that the contract allows, the usual one if it may be anything.
func length(p *operation.Parameter, usual int) int {
	rules := p.Rules
	switch {
	case rules == nil:
		return usual
	case len(rules.Length) > 0:
		return int(rules.Length[0])
	case rules.MinLength != nil && usual < int(*rules.MinLength):
		return int(*rules.MinLength)
	case rules.MaxLength != nil && usual > int(*rules.MaxLength):
		return int(*rules.MaxLength)
	}
	return usual
}

// noise is n bytes that look like chance.
func noise(seed string, n int) []byte {
	var bytes []byte
	for i := 0; len(bytes) < n; i++ {
		sum := sha256.Sum256(fmt.Append(nil, seed, i))
		bytes = append(bytes, sum[:]...)
	}
	return bytes[:n]
}
