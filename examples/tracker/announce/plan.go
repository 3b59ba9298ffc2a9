package announce

import (
	"net/netip"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// plan is the table of what an event does:
//
//	event                  left   writes               reads
//	none, started, paused  > 0    the peer as leecher  as for a leecher
//	none, started, paused  0      the peer as seeder   as for a seeder
//	completed              > 0    a graduation         as for a leecher
//	completed              0      a graduation         as for a seeder
//	stopped                any    removes either role  counts only
//
// A paused client (BEP 21) downloads nothing, but it does not have everything either: it counts as
// a leecher.
func plan(event Event, left int64) (action trackerv1.Action, forSeeder bool, err error) {
	seeder := left == 0
	switch event {
	case None, Started, Paused:
		if seeder {
			return trackerv1.Action_PUT_SEEDER, true, nil
		}
		return trackerv1.Action_PUT_LEECHER, false, nil
	case Completed:
		return trackerv1.Action_GRADUATE, seeder, nil
	case Stopped:
		return trackerv1.Action_REMOVE, seeder, nil
	}
	return trackerv1.Action_NONE, false, Refusal("unknown event")
}

// call turns an announce into the one call that the storage gets for it.
func call(r Request) (*trackerv1.AnnounceRequest, error) {
	hashes, err := hashes(r.InfoHash)
	if err != nil {
		return nil, err
	}
	action, forSeeder, err := plan(r.Event, r.Left)
	if err != nil {
		return nil, err
	}
	if len(r.Addresses) == 0 {
		return nil, Refusal("address unknown")
	}
	event := r.Event.String()
	request := &trackerv1.AnnounceRequest{
		InfoHashes: hashes,
		Action:     action,
		ForSeeder:  forSeeder,
		Families:   families(r.Addresses[0].Addr(), r.OwnFamilyOnly),
		WantCounts: true,
		HostValues: &trackerv1.HostValues{
			Event:      &event,
			Uploaded:   &r.Uploaded,
			Downloaded: &r.Downloaded,
			Left:       &r.Left,
		},
	}
	if r.UserAgent != "" {
		request.HostValues.UserAgent = &r.UserAgent
	}
	if action != trackerv1.Action_REMOVE {
		request.Want = int32(min(max(r.Want, 0), MaxWant))
	}
	for _, address := range r.Addresses {
		if address.Port() == 0 {
			return nil, Refusal("port must be 1 to 65535")
		}
		request.Peers = append(request.Peers, &trackerv1.Peer{
			PeerId:  r.PeerID[:],
			Address: address.Addr().Unmap().AsSlice(),
			Port:    uint32(address.Port()),
		})
	}
	return request, nil
}

// hashes returns what a torrent is tracked under. A client that speaks only BEP 15 announces a v2
// torrent by the first 20 bytes of its hash, so one that gives all 32 is shown both swarms and
// enters both. The storage takes hashes as they are and never truncates.
func hashes(infoHash []byte) ([][]byte, error) {
	switch len(infoHash) {
	case HashLength:
		return [][]byte{infoHash}, nil
	case HashLengthV2:
		return [][]byte{infoHash, infoHash[:HashLength]}, nil
	}
	return nil, Refusal("info_hash must be 20 or 32 bytes")
}

// families returns the address families to read, the client's own first.
func families(own netip.Addr, only bool) []trackerv1.Family {
	first, second := trackerv1.Family_IPV4, trackerv1.Family_IPV6
	if own.Unmap().Is6() {
		first, second = second, first
	}
	if only {
		return []trackerv1.Family{first}
	}
	return []trackerv1.Family{first, second}
}
