package httptracker

import (
	"encoding/binary"
	"time"

	"github.com/anacrolix/torrent/bencode"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

// The replies, as bencoded dictionaries. The encoder writes keys in sorted order, as BEP 3 demands.
type (
	announceReply struct {
		Complete    int64  `bencode:"complete"`
		Incomplete  int64  `bencode:"incomplete"`
		Interval    int64  `bencode:"interval"`     // seconds
		MinInterval int64  `bencode:"min interval"` // seconds
		Peers       any    `bencode:"peers"`
		Peers6      string `bencode:"peers6,omitempty"`
	}
	peerWithID struct {
		ID   string `bencode:"peer id"`
		IP   string `bencode:"ip"`
		Port uint16 `bencode:"port"`
	}
	peerWithoutID struct {
		IP   string `bencode:"ip"`
		Port uint16 `bencode:"port"`
	}
	scrapeReply struct {
		Files map[string]scrapedFile `bencode:"files"`
	}
	scrapedFile struct {
		Complete   int64 `bencode:"complete"`
		Incomplete int64 `bencode:"incomplete"`
		Downloaded int64 `bencode:"downloaded"`
	}
	failureReply struct {
		Reason string `bencode:"failure reason"`
	}
)

// encodeAnnounce writes the reply to an announce in the form that the client wants.
func encodeAnnounce(reply announce.Reply, interval, minInterval time.Duration, form form) ([]byte, error) {
	out := announceReply{
		Complete:    reply.Complete,
		Incomplete:  reply.Incomplete,
		Interval:    int64(interval.Seconds()),
		MinInterval: int64(minInterval.Seconds()),
	}
	if form.dictionaries {
		out.Peers = dictionaries(reply.Peers, form.withoutIDs)
	} else {
		out.Peers, out.Peers6 = compact(reply.Peers)
	}
	return bencode.Marshal(out)
}

// compact packs peers into 6 bytes each (BEP 23), those with an IPv6 address into 18 bytes each of
// a second string (BEP 7). Both are in network byte order.
func compact(peers []announce.Peer) (v4, v6 string) {
	var four, six []byte
	for _, peer := range peers {
		address := peer.Address.Addr()
		if address.Is4() {
			four = binary.BigEndian.AppendUint16(append(four, address.AsSlice()...), peer.Address.Port())
		} else {
			six = binary.BigEndian.AppendUint16(append(six, address.AsSlice()...), peer.Address.Port())
		}
	}
	return string(four), string(six)
}

// dictionaries lists peers in the original form (BEP 3): addresses of both families as text.
func dictionaries(peers []announce.Peer, withoutIDs bool) any {
	if withoutIDs {
		list := make([]peerWithoutID, len(peers))
		for i, peer := range peers {
			list[i] = peerWithoutID{peer.Address.Addr().String(), peer.Address.Port()}
		}
		return list
	}
	list := make([]peerWithID, len(peers))
	for i, peer := range peers {
		list[i] = peerWithID{string(peer.ID[:]), peer.Address.Addr().String(), peer.Address.Port()}
	}
	return list
}

// encodeScrape writes the reply to a scrape (BEP 48).
func encodeScrape(hashes [][]byte, swarms []announce.Swarm) ([]byte, error) {
	files := make(map[string]scrapedFile, len(hashes))
	for i, hash := range hashes {
		files[string(hash)] = scrapedFile(swarms[i])
	}
	return bencode.Marshal(scrapeReply{files})
}
