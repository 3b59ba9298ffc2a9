package tracker

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

const maxWant = 10000

// Announce implements the method of the API: one flight, in which the writes are one transaction and
// the reads another, so that a failed write does not cost the client its peers.
func (s *Service) Announce(ctx context.Context, request *trackerv1.AnnounceRequest) (*trackerv1.AnnounceResponse, error) {
	if err := checkAnnounce(request); err != nil {
		return nil, err
	}
	v := s.begin()
	write, err := v.announceWrite(request)
	if err != nil {
		return nil, err
	}
	reads, err := v.announceReads(request)
	if err != nil {
		return nil, err
	}
	flight := (&query.Flight{}).Then(write.calls()...).Then(reads.calls()...)
	v.Run(ctx, flight)
	affected, writeErr := write.finish(ctx) // even if the reads failed: half a graduation is worse
	response := &trackerv1.AnnounceResponse{Affected: affected}
	if err := reads.answer(response); err != nil {
		return nil, err
	}
	if writeErr != nil && !absent(request.GetAction(), writeErr) {
		response.WriteError = failure(writeErr)
	}
	return response, nil
}

// absent says whether an error only tells that a peer which should go was not there.
func absent(action trackerv1.Action, err error) bool {
	return action == trackerv1.Action_REMOVE && fault.ReasonOf(err) == fault.DoesNotExist
}

func checkAnnounce(request *trackerv1.AnnounceRequest) error {
	if n := len(request.GetInfoHashes()); n < 1 || n > 2 {
		return invalid("info_hashes must hold one or two hashes, not %d", n)
	}
	if len(request.GetPeers()) == 0 && request.GetAction() != trackerv1.Action_NONE {
		return invalid("peers must hold the address of the client")
	}
	if request.GetWant() > maxWant {
		return invalid("want must be at most %d", maxWant)
	}
	for _, family := range request.GetFamilies() {
		if family != trackerv1.Family_IPV4 && family != trackerv1.Family_IPV6 {
			return invalid("families must hold IPV4 and IPV6 only")
		}
	}
	return nil
}

func (v view) announceWrite(request *trackerv1.AnnounceRequest) (write, error) {
	var all writes
	for _, hash := range request.GetInfoHashes() {
		one, err := v.writeOf(request.GetAction(), hash, request.GetPeers(), request.GetHostValues())
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// reads are the calls that answer an announce: counts, then peers.
type reads struct {
	counts *counts
	lists  []*peerList
	want   int
	asking []*trackerv1.Peer
}

func (v view) announceReads(request *trackerv1.AnnounceRequest) (*reads, error) {
	r := &reads{want: int(request.GetWant()), asking: request.GetPeers()}
	if request.GetWantCounts() {
		var err error
		if r.counts, err = v.count(request.GetInfoHashes()); err != nil {
			return nil, err
		}
	}
	if request.GetWant() <= 0 || request.GetAction() == trackerv1.Action_REMOVE {
		return r, nil
	}
	for _, hash := range request.GetInfoHashes() {
		for _, family := range request.GetFamilies() {
			list, err := v.peerList(hash, request.GetForSeeder(), request.GetWant(), family == trackerv1.Family_IPV6,
				request.GetPeers(), request.GetHostValues())
			if err != nil {
				return nil, err
			}
			r.lists = append(r.lists, list)
		}
	}
	return r, nil
}

func (r *reads) calls() []*query.Call {
	var calls []*query.Call
	if r.counts != nil {
		calls = append(calls, r.counts.calls()...)
	}
	for _, list := range r.lists {
		calls = append(calls, list.calls...)
	}
	return calls
}

func (r *reads) answer(response *trackerv1.AnnounceResponse) error {
	if r.counts != nil {
		swarms, err := r.counts.swarms()
		if err != nil {
			return err
		}
		for _, swarm := range swarms {
			response.Complete += swarm.GetSeeders()
			response.Incomplete += swarm.GetLeechers()
			response.Downloaded += swarm.GetSnatched()
		}
	}
	merge := newMerge(r.want, r.asking)
	for _, list := range r.lists {
		if err := list.into(merge); err != nil {
			return err
		}
	}
	response.Peers = merge.peers
	return nil
}

// AnnouncePeers implements the method of the API.
func (s *Service) AnnouncePeers(ctx context.Context, request *trackerv1.AnnouncePeersRequest) (*trackerv1.AnnouncePeersResponse, error) {
	if request.GetWant() > maxWant {
		return nil, invalid("want must be at most %d", maxWant)
	}
	asking := []*trackerv1.Peer{}
	if request.GetRequester() != nil {
		asking = append(asking, request.GetRequester())
	}
	v := s.begin()
	list, err := v.peerList(request.GetInfoHash(), request.GetForSeeder(), max(request.GetWant(), 1), request.GetV6(), asking, request.GetHostValues())
	if err != nil {
		return nil, err
	}
	if request.GetWant() <= 0 {
		return &trackerv1.AnnouncePeersResponse{}, nil
	}
	v.Run(ctx, query.Calls(list.calls...))
	merge := newMerge(int(request.GetWant()), asking)
	if err := list.into(merge); err != nil {
		return nil, err
	}
	if len(merge.peers) == 0 {
		return nil, doesNotExist(list.calls[0].Statement.Operation.Key)
	}
	return &trackerv1.AnnouncePeersResponse{Peers: merge.peers}, nil
}

// peerList is the calls that list the peers of one info hash and family.
type peerList struct {
	view  view
	calls []*query.Call
	v6    bool
}

func (v view) peerList(hash []byte, forSeeder bool, want int32, v6 bool, asking []*trackerv1.Peer, values *trackerv1.HostValues) (*peerList, error) {
	for _, peer := range asking {
		if err := v.Check(trackerv1.Swarms_PutPeer_FullMethodName, &trackerv1.PutPeerRequest{InfoHash: hash, Peer: peer}); err != nil {
			return nil, err
		}
	}
	list := &peerList{view: v, v6: v6}
	// The requester's own rows take places in the result and are dropped afterwards.
	count := int64(want) + int64(max(len(asking), 1))
	requester := requesterOf(asking, v6)
	alive := timestamppb.New(v.Now().Add(-v.lifetime()))
	if v.configured(trackerv1.Operations_AnnounceMixed_FullMethodName) {
		return list, list.add(trackerv1.Operations_AnnounceMixed_FullMethodName, &trackerv1.AnnounceMixedParameters{
			InfoHash: hash, ForSeeder: forSeeder, IsV6: v6, Count: count, AliveSince: alive, Requester: requester, HostValues: values})
	}
	roles := []bool{true, false}
	if forSeeder {
		roles = []bool{false}
	}
	for _, seeder := range roles {
		err := list.add(trackerv1.Operations_Announce_FullMethodName, &trackerv1.AnnounceParameters{
			InfoHash: hash, IsSeeder: seeder, IsV6: v6, Count: count, AliveSince: alive, Requester: requester, HostValues: values})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (l *peerList) add(method string, request announceParameters) error {
	call, err := l.view.Call(method, request)
	if err == nil {
		l.calls = append(l.calls, call)
	}
	return err
}

// requesterOf returns the client's peer in the family that is asked for, if it has one.
func requesterOf(asking []*trackerv1.Peer, v6 bool) *trackerv1.Requester {
	for _, peer := range asking {
		if isV6(peer.GetAddress()) == v6 {
			return &trackerv1.Requester{PeerId: peer.GetPeerId(), Address: peer.GetAddress(), Port: &peer.Port}
		}
	}
	return nil
}

// into adds the peers that the calls found.
func (l *peerList) into(merge *merge) error {
	for _, call := range l.calls {
		if call.Err != nil {
			return call.Err
		}
		for _, peer := range query.RowsOf[*trackerv1.Peer](call) {
			if isV6(peer.GetAddress()) != l.v6 {
				l.view.BadRow(call.Statement.Operation, "address", "is of the wrong family")
				continue
			}
			merge.add(peer)
		}
	}
	return nil
}

func doesNotExist(key string) error {
	return &fault.Error{Reason: fault.DoesNotExist, Operation: key, Message: "resource does not exist"}
}

// failure puts an error into an answer, for the part of a call that failed.
func failure(err error) *trackerv1.Failure {
	var known *fault.Error
	if !errors.As(err, &known) {
		known = fault.New(fault.Internal, "", "unexpected error")
	}
	return &trackerv1.Failure{Code: int32(known.Code()), Message: known.Error(), Reason: string(known.Reason),
		Operation: known.Operation, Sqlstate: known.SQLState}
}
