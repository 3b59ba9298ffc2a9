package tracker

import (
	"context"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// A write is what an announce changes: calls for the first round trip, and what is left to do when
// their answers are known.
type write interface {
	calls() []*query.Call
	// finish returns the sum of affected rows, if all are known, after doing what is left.
	finish(ctx context.Context) (affected *int64, err error)
}

// writes are several that belong to one transaction.
type writes []write

func (w writes) calls() []*query.Call {
	var calls []*query.Call
	for _, one := range w {
		calls = append(calls, one.calls()...)
	}
	return calls
}

func (w writes) finish(ctx context.Context) (*int64, error) {
	var sum int64
	known := true
	var firstErr error
	for _, one := range w {
		affected, err := one.finish(ctx)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		if affected == nil {
			known = false
			continue
		}
		sum += *affected
	}
	if !known {
		return nil, firstErr
	}
	return &sum, firstErr
}

func (v view) writeOf(action trackerv1.Action, hash []byte, peers []*trackerv1.Peer, values *trackerv1.HostValues) (write, error) {
	switch action {
	case trackerv1.Action_NONE:
		return writes{}, nil
	case trackerv1.Action_PUT_LEECHER, trackerv1.Action_PUT_SEEDER:
		return v.put(hash, peers, action == trackerv1.Action_PUT_SEEDER, values)
	case trackerv1.Action_GRADUATE:
		return v.graduation(hash, peers, values)
	case trackerv1.Action_REMOVE:
		return v.removal(hash, peers, values)
	}
	return nil, invalid("action is unknown")
}

// plain writes need nothing after the first round trip.
type plain struct {
	list []*query.Call
	// mustExist says that it is an error if no row was affected, and all numbers are known.
	mustExist bool
}

func (p *plain) calls() []*query.Call { return p.list }

func (p *plain) finish(context.Context) (*int64, error) {
	var sum int64
	for _, call := range p.list {
		if call.Err != nil {
			return nil, call.Err
		}
	}
	for _, call := range p.list {
		if !call.Counted || (call.Resent && call.Affected == 0) {
			return nil, nil
		}
		sum += call.Affected
	}
	if p.mustExist && sum == 0 {
		return &sum, doesNotExist(p.list[0].Statement.Operation.Key)
	}
	return &sum, nil
}

func (v view) put(hash []byte, peers []*trackerv1.Peer, seeder bool, values *trackerv1.HostValues) (write, error) {
	p := &plain{}
	for _, peer := range peers {
		call, err := v.Call(trackerv1.Swarms_PutPeer_FullMethodName,
			&trackerv1.PutPeerRequest{InfoHash: hash, Peer: peer, IsSeeder: seeder, HostValues: values})
		if err != nil {
			return nil, err
		}
		p.list = append(p.list, call)
	}
	return p, nil
}

// removal deletes a peer in both roles.
func (v view) removal(hash []byte, peers []*trackerv1.Peer, values *trackerv1.HostValues) (write, error) {
	p := &plain{mustExist: true}
	for _, peer := range peers {
		for _, seeder := range []bool{true, false} {
			call, err := v.Call(trackerv1.Swarms_DeletePeer_FullMethodName,
				&trackerv1.DeletePeerRequest{InfoHash: hash, Peer: peer, IsSeeder: seeder, HostValues: values})
			if err != nil {
				return nil, err
			}
			p.list = append(p.list, call)
		}
	}
	return p, nil
}

// RemovePeer implements the method of the API.
func (s *Service) RemovePeer(ctx context.Context, request *trackerv1.RemovePeerRequest) (*trackerv1.Affected, error) {
	if request.GetPeer() == nil {
		return nil, invalid("peer is missing")
	}
	v := s.begin()
	w, err := v.removal(request.GetInfoHash(), []*trackerv1.Peer{request.GetPeer()}, request.GetHostValues())
	if err != nil {
		return nil, err
	}
	v.Run(ctx, query.Calls(w.calls()...))
	affected, err := w.finish(ctx)
	if err != nil {
		return nil, err
	}
	return &trackerv1.Affected{Affected: affected}, nil
}

// A graduation turns leechers of one info hash into seeders and counts one download. The counter is
// increased exactly once: in the first round trip when every completion counts, otherwise in the
// second, when it is known that a leecher was promoted. Peers that were no leechers are stored as
// seeders in the second.
type graduation struct {
	view   view
	hash   []byte
	peers  []*trackerv1.Peer
	values *trackerv1.HostValues

	promote  []*query.Call
	count    *query.Call
	promoted *bool
}

func (v view) graduation(hash []byte, peers []*trackerv1.Peer, values *trackerv1.HostValues) (*graduation, error) {
	g := &graduation{view: v, hash: hash, peers: peers, values: values}
	for _, peer := range peers {
		call, err := v.Call(trackerv1.Operations_PeerGraduate_FullMethodName,
			&trackerv1.PeerGraduateParameters{InfoHash: hash, Peer: peer, HostValues: values})
		if err != nil {
			return nil, err
		}
		g.promote = append(g.promote, call)
	}
	if v.settings.GetCountOn() == countGraduated {
		return g, nil
	}
	var err error
	g.count, err = g.countCall()
	return g, err
}

// countGraduated is the value of downloads.count_on that counts promotions only.
const countGraduated = "graduated"

// countCall returns the call that counts a download; nil if downloads are not counted.
func (g *graduation) countCall() (*query.Call, error) {
	if !g.view.configured(trackerv1.Operations_DownloadsInc_FullMethodName) {
		return nil, nil
	}
	return g.view.Call(trackerv1.Operations_DownloadsInc_FullMethodName,
		&trackerv1.DownloadsIncParameters{InfoHash: g.hash, HostValues: g.values})
}

func (g *graduation) calls() []*query.Call {
	if g.count == nil {
		return g.promote
	}
	return append(g.promote[:len(g.promote):len(g.promote)], g.count)
}

func (g *graduation) finish(ctx context.Context) (*int64, error) {
	rest, affected, err := g.rest()
	if err != nil || len(rest) == 0 {
		return affected, err
	}
	flight := query.Calls(rest...)
	g.view.Run(ctx, flight)
	return affected, partial(flight.Err())
}

// partial is the error for a graduation whose second half failed.
func partial(err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Reason: fault.Partial, Operation: fault.OperationOf(err), SQLState: fault.SQLStateOf(err), Cause: err,
		Message: "the first half of the graduation is done and the second failed; the client's next announce repairs the peer"}
}

// rest returns what the second round trip has to do, and how many leechers were promoted.
func (g *graduation) rest() (calls []*query.Call, affected *int64, err error) {
	if err := query.Group(g.calls()).Err(); err != nil {
		return nil, nil, err
	}
	var sum int64
	known, some := true, false
	for i, call := range g.promote {
		sum += call.Affected
		// A call that was sent again may have found its own first effect.
		known = known && call.Counted && !(call.Resent && call.Affected == 0)
		if call.Counted && call.Affected > 0 {
			some = true
			continue
		}
		put, err := g.view.Call(trackerv1.Swarms_PutPeer_FullMethodName,
			&trackerv1.PutPeerRequest{InfoHash: g.hash, Peer: g.peers[i], IsSeeder: true, HostValues: g.values})
		if err != nil {
			return nil, nil, err
		}
		calls = append(calls, put)
	}
	if known {
		affected, g.promoted = &sum, &some
	}
	if g.view.settings.GetCountOn() == countGraduated && (some || !known) {
		count, err := g.countCall()
		if err != nil {
			return nil, nil, err
		}
		if count != nil {
			calls = append(calls, count)
		}
	}
	return calls, affected, nil
}

// GraduateLeecher implements the method of the API.
func (s *Service) GraduateLeecher(ctx context.Context, request *trackerv1.GraduateLeecherRequest) (*trackerv1.GraduateLeecherResponse, error) {
	if request.GetPeer() == nil {
		return nil, invalid("peer is missing")
	}
	v := s.begin()
	g, err := v.graduation(request.GetInfoHash(), []*trackerv1.Peer{request.GetPeer()}, request.GetHostValues())
	if err != nil {
		return nil, err
	}
	v.Run(ctx, query.Calls(g.calls()...))
	if _, err := g.finish(ctx); err != nil {
		return nil, err
	}
	return &trackerv1.GraduateLeecherResponse{Promoted: g.promoted}, nil
}
