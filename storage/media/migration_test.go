package media_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A move replaces the identifier, its details and the mark together; one that cannot replace the
// identifier changes nothing.
func TestMoveIdentifier(t *testing.T) {
	const seen = `SELECT (SELECT string_agg(identifier, ',' ORDER BY identifier) FROM hashes), (SELECT string_agg(motion_identifier, ',') FROM hashes),
		(SELECT string_agg(identifier, ',') FROM variants), (SELECT string_agg(identifier, ',' ORDER BY identifier) FROM details),
		(SELECT string_agg(old_identifier || '>' || new_identifier, ',' ORDER BY old_identifier) FROM moves)`
	original, motion, variant := mediav1.MoveIdentifierRequest_ORIGINAL, mediav1.MoveIdentifierRequest_MOTION, mediav1.MoveIdentifierRequest_VARIANT
	inWith := func(q querySet) querySet { // a form that cannot be nested in the statement that counts its rows
		return q.with("hashes.update_identifier_query", "WITH u AS (UPDATE hashes SET identifier = @identifier WHERE hash = @hash RETURNING 1)\nSELECT count(*) AS affected FROM u")
	}
	for name, set := range map[string]querySet{"passes over": full(t), "raises": raising(t), "nests its update": inWith(full(t))} {
		t.Run("a set that "+name, func(t *testing.T) {
			s := open(t, set)
			n := names("m")
			n.saved(t, s, 1)
			ok[*mediav1.RelateVariantResponse](t)(s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: n.hash(1), Variant: "v", Identifier: "v", Details: proto.String("{}")}))
			ok[*mediav1.Affected](t)(s.hashes.RelateMotionIdentifier(t.Context(), &mediav1.HashAndIdentifier{Hash: n.hash(1), Identifier: "s"}))
			for _, c := range []struct {
				name     string
				kind     mediav1.MoveIdentifierRequest_Kind
				hash     int
				old, new string
				details  *string
				code     codes.Code
				reason   fault.Reason
				want     string
			}{
				{"of a hash that is not there", original, 2, "m/file/1", "x", proto.String("{}"), codes.NotFound, fault.DoesNotExist, "m/file/1|s|v|m/file/1,v|-"},
				{"of a still image that is not there", motion, 2, "s", "x", proto.String("{}"), codes.NotFound, fault.DoesNotExist, "m/file/1|s|v|m/file/1,v|-"},
				{"of a variant without hash", variant, 2, "v", "x", proto.String("{}"), codes.NotFound, fault.DoesNotExist, "m/file/1|s|v|m/file/1,v|-"},
				{"of no kind", 7, 1, "v", "x", nil, codes.InvalidArgument, fault.InvalidArgument, "m/file/1|s|v|m/file/1,v|-"},
				{"of the original", original, 1, "m/file/1", "o", proto.String("{}"), codes.OK, "", "o|s|v|o,v|m/file/1>o"},
				{"of the original again", original, 1, "m/file/1", "o", proto.String("{}"), codes.OK, "", "o|s|v|o,v|m/file/1>o"},
				{"of the still image", motion, 1, "s", "t", nil, codes.OK, "", "o|t|v|o,v|m/file/1>o,s>t"},
				{"of the variant", variant, 1, "v", "w", nil, codes.OK, "", "o|t|w|o|m/file/1>o,s>t,v>w"},
				{"to the same place", original, 1, "o", "o", nil, codes.OK, "", "o|t|w|o|m/file/1>o,o>o,s>t,v>w"},
			} {
				_, err := s.migrations.MoveIdentifier(t.Context(), &mediav1.MoveIdentifierRequest{Kind: c.kind, Hash: n.hash(c.hash), Variant: "v",
					OldIdentifier: c.old, NewIdentifier: c.new, Details: c.details})
				expect(t, err, c.code, c.reason, "")
				if got := s.selected(t, seen); got != c.want {
					t.Errorf("%s: %s; expected %s", c.name, got, c.want)
				}
			}
		})
	}
}
