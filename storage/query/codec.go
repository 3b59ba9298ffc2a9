package query

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mortise-storage/mortise/storage/operation"
)

// An encoder appends a value's wire form to a buffer.
type encoder func(v *operation.Value, buf []byte) ([]byte, error)

// A decoder reads a wire form into a value. The value may refer to the wire form's memory.
type decoder func(wire []byte, v *operation.Value) error

// A codec translates between a kind and a type of the database.
type codec struct {
	encode encoder
	decode decoder
}

// errDoesNotFit says that a value is outside of what the database's type can hold. It never holds
// the value.
var errDoesNotFit = errors.New("the value does not fit the type")

// codecFor returns the codec for a kind and a type, or false if the type cannot hold the kind. The
// table is that of the design: several types for each kind, so that one query text fits many schemas.
func codecFor(kind operation.Kind, t *dbType) (codec, bool) {
	switch kind {
	case operation.Bytes:
		return bytesCodec(t)
	case operation.Text:
		return textCodec(t)
	case operation.Int:
		return intCodec(t)
	case operation.Float:
		return floatCodec(t)
	case operation.Bool:
		return boolCodec(t)
	case operation.Time:
		return timeCodec(t)
	case operation.Addr:
		return addrCodec(t)
	case operation.UUID:
		return uuidCodec(t)
	case operation.JSON:
		return jsonCodec(t)
	}
	return codec{}, false
}

// The driver's plans are made once per type and Go value; making one changes the map that caches
// them, so that is locked. The plans themselves are safe to share.
var (
	driverMu  sync.Mutex
	driverMap = pgtype.NewMap()
)

func encodePlan[T any](t *dbType) func(value T, buf []byte) ([]byte, error) {
	driverMu.Lock()
	defer driverMu.Unlock()
	var sample T
	plan := driverMap.PlanEncode(wireOID(t), pgtype.BinaryFormatCode, sample)
	return func(value T, buf []byte) ([]byte, error) { return plan.Encode(value, buf) }
}

func scanPlan[T any](t *dbType) func(wire []byte, target *T) error {
	driverMu.Lock()
	defer driverMu.Unlock()
	var sample T
	plan := driverMap.PlanScan(wireOID(t), pgtype.BinaryFormatCode, &sample)
	return func(wire []byte, target *T) error { return plan.Scan(wire, target) }
}

// wireOID is the built-in type whose wire form the type has: a domain's base.
func wireOID(t *dbType) uint32 {
	for oid, b := range builtin {
		if b.Element == nil && b.class == t.class {
			return oid
		}
	}
	return t.OID
}

func bytesCodec(t *dbType) (codec, bool) {
	raw := codec{
		encode: func(v *operation.Value, buf []byte) ([]byte, error) { return append(buf, v.Bytes...), nil },
		decode: func(wire []byte, v *operation.Value) error { v.Bytes = wire; return nil },
	}
	switch t.class {
	case classBytea:
		return raw, true
	case classText:
		raw.encode = func(v *operation.Value, buf []byte) ([]byte, error) {
			if !utf8.Valid(v.Bytes) {
				return nil, errDoesNotFit
			}
			return append(buf, v.Bytes...), nil
		}
		return raw, true
	case classUUID:
		raw.encode = encodeUUID
		return raw, true
	}
	return codec{}, false
}

func encodeUUID(v *operation.Value, buf []byte) ([]byte, error) {
	if len(v.Bytes) != 16 {
		return nil, errDoesNotFit
	}
	return append(buf, v.Bytes...), nil
}

func textCodec(t *dbType) (codec, bool) {
	if t.class != classText && t.class != classBytea {
		return codec{}, false
	}
	return codec{
		encode: func(v *operation.Value, buf []byte) ([]byte, error) { return append(buf, v.Text...), nil },
		decode: func(wire []byte, v *operation.Value) error {
			if !utf8.Valid(wire) {
				return errors.New("is not valid UTF-8")
			}
			v.Text = string(wire)
			return nil
		},
	}, true
}

func intCodec(t *dbType) (codec, bool) {
	lowest, highest := int64(math.MinInt64), int64(math.MaxInt64)
	switch t.class {
	case classInt2:
		lowest, highest = math.MinInt16, math.MaxInt16
	case classInt4:
		lowest, highest = math.MinInt32, math.MaxInt32
	case classInt8:
	case classNumeric:
		return numericIntCodec(t), true
	default:
		return codec{}, false
	}
	encode, scan := encodePlan[int64](t), scanPlan[int64](t)
	return codec{
		encode: func(v *operation.Value, buf []byte) ([]byte, error) {
			if v.Int < lowest || v.Int > highest {
				return nil, errDoesNotFit
			}
			return encode(v.Int, buf)
		},
		decode: func(wire []byte, v *operation.Value) error { return scan(wire, &v.Int) },
	}, true
}

func numericIntCodec(t *dbType) codec {
	encode, scan := encodePlan[pgtype.Numeric](t), scanPlan[pgtype.Numeric](t)
	return codec{
		encode: func(v *operation.Value, buf []byte) ([]byte, error) {
			return encode(pgtype.Numeric{Int: big.NewInt(v.Int), Valid: true}, buf)
		},
		decode: func(wire []byte, v *operation.Value) error {
			var n pgtype.Numeric
			if err := scan(wire, &n); err != nil {
				return errors.New("cannot be read as a number")
			}
			i, err := n.Int64Value()
			if err != nil || !i.Valid {
				return errors.New("is not a whole number of 64 bits")
			}
			v.Int = i.Int64
			return nil
		},
	}
}

func floatCodec(t *dbType) (codec, bool) {
	switch t.class {
	case classFloat4, classFloat8, classNumeric:
	case classInt2, classInt4, classInt8:
		return wholeFloatCodec(t), true
	default:
		return codec{}, false
	}
	encode, scan := encodePlan[float64](t), scanPlan[float64](t)
	return codec{
		encode: func(v *operation.Value, buf []byte) ([]byte, error) { return encode(v.Float, buf) },
		decode: func(wire []byte, v *operation.Value) error { return scan(wire, &v.Float) },
	}, true
}

func boolCodec(t *dbType) (codec, bool) {
	if t.class != classBool {
		return codec{}, false
	}
	encode, scan := encodePlan[bool](t), scanPlan[bool](t)
	return codec{
		encode: func(v *operation.Value, buf []byte) ([]byte, error) { return encode(v.Bool, buf) },
		decode: func(wire []byte, v *operation.Value) error { return scan(wire, &v.Bool) },
	}, true
}

// wholeFloatCodec keeps floats in a type of integers, which holds those without a fraction.
func wholeFloatCodec(t *dbType) codec {
	whole, _ := intCodec(t)
	return codec{
		encode: func(v *operation.Value, buf []byte) ([]byte, error) {
			// The bounds are those of int64; 2^63 is the first float that is too large.
			if v.Float != math.Trunc(v.Float) || v.Float < math.MinInt64 || v.Float >= math.MaxInt64 {
				return nil, errDoesNotFit
			}
			return whole.encode(&operation.Value{Int: int64(v.Float)}, buf)
		},
		decode: func(wire []byte, v *operation.Value) error {
			err := whole.decode(wire, v)
			v.Float = float64(v.Int)
			return err
		},
	}
}

// timeCodec keeps one rule: the instant for timestamptz, the UTC wall clock for timestamp, Unix
// seconds for integers. Binding a time with another offset to a timestamp would store that offset's
// wall clock, so values are UTC here.
func timeCodec(t *dbType) (codec, bool) {
	switch t.class {
	case classTimestamptz, classTimestamp:
		encode, scan := encodePlan[time.Time](t), scanPlan[time.Time](t)
		return codec{
			encode: func(v *operation.Value, buf []byte) ([]byte, error) { return encode(v.Time.UTC(), buf) },
			decode: func(wire []byte, v *operation.Value) error {
				if err := scan(wire, &v.Time); err != nil {
					return errors.New("is not a finite time")
				}
				v.Time = v.Time.UTC()
				return nil
			},
		}, true
	case classInt4, classInt8:
		seconds, _ := intCodec(t)
		return codec{
			encode: func(v *operation.Value, buf []byte) ([]byte, error) {
				return seconds.encode(&operation.Value{Int: v.Time.Unix()}, buf)
			},
			decode: func(wire []byte, v *operation.Value) error {
				err := seconds.decode(wire, v)
				v.Time = time.Unix(v.Int, 0).UTC()
				return err
			},
		}, true
	}
	return codec{}, false
}

func addrCodec(t *dbType) (codec, bool) {
	switch t.class {
	case classInet:
		encode, scan := encodePlan[netip.Prefix](t), scanPlan[netip.Prefix](t)
		return codec{
			encode: func(v *operation.Value, buf []byte) ([]byte, error) {
				return encode(netip.PrefixFrom(v.Addr, v.Addr.BitLen()), buf)
			},
			decode: func(wire []byte, v *operation.Value) error {
				var prefix netip.Prefix
				if err := scan(wire, &prefix); err != nil {
					return errors.New("cannot be read as an address")
				}
				return setAddr(v, prefix)
			},
		}, true
	case classBytea:
		return codec{
			encode: func(v *operation.Value, buf []byte) ([]byte, error) { return append(buf, v.Addr.AsSlice()...), nil },
			decode: func(wire []byte, v *operation.Value) error {
				addr, ok := netip.AddrFromSlice(wire)
				if !ok {
					return errors.New("has neither 4 nor 16 bytes")
				}
				v.Addr = addr.Unmap()
				return nil
			},
		}, true
	case classText:
		return codec{
			encode: func(v *operation.Value, buf []byte) ([]byte, error) { return v.Addr.AppendTo(buf), nil },
			decode: decodeAddrText,
		}, true
	}
	return codec{}, false
}

func setAddr(v *operation.Value, prefix netip.Prefix) error {
	if prefix.Bits() != prefix.Addr().BitLen() {
		return errors.New("is a network, not an address")
	}
	v.Addr = prefix.Addr().Unmap().WithZone("")
	return nil
}

func decodeAddrText(wire []byte, v *operation.Value) error {
	text := string(wire)
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return setAddr(v, prefix)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return errors.New("is no address")
	}
	v.Addr = addr.Unmap().WithZone("")
	return nil
}

func uuidCodec(t *dbType) (codec, bool) {
	switch t.class {
	case classUUID, classBytea:
		return codec{encode: encodeUUID, decode: func(wire []byte, v *operation.Value) error { v.Bytes = wire; return nil }}, true
	case classText:
		return codec{
			encode: func(v *operation.Value, buf []byte) ([]byte, error) {
				if len(v.Bytes) != 16 {
					return nil, errDoesNotFit
				}
				b := v.Bytes
				return fmt.Appendf(buf, "%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]), nil
			},
			decode: func(wire []byte, v *operation.Value) error {
				var u pgtype.UUID
				if err := u.Scan(string(wire)); err != nil {
					return errors.New("is no UUID")
				}
				v.Bytes = u.Bytes[:]
				return nil
			},
		}, true
	}
	return codec{}, false
}

func jsonCodec(t *dbType) (codec, bool) {
	raw := codec{
		encode: func(v *operation.Value, buf []byte) ([]byte, error) { return append(buf, v.Bytes...), nil },
		decode: func(wire []byte, v *operation.Value) error { v.Bytes = wire; return nil },
	}
	switch t.class {
	case classJSON, classText, classBytea:
		return raw, true
	case classJSONB:
		// The binary form of jsonb is its text after a version byte.
		const version = 1
		return codec{
			encode: func(v *operation.Value, buf []byte) ([]byte, error) {
				return append(append(buf, version), v.Bytes...), nil
			},
			decode: func(wire []byte, v *operation.Value) error {
				if len(wire) == 0 || wire[0] != version {
					return errors.New("is jsonb of an unknown version")
				}
				v.Bytes = wire[1:]
				return nil
			},
		}, true
	}
	return codec{}, false
}
