package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// random returns the number that belongs to a seed, a purpose and a number: the finaliser of
// SplitMix64, whose outputs for neighbouring inputs have nothing to do with each other.
func random(seed uint64, purpose string, n int64) uint64 {
	x := seed
	for _, c := range []byte(purpose) {
		x = scramble(x ^ uint64(c))
	}
	return scramble(x ^ scramble(uint64(n)))
}

func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below brings a random number into [0, n).
func below(x uint64, n int64) int64 {
	high, _ := bits.Mul64(x, uint64(n))
	return int64(high)
}

// share brings a random number into [0, 1).
func share(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// multiply returns a*b mod m.
func multiply(a, b, m uint64) uint64 {
	high, low := bits.Mul64(a%m, b%m)
	_, rest := bits.Div64(high, low, m)
	return rest
}

// digest makes n bytes, at most 32, that stand for a thing and tell nothing of it.
func digest(seed uint64, purpose string, i int64, n int) []byte {
	text := binary.BigEndian.AppendUint64([]byte(purpose), seed)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(text, uint64(i)))
	return sum[:n:n]
}

// spread shuffles [0, n): each number has another, seemingly anywhere.
func spread(i, n int64) int64 {
	if n < 2 {
		return 0
	}
	// A prime above what anybody stores, so that it has no divisor in common with n.
	const prime = 1_000_000_000_039
	return int64((multiply(uint64(i), prime, uint64(n)) + uint64(n)/3) % uint64(n))
}
