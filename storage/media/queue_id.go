package media

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"
)

// A sequence makes UUIDs of version 7 (RFC 9562, 5.7), each greater than the one before: in front the
// milliseconds of the service's clock, behind them a number that is random at first and, within one
// millisecond, grows (6.2, method 2). So jobs that were pushed one after the other in a process are in
// that order even where their queue times are the same, and new rows are near each other in an index.
type sequence struct {
	mu           sync.Mutex
	milliseconds int64
	high         uint16 // 12 bits
	low          uint64 // 62 bits
}

// jobIDs are those of this process.
var jobIDs sequence

const (
	highBits = 1<<12 - 1
	lowBits  = 1<<62 - 1
)

func (s *sequence) next(now time.Time) []byte {
	random := make([]byte, 10)
	_, _ = rand.Read(random) // it never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	if ms := max(now.UnixMilli(), 0); ms > s.milliseconds {
		s.milliseconds = ms
		s.high, s.low = binary.BigEndian.Uint16(random)&highBits, binary.BigEndian.Uint64(random[2:])&lowBits
	} else {
		s.grow(1 + uint64(binary.BigEndian.Uint32(random)))
	}
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id, uint64(s.milliseconds)<<16|0x7000|uint64(s.high))
	binary.BigEndian.PutUint64(id[8:], 1<<63|s.low)
	return id
}

// grow adds to the number; what does not fit goes to the next millisecond.
func (s *sequence) grow(by uint64) {
	if s.low += by; s.low <= lowBits {
		return
	}
	s.low &= lowBits
	if s.high++; s.high > highBits {
		s.high = 0
		s.milliseconds++
	}
}

// newUploadID makes a random UUID, version 4 (RFC 9562, 5.4): upload ids are shown to users, who must
// not be able to guess those of others.
func newUploadID() []byte {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // it never fails
	id[6] = 0x40 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}
