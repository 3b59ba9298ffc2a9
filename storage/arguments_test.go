package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

// broken are peers that break the contract, by the rule that the error must tell.
var broken = map[string]*trackerv1.Peer{
	"peer_id is missing":                   nil,
	"peer_id must have 20 bytes, not 0":    {Address: []byte{192, 0, 2, 1}, Port: 1},
	"peer_id must have 20 bytes, not 19":   {PeerId: make([]byte, 19), Address: []byte{192, 0, 2, 1}, Port: 1},
	"peer_id must have 20 bytes, not 21":   {PeerId: make([]byte, 21), Address: []byte{192, 0, 2, 1}, Port: 1},
	"address must be an IP address (0)":    {PeerId: make([]byte, 20), Port: 1},
	"address must be an IP address (5)":    {PeerId: make([]byte, 20), Address: make([]byte, 5), Port: 1},
	"address must be an IP address (17)":   {PeerId: make([]byte, 20), Address: make([]byte, 17), Port: 1},
	"port must be at least 1":              {PeerId: make([]byte, 20), Address: []byte{192, 0, 2, 1}},
	"port must be at most 65535":           {PeerId: make([]byte, 20), Address: []byte{192, 0, 2, 1}, Port: 65536},
	"port must be at most 65535 (32 bits)": {PeerId: make([]byte, 20), Address: []byte{192, 0, 2, 1}, Port: 1<<32 - 1},
}

// The methods that take an info hash and a peer.
func (o *opened) withPeer() map[string]func(context.Context, []byte, *trackerv1.Peer) error {
	return map[string]func(context.Context, []byte, *trackerv1.Peer) error{
		"PutPeer": func(ctx context.Context, hash []byte, peer *trackerv1.Peer) error {
			_, err := o.swarms.PutPeer(ctx, &trackerv1.PutPeerRequest{InfoHash: hash, Peer: peer})
			return err
		},
		"DeletePeer": func(ctx context.Context, hash []byte, peer *trackerv1.Peer) error {
			_, err := o.swarms.DeletePeer(ctx, &trackerv1.DeletePeerRequest{InfoHash: hash, Peer: peer})
			return err
		},
		"RemovePeer": func(ctx context.Context, hash []byte, peer *trackerv1.Peer) error {
			_, err := o.swarms.RemovePeer(ctx, &trackerv1.RemovePeerRequest{InfoHash: hash, Peer: peer})
			return err
		},
		"GraduateLeecher": func(ctx context.Context, hash []byte, peer *trackerv1.Peer) error {
			_, err := o.swarms.GraduateLeecher(ctx, &trackerv1.GraduateLeecherRequest{InfoHash: hash, Peer: peer})
			return err
		},
		"Announce": func(ctx context.Context, hash []byte, peer *trackerv1.Peer) error {
			_, err := o.swarms.Announce(ctx, &trackerv1.AnnounceRequest{InfoHashes: [][]byte{hash}, Peers: []*trackerv1.Peer{peer},
				Action: trackerv1.Action_PUT_LEECHER, Want: 10, Families: []trackerv1.Family{trackerv1.Family_IPV4}})
			return err
		},
	}
}

// The methods that take an info hash alone.
func (o *opened) withHash() map[string]func(context.Context, []byte) error {
	all := map[string]func(context.Context, []byte) error{
		"AnnouncePeers": func(ctx context.Context, hash []byte) error {
			_, err := o.swarms.AnnouncePeers(ctx, &trackerv1.AnnouncePeersRequest{InfoHash: hash, Want: 10})
			return err
		},
		"AnnouncePeers for none": func(ctx context.Context, hash []byte) error {
			_, err := o.swarms.AnnouncePeers(ctx, &trackerv1.AnnouncePeersRequest{InfoHash: hash})
			return err
		},
		"ScrapeSwarm": func(ctx context.Context, hash []byte) error {
			_, err := o.swarms.ScrapeSwarm(ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: hash})
			return err
		},
		"ScrapeFamily": func(ctx context.Context, hash []byte) error {
			_, err := o.swarms.ScrapeFamily(ctx, &trackerv1.ScrapeFamilyRequest{InfoHash: hash, V6: true})
			return err
		},
		"ScrapeSwarms": func(ctx context.Context, hash []byte) error {
			_, err := o.swarms.ScrapeSwarms(ctx, &trackerv1.ScrapeSwarmsRequest{InfoHashes: [][]byte{hashOf(1), hash}})
			return err
		},
	}
	for name, method := range o.withPeer() {
		all[name] = func(ctx context.Context, hash []byte) error { return method(ctx, hash, peerAt("192.0.2.1", 1)) }
	}
	return all
}

// refused checks that a call was refused for its arguments, without a query.
func (o *opened) refused(t *testing.T, rule string, call func() error) {
	t.Helper()
	var err error
	if trips := o.wire.count(func() { err = call() }); trips != 0 {
		t.Errorf("%d round trips", trips)
	}
	expect(t, err, codes.InvalidArgument, fault.InvalidArgument)
	if err != nil && !strings.Contains(err.Error(), rule) {
		t.Errorf("the error says %v; expected %q in it", err, rule)
	}
}

func TestBadArgumentsSendNoQuery(t *testing.T) {
	o := serve(t, testdb.Database(t, tables), basic)
	for name, method := range o.withPeer() {
		for rule, peer := range broken {
			switch {
			case peer == nil && (name == "RemovePeer" || name == "GraduateLeecher"):
				rule = "peer is missing"
			case peer == nil && name == "Announce":
				continue // a list has no missing elements
			}
			text, _, _ := strings.Cut(rule, " (")
			t.Run(name+": "+rule, func(t *testing.T) {
				o.refused(t, text, func() error { return method(t.Context(), hashOf(1), peer) })
			})
		}
	}
	for name, method := range o.withHash() {
		for _, n := range []int{0, 19, 21, 31, 33, 40} {
			t.Run(fmt.Sprintf("%s: hash of %d bytes", name, n), func(t *testing.T) {
				o.refused(t, "must have 20 or 32 bytes, not", func() error { return method(t.Context(), make([]byte, n)) })
			})
		}
	}
}

func TestBadChangesFailAlone(t *testing.T) {
	o := serve(t, testdb.Database(t, tables), basic)
	good := &trackerv1.PeerChange{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 1)}
	request := &trackerv1.PutPeersRequest{Changes: []*trackerv1.PeerChange{good}}
	for _, peer := range broken {
		request.Changes = append(request.Changes, &trackerv1.PeerChange{InfoHash: hashOf(1), Peer: peer})
	}
	request.Changes = append(request.Changes,
		&trackerv1.PeerChange{InfoHash: make([]byte, 19), Peer: peerAt("192.0.2.2", 2)},
		&trackerv1.PeerChange{Kind: 17, InfoHash: hashOf(1), Peer: peerAt("192.0.2.3", 3)})
	response := ok[*trackerv1.PutPeersResponse](t)(o.swarms.PutPeers(t.Context(), request))
	for i, result := range response.GetResults() {
		failed := result.GetError() != nil
		if failed == (i == 0) || failed && result.GetError().GetCode() != int32(codes.InvalidArgument) {
			t.Errorf("change %d, %v: %v", i, request.Changes[i], result)
		}
	}
	if got := o.listed(t, hashOf(1), true, false); len(got) != 1 {
		t.Errorf("listed %q", got)
	}
}

func TestBadDataArguments(t *testing.T) {
	o := serve(t, testdb.Database(t, tables), basic)
	key := []byte("k")
	for text, rule := range map[string]string{"a\xffb": "must be valid UTF-8", "a\x00b": "must not contain the character NUL"} {
		o.refused(t, "context "+rule, func() error {
			_, err := o.data.Put(t.Context(), &trackerv1.PutRequest{Context: text, Entries: []*trackerv1.Entry{{Key: key}}})
			return err
		})
		o.refused(t, "context "+rule, func() error {
			_, err := o.data.Load(t.Context(), &trackerv1.LoadRequest{Context: text, Key: key})
			return err
		})
		o.refused(t, "context "+rule, func() error {
			_, err := o.data.Contains(t.Context(), &trackerv1.ContainsRequest{Context: text, Keys: [][]byte{key}})
			return err
		})
		o.refused(t, "context "+rule, func() error {
			_, err := o.data.Delete(t.Context(), &trackerv1.DeleteRequest{Context: text, Key: [][]byte{key}})
			return err
		})
		o.refused(t, "user_agent "+rule, func() error {
			_, err := o.swarms.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 1),
				HostValues: &trackerv1.HostValues{UserAgent: &text}})
			return err
		})
	}
}

// A time that no database can hold is refused, instead of being sent as another one.
func TestBadTimes(t *testing.T) {
	o := serve(t, testdb.Database(t, tables), basic)
	for _, seconds := range []int64{1 << 62, -1 << 62, 1<<63 - 1, -1 << 63, 253402300800, -62135596801} {
		o.refused(t, "created must be a time between the years 1 and 9999", func() error {
			_, err := o.swarms.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 1),
				Created: &timestamppb.Timestamp{Seconds: seconds}})
			return err
		})
	}
}

func TestBadAnnounces(t *testing.T) {
	o := serve(t, testdb.Database(t, tables), basic)
	peer := []*trackerv1.Peer{peerAt("192.0.2.1", 1)}
	one := [][]byte{hashOf(1)}
	for rule, request := range map[string]*trackerv1.AnnounceRequest{
		"info_hashes must hold one or two hashes, not 0": {Peers: peer},
		"info_hashes must hold one or two hashes, not 3": {InfoHashes: [][]byte{hashOf(1), hashOf(2), hashOf(3)}, Peers: peer},
		"peers must hold the address of the client":      {InfoHashes: one, Action: trackerv1.Action_PUT_SEEDER},
		"want must be at most":                           {InfoHashes: one, Peers: peer, Want: 1 << 30},
		"families must hold IPV4 and IPV6 only":          {InfoHashes: one, Peers: peer, Families: []trackerv1.Family{7}},
		"action is unknown":                              {InfoHashes: one, Peers: peer, Action: 7},
	} {
		o.refused(t, rule, func() error {
			_, err := o.swarms.Announce(t.Context(), request)
			return err
		})
	}
}

// Nothing to do needs no query either, and is no error.
func TestNothingToDoSendsNoQuery(t *testing.T) {
	o := serve(t, testdb.Database(t, tables), basic)
	for name, call := range map[string]func() error{
		"Put":      func() error { _, err := o.data.Put(t.Context(), &trackerv1.PutRequest{}); return err },
		"Contains": func() error { _, err := o.data.Contains(t.Context(), &trackerv1.ContainsRequest{}); return err },
		"Delete": func() error {
			response, err := o.data.Delete(t.Context(), &trackerv1.DeleteRequest{})
			if err == nil && (response.Affected == nil || response.GetAffected() != 0) {
				t.Errorf("deleting nothing affects %v", response)
			}
			return err
		},
		"ScrapeSwarms": func() error {
			_, err := o.swarms.ScrapeSwarms(t.Context(), &trackerv1.ScrapeSwarmsRequest{})
			return err
		},
		"PutPeers": func() error { _, err := o.swarms.PutPeers(t.Context(), &trackerv1.PutPeersRequest{}); return err },
		"AnnouncePeers": func() error {
			_, err := o.swarms.AnnouncePeers(t.Context(), &trackerv1.AnnouncePeersRequest{InfoHash: hashOf(1), Want: -1})
			return err
		},
		"Announce": func() error {
			_, err := o.swarms.Announce(t.Context(), &trackerv1.AnnounceRequest{InfoHashes: [][]byte{hashOf(1)}})
			return err
		},
	} {
		var err error
		if trips := o.wire.count(func() { err = call() }); trips != 0 || err != nil {
			t.Errorf("%s: %d round trips, %v", name, trips, err)
		}
	}
}
