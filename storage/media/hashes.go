package media

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// Create implements the method of the API.
func (s hashes) Create(ctx context.Context, request *mediav1.CreateHashRequest) (*mediav1.CreateHashResponse, error) {
	v := s.begin()
	create, err := v.createHash(request.GetHash(), request.GetIdentifier(), request.GetCreatedAt())
	if err != nil {
		return nil, err
	}
	identifier, err := v.identifierOf(request.GetHash())
	if err != nil {
		return nil, err
	}
	err = v.insert(ctx, insertion{call: create, stored: []*query.Call{identifier}, same: func() bool {
		return identifier.Found() && identifierIn(identifier) == request.GetIdentifier()
	}})
	if err != nil {
		return nil, err
	}
	return &mediav1.CreateHashResponse{}, nil
}

func (v view) createHash(hash []byte, identifier string, createdAt *timestamppb.Timestamp) (*query.Call, error) {
	return v.Call(mediav1.Operations_HashCreate_FullMethodName, &mediav1.HashCreateParameters{
		Hash: hash, Identifier: identifier, CreatedAt: createdAt})
}

func (v view) identifierOf(hash []byte) (*query.Call, error) {
	return v.Call(mediav1.Hashes_Identifier_FullMethodName, &mediav1.HashRequest{Hash: hash})
}

// identifierIn is the answer of a call that asks for an identifier; "" if there is none.
func identifierIn(call *query.Call) string {
	return first[*mediav1.IdentifierResponse](call).GetIdentifier()
}

// Info implements the method of the API.
func (s hashes) Info(ctx context.Context, request *mediav1.HashRequest) (*mediav1.HashInfo, error) {
	v := s.begin()
	row, err := v.hashRow(request.GetHash())
	if err != nil {
		return nil, err
	}
	if err := v.read(ctx, row.calls...); err != nil {
		return nil, err
	}
	info := row.info()
	if info == nil {
		return nil, doesNotExist(row.calls[0].Statement.Operation.Key)
	}
	return info, nil
}

// A hashRow is the calls that read the whole row of a hash: one, or one for each column where the
// operator has no query for the row.
type hashRow struct {
	calls []*query.Call
	whole bool
}

func (v view) hashRow(hash []byte) (*hashRow, error) {
	row := &hashRow{whole: v.configured(mediav1.Operations_HashGet_FullMethodName)}
	methods := []string{mediav1.Operations_HashGet_FullMethodName}
	if !row.whole {
		methods = []string{mediav1.Hashes_Identifier_FullMethodName, mediav1.Hashes_MotionIdentifier_FullMethodName,
			mediav1.Hashes_Blurhash_FullMethodName, mediav1.Hashes_Bound_FullMethodName}
	}
	for _, method := range methods {
		call, err := v.Call(method, &mediav1.HashRequest{Hash: hash})
		if err != nil {
			return nil, err
		}
		row.calls = append(row.calls, call)
	}
	return row, nil
}

// info is the row; nil if there is none. Of the single columns either of those that are never NULL in
// a complete schema tells that there is one.
func (r *hashRow) info() *mediav1.HashInfo {
	if r.whole {
		return first[*mediav1.HashInfo](r.calls[0])
	}
	identifier, motion, blurhash, bound := r.calls[0], r.calls[1], r.calls[2], r.calls[3]
	if !identifier.Found() && !bound.Found() {
		return nil
	}
	info := &mediav1.HashInfo{Identifier: identifierIn(identifier), CreatedAt: first[*mediav1.BoundResponse](bound).GetCreatedAt()}
	if motion.Found() {
		info.MotionIdentifier = proto.String(first[*mediav1.MotionIdentifierResponse](motion).GetMotionIdentifier())
	}
	if blurhash.Found() {
		info.Blurhash = proto.String(first[*mediav1.BlurhashResponse](blurhash).GetBlurhash())
	}
	return info
}
