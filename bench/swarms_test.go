package bench

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// batchSize is how many peers are written together.
const batchSize = 500

// A swarm is an info hash and the peers that are loaded into it. Clients that a benchmark writes come
// on top of them.
type swarm struct {
	hash []byte
	// loaded is how many peers are loaded, by role (0 leechers, 1 seeders) and family (0 IPv4, 1 IPv6).
	loaded [2][2]int
	// clients is how many clients of all ways may be there as well.
	clients int
}

func (s *swarm) total() int { return s.seeders() + s.leechers() }

func (s *swarm) seeders() int { return s.loaded[1][0] + s.loaded[1][1] }

func (s *swarm) leechers() int { return s.loaded[0][0] + s.loaded[0][1] }

// A peer is a client in a swarm, in the forms that the ways need: plain takes Go values, the API its
// message.
type peer struct {
	swarm   *swarm
	id      []byte
	address netip.Addr
	bytes   []byte // the address
	port    int32
	message *trackerv1.Peer
	// seeder is the role of a loaded peer; clients have what they are given.
	seeder bool
}

func (p *peer) v6() bool { return p.address.Is6() }

// peerOf makes the n-th peer of all. One of four has an IPv6 address. The addresses are spread over
// all that exist, as in a real swarm; no two peers have the same.
func peerOf(s *swarm, n int) *peer {
	rng := rand.New(rand.NewPCG(uint64(n), 0x6d6f7274697365))
	p := &peer{swarm: s, id: fmt.Appendf(nil, "-qB4650-%012d", n), port: 1024 + int32(rng.IntN(60000))}
	if n%4 == 3 {
		var a [16]byte
		binary.BigEndian.PutUint32(a[:], 0x2a000000|rng.Uint32N(1<<20))
		binary.BigEndian.PutUint64(a[8:], uint64(n))
		p.address = netip.AddrFrom16(a)
	} else {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], (1+rng.Uint32N(223))<<24|uint32(n)&0xffffff)
		p.address = netip.AddrFrom4(a)
	}
	p.bytes = p.address.AsSlice()
	p.message = &trackerv1.Peer{PeerId: p.id, Address: p.bytes, Port: uint32(p.port)}
	return p
}

// A population is all swarms, the peers that are loaded, and the clients that are written.
type population struct {
	swarms []*swarm
	// apart are swarms for clients that are not to be seen.
	apart  []*swarm
	loaded []*peer
	// clients by way and purpose.
	clients map[string]map[purpose][]*peer
	made    int
}

// A purpose says what is done to clients, so that what one benchmark leaves does not change what the
// next one does.
type purpose int

const (
	// staying clients are always there, as leechers or seeders; writes refresh them. Big swarms have
	// more of them, as they have more announces.
	staying purpose = iota
	// passing clients are there only within an iteration.
	passing
	// finishing clients become leechers and then seeders. They are spread evenly over the swarms, so
	// that callers do not wait for each other at the download counter of a big one.
	finishing
	// batched clients are refreshed many at a time. They are many, so they are loaded only when that is
	// measured, and into swarms of their own, which nobody reads.
	batched
	purposes
)

// populate plans swarms whose sizes fall with their rank (Zipf), the biggest having about a seventh
// of all peers. Each has peers of both roles and families; one of three is a seeder.
func populate(peers, swarms int, clients [purposes]int) *population {
	p := &population{clients: map[string]map[purpose][]*peer{}}
	weights, sum := make([]float64, swarms), 0.0
	for i := range weights {
		weights[i] = 1 / float64(i+1)
		sum += weights[i]
	}
	for i := range weights {
		s := &swarm{hash: infoHash("swarm", i)}
		p.swarms = append(p.swarms, s)
		for k := range max(8, int(float64(peers)*weights[i]/sum)) {
			one := p.peer(s)
			one.seeder = isSeeder(k)
			s.loaded[index(one.seeder)][index(one.v6())]++
			p.loaded = append(p.loaded, one)
		}
	}
	for i := range swarms {
		p.apart = append(p.apart, &swarm{hash: infoHash("apart", i)})
	}
	for _, way := range allWays {
		p.clients[way] = map[purpose][]*peer{}
		for u := range purposes {
			for k := range clients[u] {
				s := p.home(u, k)
				s.clients++
				p.clients[way][u] = append(p.clients[way][u], p.peer(s))
			}
		}
	}
	return p
}

func infoHash(kind string, n int) []byte {
	hash := sha1.Sum(fmt.Appendf(nil, "mortise bench %s %d", kind, n))
	return hash[:]
}

// home is the swarm of the k-th client for a purpose.
func (p *population) home(u purpose, k int) *swarm {
	switch u {
	case finishing:
		return p.swarms[k%len(p.swarms)]
	case batched:
		return p.apart[k%len(p.apart)]
	}
	return p.loaded[(k*7919)%len(p.loaded)].swarm
}

func (p *population) peer(s *swarm) *peer {
	p.made++
	return peerOf(s, p.made)
}

// isSeeder is the role of the k-th peer that is loaded into a swarm. Peers of one family come at
// every fourth place, so that both roles have both.
func isSeeder(k int) bool { return k%3 == 0 }

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// client returns the caller's next client for a purpose. No other caller has it.
func (c *caller) client(u purpose) *peer {
	all := c.env.population.clients[c.way][u]
	own := len(all) / c.of
	c.turn++
	return all[c.id*own+c.turn%own]
}

// swarm returns a swarm to read; big ones come more often.
func (c *caller) swarm() *swarm { return c.loaded().swarm }

// loaded returns a loaded peer, only to be looked at.
func (c *caller) loaded() *peer {
	c.turn++
	all := c.env.population.loaded
	return all[(c.id*104729+c.turn*7919)%len(all)]
}

// swarms returns n swarms next to each other.
func (c *caller) swarms(n int) []*swarm {
	c.turn++
	all := c.env.population.swarms
	from := (c.id*131 + c.turn*n) % (len(all) - n)
	return all[from : from+n]
}

// batch returns clients that are written together. There are as many batches as transactions run at
// once, and more, so that callers seldom meet in one.
func (c *caller) batch() []*peer {
	all := c.env.population.clients[c.way][batched]
	c.turn++
	k := (c.id + c.turn*c.of) % (len(all) / batchSize)
	return all[k*batchSize : (k+1)*batchSize]
}

// changes that store the peers, each in its role.
func changes(peers []*peer) []*trackerv1.PeerChange {
	all := make([]*trackerv1.PeerChange, len(peers))
	for k, p := range peers {
		all[k] = &trackerv1.PeerChange{Kind: trackerv1.PeerChange_PUT, InfoHash: p.swarm.hash, Peer: p.message, IsSeeder: p.seeder}
	}
	return all
}

// everybody returns all peers that may be in the tables.
func (p *population) everybody() []*peer {
	all := slices.Clone(p.loaded)
	for _, way := range allWays {
		for u := range purposes {
			all = append(all, p.clients[way][u]...)
		}
	}
	return all
}
