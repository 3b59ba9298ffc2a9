package query

import (
	"encoding/binary"
	"errors"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mortise-storage/mortise/storage/operation"
)

// fieldCodec returns the codec for a parameter or column, whether it is an array or not.
func fieldCodec(f *operation.Field, t *dbType) (codec, bool) {
	if !f.List {
		return codecFor(f.Kind, t)
	}
	if t.Element == nil || t.format() == pgtype.TextFormatCode {
		return codec{}, false
	}
	element, ok := codecFor(f.Kind, t.Element)
	if !ok {
		return codec{}, false
	}
	return codec{encode: encodeArray(element.encode, t.Element.OID), decode: decodeArray(element.decode)}, true
}

// encodeArray writes PostgreSQL's binary form of a one-dimensional array: the number of dimensions,
// whether there are NULLs, the elements' type, length and lower bound, then each element with its
// length (array_send in the server's arrayfuncs.c). The driver's own array plan looks types up in a
// map that may not be shared between goroutines, so it is not used here.
func encodeArray(encode encoder, elementOID uint32) encoder {
	return func(v *operation.Value, buf []byte) ([]byte, error) {
		dimensions := int32(1)
		if len(v.List) == 0 {
			dimensions = 0
		}
		buf = binary.BigEndian.AppendUint32(buf, uint32(dimensions))
		buf = binary.BigEndian.AppendUint32(buf, 0)
		buf = binary.BigEndian.AppendUint32(buf, elementOID)
		if dimensions == 0 {
			return buf, nil
		}
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(v.List)))
		buf = binary.BigEndian.AppendUint32(buf, 1)
		for i := range v.List {
			at := len(buf)
			buf = binary.BigEndian.AppendUint32(buf, 0)
			var err error
			if buf, err = encode(&v.List[i], buf); err != nil {
				return nil, err
			}
			binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
		}
		return buf, nil
	}
}

var errArray = errors.New("is not an array of one dimension without NULL")

func decodeArray(decode decoder) decoder {
	return func(wire []byte, v *operation.Value) error {
		if len(wire) < 12 {
			return errArray
		}
		dimensions := binary.BigEndian.Uint32(wire)
		if dimensions == 0 {
			v.List = nil
			return nil
		}
		if dimensions != 1 || len(wire) < 20 {
			return errArray
		}
		n := binary.BigEndian.Uint32(wire[12:])
		wire = wire[20:]
		v.List = make([]operation.Value, 0, min(int(n), len(wire)))
		for range n {
			if len(wire) < 4 {
				return errArray
			}
			size := int32(binary.BigEndian.Uint32(wire))
			if size < 0 || int(size) > len(wire)-4 {
				return errArray
			}
			var element operation.Value
			if err := decode(wire[4:4+size], &element); err != nil {
				return err
			}
			v.List = append(v.List, element)
			wire = wire[4+size:]
		}
		return nil
	}
}
