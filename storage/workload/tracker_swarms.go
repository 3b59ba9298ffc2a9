package workload

import (
	"encoding/binary"
	"net/netip"
	"sort"
	"strconv"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// swarms are the info hashes and how the peers are spread over them: peers from start[s] up to
// start[s+1] are in swarm s.
type swarms struct {
	seed  uint64
	start []int64
	own   [][]byte // hashes of the operator's own rows; then no peer is known
}

// perSwarm is how many peers a swarm has on average.
const perSwarm = 20

// planSwarms gives the swarm of rank r about a share of 1/r (Zipf's law, which popularity of torrents
// follows): with a million peers the biggest of 50 000 swarms has 88 000, and most have fewer than ten.
func planSwarms(plan Plan) *swarms {
	if plan.Size == 0 {
		return &swarms{seed: plan.Seed, own: plan.Keys}
	}
	n := max(plan.Size/perSwarm, 1)
	s := &swarms{seed: plan.Seed, start: make([]int64, n+1)}
	var harmonic float64
	for r := range n {
		harmonic += 1 / float64(r+1)
	}
	var sum float64
	for r := range n {
		sum += 1 / float64(r+1)
		// Each swarm has a peer, and what is left over goes by rank.
		s.start[r+1] = r + 1 + int64(sum/harmonic*float64(plan.Size-n)+0.5)
	}
	s.start[n] = plan.Size
	return s
}

func (s *swarms) count() int64 {
	if s.own != nil {
		return int64(len(s.own))
	}
	return int64(len(s.start) - 1)
}

func (s *swarms) size(swarm int64) int64 {
	if s.own != nil {
		return 0
	}
	return s.start[swarm+1] - s.start[swarm]
}

func (s *swarms) hash(swarm int64) []byte {
	if s.own != nil {
		return s.own[swarm]
	}
	return digest(s.seed, "swarm", swarm, 20)
}

// of returns the swarm of a loaded peer.
func (s *swarms) of(n int64) int64 {
	return int64(sort.Search(len(s.start)-1, func(i int) bool { return s.start[i+1] > n }))
}

// pick returns a swarm as announces come: as often as it has peers.
func (s *swarms) pick(x uint64) int64 {
	if s.own != nil {
		return below(x, int64(len(s.own)))
	}
	return s.of(below(x, s.start[len(s.start)-1]))
}

// A peer is a client in a swarm. Loaded ones have numbers below the planned size; those that turns put
// there have numbers above.
type peer struct {
	n      int64
	swarm  int64
	hash   []byte
	id     []byte
	addr   netip.Addr
	port   uint32
	seeder bool
	stale  bool
}

// loaded makes the n-th peer of the stored ones.
func (d *trackerData) loaded(n int64) *peer {
	p := d.peer(n, d.swarms.of(n))
	p.seeder = share(random(d.plan.Seed, "role", n)) < seederShare
	p.stale = n%staleEach == staleAt
	return p
}

// clients are the first program names of peer ids, by how often they are seen.
var clients = []string{"-qB4650-", "-qB4660-", "-TR4060-", "-UT3550-", "-lt0D80-"}

// idNumbers is how many numbers the rest of a peer id can hold.
const idNumbers = 1_000_000_000_000

// idFactor shuffles numbers in peer ids, and idInverse undoes it: their product is 1 mod idNumbers.
const (
	idFactor  = 387_420_489 // 3^18, without a divisor in common with 10
	idInverse = 555_513_180_409
)

// peer makes the peer with a number in a swarm. Every number has an address and an id of its own. IPv4
// addresses are spread over 1.0.0.0 to 223.255.255.255, IPv6 ones over the blocks that the registries
// give out.
func (d *trackerData) peer(n, swarm int64) *peer {
	x := random(d.plan.Seed, "peer", n)
	p := &peer{n: n, swarm: swarm, hash: d.swarms.hash(swarm), port: uint32(1024 + below(scramble(x), 64000))}
	digits := strconv.FormatUint(idNumbers+multiply(uint64(n), idFactor, idNumbers), 10)
	p.id = append([]byte(clients[below(x, int64(len(clients)))]), digits[1:]...)
	if share(random(d.plan.Seed, "family", n)) < v6Share {
		blocks := []uint32{0x20000000, 0x24000000, 0x26000000, 0x28000000, 0x2a000000}
		var a [16]byte
		binary.BigEndian.PutUint32(a[:], blocks[below(scramble(x+1), 5)]|uint32(x)&0x000fffff)
		binary.BigEndian.PutUint64(a[8:], uint64(n))
		p.addr = netip.AddrFrom16(a)
		return p
	}
	const addresses = 223 << 24
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 1<<24+uint32(multiply(uint64(n), 2_654_435_761, addresses)))
	p.addr = netip.AddrFrom4(a)
	return p
}

// number returns the number of the peer with an id, if it is one of ours.
func number(id []byte) (int64, bool) {
	if len(id) != 20 {
		return 0, false
	}
	shuffled, err := strconv.ParseUint(string(id[8:]), 10, 64)
	if err != nil {
		return 0, false
	}
	return int64(multiply(shuffled, idInverse, idNumbers)), true
}

func (p *peer) v6() bool { return p.addr.Is6() }

func (p *peer) order() string { return string(p.hash) + string(p.id) }

func (p *peer) message() *trackerv1.Peer {
	return &trackerv1.Peer{PeerId: p.id, Address: p.addr.AsSlice(), Port: p.port}
}

// passing makes a client that is there only for a turn, in a swarm chosen as announces come. Each
// purpose has numbers of its own, so that cases do not meddle with each other.
func (d *trackerData) passing(purpose int, n int64) *peer {
	number := d.plan.Size + int64(purpose) + purposes*n
	return d.peer(number, d.swarms.pick(random(d.plan.Seed, "home", number)))
}
