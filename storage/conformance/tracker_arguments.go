package conformance

import (
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A peerCall is a method that takes an info hash and a peer.
type peerCall struct {
	method string
	on     []string
	send   func(w *swarm, hash []byte, p *trackerv1.Peer) error
}

var peerCalls = []peerCall{
	{"PutPeer", keys(peerAdd), func(w *swarm, hash []byte, p *trackerv1.Peer) error {
		_, err := w.client().PutPeer(w.ctx, &trackerv1.PutPeerRequest{InfoHash: hash, Peer: p})
		return err
	}},
	{"DeletePeer", keys(peerDel), func(w *swarm, hash []byte, p *trackerv1.Peer) error {
		_, err := w.client().DeletePeer(w.ctx, &trackerv1.DeletePeerRequest{InfoHash: hash, Peer: p})
		return err
	}},
	{"RemovePeer", keys(peerDel), func(w *swarm, hash []byte, p *trackerv1.Peer) error {
		_, err := w.client().RemovePeer(w.ctx, &trackerv1.RemovePeerRequest{InfoHash: hash, Peer: p})
		return err
	}},
	{"GraduateLeecher", keys(peerGraduate, downloadsInc), func(w *swarm, hash []byte, p *trackerv1.Peer) error {
		_, err := w.client().GraduateLeecher(w.ctx, &trackerv1.GraduateLeecherRequest{InfoHash: hash, Peer: p})
		return err
	}},
	{"Announce", keys(peerAdd), func(w *swarm, hash []byte, p *trackerv1.Peer) error {
		_, err := w.client().Announce(w.ctx, &trackerv1.AnnounceRequest{
			InfoHashes: [][]byte{hash}, Peers: peers{p}, Action: trackerv1.Action_PUT_LEECHER, Want: 5, Families: both, WantCounts: true,
		})
		return err
	}},
}

// A hashCall is a method that takes an info hash and no peer.
var hashCalls = []peerCall{
	{"AnnouncePeers", lists, func(w *swarm, hash []byte, _ *trackerv1.Peer) error {
		_, err := w.client().AnnouncePeers(w.ctx, &trackerv1.AnnouncePeersRequest{InfoHash: hash, Want: 5})
		return err
	}},
	{"ScrapeSwarm", counts, func(w *swarm, hash []byte, _ *trackerv1.Peer) error {
		_, err := w.client().ScrapeSwarm(w.ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: hash})
		return err
	}},
	{"ScrapeFamily", counts, func(w *swarm, hash []byte, _ *trackerv1.Peer) error {
		_, err := w.client().ScrapeFamily(w.ctx, &trackerv1.ScrapeFamilyRequest{InfoHash: hash})
		return err
	}},
	{"ScrapeSwarms", counts, func(w *swarm, hash []byte, _ *trackerv1.Peer) error {
		_, err := w.client().ScrapeSwarms(w.ctx, &trackerv1.ScrapeSwarmsRequest{InfoHashes: [][]byte{w.hash, hash}})
		return err
	}},
}

// badPeers are peers that break a rule each.
var badPeers = map[string]func(*trackerv1.Peer){
	"no peer id":             func(p *trackerv1.Peer) { p.PeerId = nil },
	"a peer id of 19 bytes":  func(p *trackerv1.Peer) { p.PeerId = p.PeerId[:19] },
	"a peer id of 21 bytes":  func(p *trackerv1.Peer) { p.PeerId = append(p.PeerId, 0) },
	"port 0":                 func(p *trackerv1.Peer) { p.Port = 0 },
	"port 65536":             func(p *trackerv1.Peer) { p.Port = 65536 },
	"port 2^32 - 1":          func(p *trackerv1.Peer) { p.Port = 1<<32 - 1 },
	"no address":             func(p *trackerv1.Peer) { p.Address = nil },
	"an address of 5 bytes":  func(p *trackerv1.Peer) { p.Address = append(p.Address, 1) },
	"an address of 15 bytes": func(p *trackerv1.Peer) { p.Address = random(15) },
	"an address of 17 bytes": func(p *trackerv1.Peer) { p.Address = random(17) },
}

func argumentCases() []swarmCase {
	const (
		hashRule = "an info hash has 20 or 32 bytes; any other is INVALID_ARGUMENT, and no query is sent"
		peerRule = "peer ids have 20 bytes, addresses 4 or 16, ports are 1 to 65535; anything else is INVALID_ARGUMENT, and no query is sent"
	)
	var cases []swarmCase
	for _, call := range append(peerCalls[:len(peerCalls):len(peerCalls)], hashCalls...) {
		cases = append(cases, swarmCase{name: call.method + " refuses an info hash of the wrong length", on: call.on, says: hashRule,
			run: func(w *swarm) {
				for _, length := range []int{0, 1, 19, 21, 31, 33, 40} {
					err := call.send(w, random(length), peer4())
					refused(w.t, fmt.Sprintf("%s with a hash of %d bytes", call.method, length), err, codes.InvalidArgument, fault.InvalidArgument)
				}
			}})
	}
	for _, call := range peerCalls {
		cases = append(cases, swarmCase{name: call.method + " refuses an invalid peer", on: call.on, says: peerRule,
			run: func(w *swarm) {
				for what, spoil := range badPeers {
					err := call.send(w, w.hash, with(peer4(), spoil))
					refused(w.t, call.method+" with "+what, err, codes.InvalidArgument, fault.InvalidArgument)
				}
				refused(w.t, call.method+" without a peer", call.send(w, w.hash, nil), codes.InvalidArgument, fault.InvalidArgument)
				w.expect(nobody, nobody)
				w.downloaded(0)
			}})
	}
	return append(cases, requestCases()...)
}

func requestCases() []swarmCase {
	return []swarmCase{
		{name: "AnnouncePeers refuses an invalid requester", on: lists, says: "a requester that is given is a valid peer",
			run: func(w *swarm) {
				w.put(leecher, peer4())
				for what, spoil := range badPeers {
					_, err := w.client().AnnouncePeers(w.ctx, &trackerv1.AnnouncePeersRequest{InfoHash: w.hash, Want: 5, Requester: with(peer4(), spoil)})
					refused(w.t, "AnnouncePeers with "+what, err, codes.InvalidArgument, fault.InvalidArgument)
				}
			}},
		{name: "Announce refuses the wrong number of hashes or peers", on: keys(peerAdd), says: "an announce has one or two hashes and at least one peer",
			run: func(w *swarm) {
				for what, request := range map[string]*trackerv1.AnnounceRequest{
					"no hash":      {Peers: peers{peer4()}},
					"three hashes": {InfoHashes: [][]byte{w.hash, random(20), random(20)}, Peers: peers{peer4()}},
					"no peer":      {InfoHashes: [][]byte{w.hash}},
				} {
					request.Action, request.WantCounts = trackerv1.Action_PUT_LEECHER, true
					_, err := w.client().Announce(w.ctx, request)
					refused(w.t, "Announce with "+what, err, codes.InvalidArgument, fault.InvalidArgument)
				}
				w.counted(0, 0)
			}},
		{name: "Announce refuses an unknown action or family", on: on(keys(peerAdd), lists), says: "what the API does not define is INVALID_ARGUMENT",
			run: func(w *swarm) {
				p := peer4()
				_, err := w.client().Announce(w.ctx, &trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash}, Peers: peers{p}, Action: 99})
				refused(w.t, "Announce with action 99", err, codes.InvalidArgument, fault.InvalidArgument)
				_, err = w.client().Announce(w.ctx, &trackerv1.AnnounceRequest{InfoHashes: [][]byte{w.hash}, Peers: peers{p},
					Action: trackerv1.Action_PUT_LEECHER, Want: 5, Families: []trackerv1.Family{99}})
				refused(w.t, "Announce with family 99", err, codes.InvalidArgument, fault.InvalidArgument)
				w.counted(0, 0)
			}},
		{name: "PutPeer refuses negative numbers of the host", on: keys(peerAdd), says: "bytes uploaded, downloaded and left are not negative",
			run: func(w *swarm) {
				less := int64(-1)
				for what, values := range map[string]*trackerv1.HostValues{"uploaded": {Uploaded: &less}, "downloaded": {Downloaded: &less}, "left": {Left: &less}} {
					_, err := w.client().PutPeer(w.ctx, &trackerv1.PutPeerRequest{InfoHash: w.hash, Peer: peer4(), HostValues: values})
					refused(w.t, "PutPeer with negative "+what, err, codes.InvalidArgument, fault.InvalidArgument)
				}
				w.counted(0, 0)
			}},
		{name: "errors repeat no argument", on: keys(peerAdd, peerDel), says: "no argument's value appears in an error",
			run: func(w *swarm) {
				p := peer4()
				bad := with(p, func(p *trackerv1.Peer) { p.PeerId = []byte("confidential-peer-id") })
				_, err := w.delete(leecher, bad)
				w.discreet("DeletePeer of an unknown peer", err, bad)
				bad.PeerId = append(bad.PeerId, '!')
				for _, call := range peerCalls {
					w.discreet(call.method+" with a bad peer id", call.send(w, w.hash, bad), bad)
				}
			}},
	}
}

// discreet checks that an error's text holds neither hash nor peer id.
func (w *swarm) discreet(call string, err error, p *trackerv1.Peer) {
	w.t.Helper()
	text := strings.ToLower(status.Convert(err).Message())
	for _, secret := range []string{string(p.PeerId[:20]), hex.EncodeToString(p.PeerId[:20]), hex.EncodeToString(w.hash)} {
		if strings.Contains(text, secret) {
			w.t.Errorf("%s: the error repeats an argument: %s", call, text)
		}
	}
}
