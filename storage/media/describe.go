package media

import (
	"context"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// maxDescribed is how many hashes one call describes at most: a page's.
const maxDescribed = maxPage

// Describe implements the method of the API: one round trip, or two without a query of its own.
func (s hashes) Describe(ctx context.Context, request *mediav1.DescribeRequest) (*mediav1.DescribeResponse, error) {
	if n := len(request.GetHashes()); n > maxDescribed {
		return nil, invalid("hashes must hold at most %d, not %d", maxDescribed, n)
	}
	v := s.begin()
	d := &descriptions{view: v, byHash: map[string]*mediav1.HashDescription{}}
	for _, hash := range request.GetHashes() {
		if d.byHash[string(hash)] == nil { // a hash that is asked for twice is described once
			d.byHash[string(hash)] = &mediav1.HashDescription{Hash: hash}
			d.hashes = append(d.hashes, hash)
		}
	}
	var err error
	if v.configured(mediav1.Operations_HashDescribe_FullMethodName) {
		err = d.joined(ctx)
	} else {
		err = d.oneByOne(ctx)
	}
	if err != nil {
		return nil, err
	}
	response := &mediav1.DescribeResponse{}
	for _, hash := range request.GetHashes() {
		response.Hashes = append(response.Hashes, d.byHash[string(hash)])
	}
	return response, nil
}

// descriptions are filled in by one query or by many.
type descriptions struct {
	view
	hashes [][]byte
	byHash map[string]*mediav1.HashDescription
}

// joined asks for everything at once.
func (d *descriptions) joined(ctx context.Context) error {
	call, err := d.Call(mediav1.Operations_HashDescribe_FullMethodName, &mediav1.DescribeParameters{Hashes: d.hashes})
	if err != nil || len(d.hashes) == 0 {
		return err
	}
	if err := d.read(ctx, call); err != nil {
		return err
	}
	for _, row := range query.RowsOf[*mediav1.DescribeRow](call) {
		one := d.byHash[string(row.GetHash())]
		if one == nil {
			d.BadRow(call.Statement.Operation, "hash", "was not asked for")
			continue
		}
		if row.Alias != nil {
			one.Aliases = append(one.Aliases, row.GetAlias())
		}
		if row.Identifier != nil {
			one.Identifier = row.Identifier
		}
		if row.Details != nil {
			one.Details = row.Details
		}
	}
	return nil
}

// oneByOne asks for the aliases and the identifier of each hash, then for the details of each identifier.
// All calls of a round trip are one group: without one of them there is no answer.
func (d *descriptions) oneByOne(ctx context.Context) error {
	aliases, identifiers := make([]*query.Call, len(d.hashes)), make([]*query.Call, len(d.hashes))
	for i, hash := range d.hashes {
		var err error
		if aliases[i], err = d.aliasesOf(hash); err != nil {
			return err
		}
		if identifiers[i], err = d.identifierOf(hash); err != nil {
			return err
		}
	}
	if len(d.hashes) == 0 {
		_, err := d.identifierOf([]byte{0}) // nothing to do, which is refused all the same where hashes are off
		return err
	}
	flight := query.Calls(append(aliases[:len(aliases):len(aliases)], identifiers...)...)
	d.Run(ctx, flight)
	if err := flight.Err(); err != nil {
		return err
	}
	for i, hash := range d.hashes {
		one := d.byHash[string(hash)]
		for _, alias := range query.RowsOf[*mediav1.Alias](aliases[i]) {
			one.Aliases = append(one.Aliases, alias.GetAlias())
		}
		if identifiers[i].Found() {
			one.Identifier = proto.String(identifierIn(identifiers[i]))
		}
	}
	return d.details(ctx)
}

// details asks for those of the identifiers that are known; none where the group is off.
func (d *descriptions) details(ctx context.Context) error {
	if !d.configured(mediav1.Details_Get_FullMethodName) {
		return nil
	}
	calls := map[*mediav1.HashDescription]*query.Call{}
	flight := query.Calls()
	for _, one := range d.byHash {
		if one.Identifier == nil {
			continue
		}
		call, err := d.Call(mediav1.Details_Get_FullMethodName, &mediav1.IdentifierRequest{Identifier: one.GetIdentifier()})
		if err != nil {
			return err
		}
		calls[one] = call
		flight.Groups[0] = append(flight.Groups[0], call)
	}
	if len(calls) == 0 {
		return nil
	}
	d.Run(ctx, flight)
	for one, call := range calls {
		if call.Found() {
			one.Details = proto.String(first[*mediav1.DetailsResponse](call).GetDetails())
		}
	}
	return flight.Err()
}
