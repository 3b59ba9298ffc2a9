package udptracker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"

	"github.com/anacrolix/torrent/tracker/udp"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

// Sizes of packets in bytes (BEP 15).
const (
	headerSize   = 16 // connection id, action, transaction id
	announceSize = 98
	hashSize     = 20
)

// MaxScrape is how many info hashes a scrape may ask for: as many as one packet answers.
const MaxScrape = 74

// maxReply bounds a reply so that it is not cut into fragments, which some networks drop: the
// smallest packet that IPv6 carries whole, less its headers, and the usual one of IPv4.
const (
	maxReplyV6 = 1280 - 40 - 8
	maxReplyV4 = 1500 - 20 - 8
)

// Types of the options that may follow an announce (BEP 41).
const (
	optionEnd     = 0
	optionNothing = 1
)

// errNotTracker is for packets that are not of this protocol; they are not answered.
var errNotTracker = errors.New("not a packet of the UDP tracker protocol")

// parseHeader reads what all requests begin with.
func parseHeader(packet []byte) (udp.RequestHeader, error) {
	var header udp.RequestHeader
	if len(packet) < headerSize {
		return header, errNotTracker
	}
	err := udp.Read(bytes.NewReader(packet), &header)
	return header, err
}

// parseAnnounce reads an announce that came from source. fromPacket lets the client name another
// address of IPv4, as the protocol allows; the port always is the client's to say.
func parseAnnounce(packet []byte, source netip.Addr, fromPacket bool) (announce.Request, error) {
	if len(packet) < announceSize {
		return announce.Request{}, announce.Refusal("the announce is too short")
	}
	var wire udp.AnnounceRequest
	if err := udp.Read(bytes.NewReader(packet[headerSize:announceSize]), &wire); err != nil {
		return announce.Request{}, announce.Refusal("the announce cannot be read")
	}
	if err := skipOptions(packet[announceSize:]); err != nil {
		return announce.Request{}, err
	}
	event, err := eventOf(wire.Event)
	if err != nil {
		return announce.Request{}, err
	}
	if wire.Port == 0 {
		return announce.Request{}, announce.Refusal("port must be 1 to 65535")
	}
	if fromPacket && source.Is4() && wire.IPAddress != 0 {
		source = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, wire.IPAddress)))
	}
	return announce.Request{
		InfoHash:   wire.InfoHash[:],
		PeerID:     wire.PeerId,
		Addresses:  []netip.AddrPort{netip.AddrPortFrom(source, wire.Port)},
		Event:      event,
		Left:       amount(wire.Left),
		Uploaded:   amount(wire.Uploaded),
		Downloaded: amount(wire.Downloaded),
		Want:       announce.Want(int64(wire.NumWant)),
		// A reply has one list, of the family that the packet came by.
		OwnFamilyOnly: true,
	}, nil
}

// amount reads a count of bytes. A client that does not know how much is left sends all bits set.
func amount(wire int64) int64 {
	if wire < 0 {
		return math.MaxInt64
	}
	return wire
}

// eventOf reads an event's number. Paused (BEP 21) has none in BEP 15; 4 is what clients send.
func eventOf(number udp.AnnounceEvent) (announce.Event, error) {
	switch number {
	case 0:
		return announce.None, nil
	case 1:
		return announce.Completed, nil
	case 2:
		return announce.Started, nil
	case 3:
		return announce.Stopped, nil
	case 4:
		return announce.Paused, nil
	}
	return announce.None, announce.Refusal("unknown event")
}

// skipOptions walks over the options of BEP 41, none of which is for us: the only one defined is
// the path of the announce URL. Unknown ones have a length, by which they are skipped.
func skipOptions(options []byte) error {
	for len(options) > 0 {
		switch options[0] {
		case optionEnd:
			return nil
		case optionNothing:
			options = options[1:]
		default:
			if len(options) < 2 || len(options) < 2+int(options[1]) {
				return announce.Refusal("an option of the announce is cut off")
			}
			options = options[2+int(options[1]):]
		}
	}
	return nil
}

// parseScrape returns the info hashes of a scrape.
func parseScrape(packet []byte) ([][]byte, error) {
	body := packet[headerSize:]
	switch count := len(body) / hashSize; {
	case count == 0:
		return nil, announce.Refusal("a scrape must name at least one info hash")
	case len(body)%hashSize != 0:
		return nil, announce.Refusal("a scrape must be whole info hashes of 20 bytes")
	case count > MaxScrape:
		return nil, announce.Refusal("a scrape may name at most 74 info hashes")
	}
	var hashes [][]byte
	for ; len(body) > 0; body = body[hashSize:] {
		hashes = append(hashes, body[:hashSize])
	}
	return hashes, nil
}

// beginReply writes what all replies begin with.
func beginReply(action udp.Action, transaction udp.TransactionId) []byte {
	reply := binary.BigEndian.AppendUint32(nil, uint32(action))
	return binary.BigEndian.AppendUint32(reply, uint32(transaction))
}

func connectReply(transaction udp.TransactionId, id udp.ConnectionId) []byte {
	return binary.BigEndian.AppendUint64(beginReply(udp.ActionConnect, transaction), id)
}

func errorReply(transaction udp.TransactionId, text string) []byte {
	return append(beginReply(udp.ActionError, transaction), text...)
}

// announceReply holds the peers of one family, as many as fit into one packet.
func announceReply(transaction udp.TransactionId, reply announce.Reply, v6 bool, interval time.Duration) []byte {
	out := beginReply(udp.ActionAnnounce, transaction)
	for _, number := range []int64{int64(interval.Seconds()), reply.Incomplete, reply.Complete} {
		out = binary.BigEndian.AppendUint32(out, uint32(count(number)))
	}
	limit, entry := maxReplyV4, 6
	if v6 {
		limit, entry = maxReplyV6, 18
	}
	for _, peer := range reply.Peers {
		if peer.Address.Addr().Is6() != v6 {
			continue
		}
		if len(out)+entry > limit {
			break
		}
		out = append(out, peer.Address.Addr().AsSlice()...)
		out = binary.BigEndian.AppendUint16(out, peer.Address.Port())
	}
	return out
}

func scrapeReply(transaction udp.TransactionId, swarms []announce.Swarm) []byte {
	out := beginReply(udp.ActionScrape, transaction)
	for _, swarm := range swarms {
		for _, number := range []int64{swarm.Complete, swarm.Downloaded, swarm.Incomplete} {
			out = binary.BigEndian.AppendUint32(out, uint32(count(number)))
		}
	}
	return out
}

// count fits a number into the signed 32 bits that the protocol has for it.
func count(number int64) int32 { return int32(min(max(number, 0), math.MaxInt32)) }
