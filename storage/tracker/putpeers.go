package tracker

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

const (
	maxChanges = 10000
	chunkSize  = 500
)

// PutPeers implements the method of the API. Changes are sorted by the peer's key, so that two
// callers with the same peers lock rows in the same order and cannot deadlock.
func (s *Service) PutPeers(ctx context.Context, request *trackerv1.PutPeersRequest) (*trackerv1.PutPeersResponse, error) {
	if n := len(request.GetChanges()); n > maxChanges {
		return nil, invalid("changes must hold at most %d, not %d", maxChanges, n)
	}
	response := &trackerv1.PutPeersResponse{Results: make([]*trackerv1.PeerChangeResult, len(request.GetChanges()))}
	changes := collapse(request.GetChanges())
	v := s.begin()
	for chunk := range slices.Chunk(changes, chunkSize) {
		v.putChunk(ctx, chunk)
	}
	for _, c := range changes {
		result := &trackerv1.PeerChangeResult{Affected: c.affected}
		if c.err != nil {
			result = &trackerv1.PeerChangeResult{Error: failure(c.err)}
		}
		for _, i := range c.indices {
			response.Results[i] = result
		}
	}
	return response, nil
}

// A change is what is left of the changes of one peer.
type change struct {
	last    *trackerv1.PeerChange
	indices []int // in the request
	// graduations are the downloads to count: a graduation that a later change replaces still counts.
	graduations int

	write    writes
	affected *int64
	err      error
}

type peerKey struct {
	hash, id string
	at       endpoint
}

// collapse joins changes of the same peer to the last one.
func collapse(all []*trackerv1.PeerChange) []*change {
	byKey := make(map[peerKey]*change, len(all))
	changes := make([]*change, 0, len(all))
	for i, one := range all {
		key := peerKey{hash: string(one.GetInfoHash()), id: string(one.GetPeer().GetPeerId()), at: endpointOf(one.GetPeer())}
		c := byKey[key]
		if c == nil || !key.at.addr.IsValid() {
			c = &change{}
			byKey[key] = c
			changes = append(changes, c)
		}
		c.last = one
		c.indices = append(c.indices, i)
		if one.GetKind() == trackerv1.PeerChange_GRADUATE {
			c.graduations++
		}
	}
	slices.SortStableFunc(changes, func(a, b *change) int { return comparePeers(a.last, b.last) })
	return changes
}

func comparePeers(a, b *trackerv1.PeerChange) int {
	return cmp.Or(
		bytes.Compare(a.GetInfoHash(), b.GetInfoHash()),
		bytes.Compare(a.GetPeer().GetPeerId(), b.GetPeer().GetPeerId()),
		bytes.Compare(a.GetPeer().GetAddress(), b.GetPeer().GetAddress()),
		cmp.Compare(a.GetPeer().GetPort(), b.GetPeer().GetPort()),
	)
}

// prepare makes the change's calls anew; a call is used once.
func (c *change) prepare(v view) error {
	one := c.last
	peers := []*trackerv1.Peer{one.GetPeer()}
	if one.GetPeer() == nil {
		return invalid("peer is missing")
	}
	c.write = nil
	counted := 0
	var main write
	var err error
	switch one.GetKind() {
	case trackerv1.PeerChange_PUT:
		main, err = v.put(one.GetInfoHash(), peers, one.GetIsSeeder(), one.GetHostValues())
	case trackerv1.PeerChange_DELETE:
		var call *query.Call
		call, err = v.Call(trackerv1.Swarms_DeletePeer_FullMethodName, &trackerv1.DeletePeerRequest{
			InfoHash: one.GetInfoHash(), Peer: one.GetPeer(), IsSeeder: one.GetIsSeeder(), HostValues: one.GetHostValues()})
		main = &plain{list: []*query.Call{call}}
	case trackerv1.PeerChange_GRADUATE:
		main, err = v.graduation(one.GetInfoHash(), peers, one.GetHostValues())
		counted = 1
	default:
		err = invalid("kind is unknown")
	}
	if err != nil {
		return err
	}
	c.write = append(c.write, main)
	return c.addCounts(v, c.graduations-counted)
}

// addCounts adds the downloads of graduations that were replaced by a later change.
func (c *change) addCounts(v view, n int) error {
	if v.settings.GetCountOn() == countGraduated || n <= 0 {
		return nil
	}
	g := &graduation{view: v, hash: c.last.GetInfoHash(), values: c.last.GetHostValues()}
	for range n {
		call, err := g.countCall()
		if err != nil || call == nil {
			return err
		}
		c.write = append(c.write, &uncounted{plain{list: []*query.Call{call}}})
	}
	return nil
}

// uncounted writes do not add to the number of affected rows.
type uncounted struct{ plain }

func (u *uncounted) finish(ctx context.Context) (*int64, error) {
	_, err := u.plain.finish(ctx)
	zero := int64(0)
	return &zero, err
}

// putChunk runs the changes as one transaction; if the database refuses it, one by one, so that only
// the bad ones fail.
func (v view) putChunk(ctx context.Context, chunk []*change) {
	var all []*query.Call
	var good []*change
	for _, c := range chunk {
		if c.err = c.prepare(v); c.err == nil {
			good = append(good, c)
			all = append(all, c.write.calls()...)
		}
	}
	if len(good) == 0 {
		return
	}
	flight := query.Calls(all...)
	v.Run(ctx, flight)
	if !refused(flight.Err()) || len(good) == 1 {
		v.finishChunk(ctx, good)
		return
	}
	for _, c := range good {
		if c.err = c.prepare(v); c.err != nil {
			continue
		}
		v.Run(ctx, query.Calls(c.write.calls()...))
		c.affected, c.err = c.write.finish(ctx)
	}
}

// finishChunk does what is left of graduations: all in one round trip, each a transaction of its own.
func (v view) finishChunk(ctx context.Context, chunk []*change) {
	flight := &query.Flight{}
	rests := map[*change][]*query.Call{}
	for _, c := range chunk {
		g, ok := c.write[0].(*graduation)
		if !ok {
			c.affected, c.err = c.write.finish(ctx)
			continue
		}
		var rest []*query.Call
		if rest, c.affected, c.err = g.rest(); len(rest) > 0 {
			rests[c] = rest
			flight.Then(rest...)
		}
	}
	if len(rests) == 0 {
		return
	}
	v.Run(ctx, flight)
	for c, rest := range rests {
		c.err = partial(query.Group(rest).Err())
	}
}

// refused says whether the database was reached and refused the transaction as it was, so that its
// parts alone may well succeed.
func refused(err error) bool {
	switch fault.ReasonOf(err) {
	case fault.Rejected, fault.RowBound, fault.Query, fault.Conflict:
		return true
	}
	return false
}
