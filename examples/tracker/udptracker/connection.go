package udptracker

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/anacrolix/torrent/tracker/udp"
)

// lifetime is how long a connection id is accepted after it was given out (BEP 15).
const lifetime = 2 * time.Minute

// connections gives out connection ids, which prove that a client receives what is sent to its
// address: otherwise anybody could announce, and have answers sent, in anybody's name. It keeps
// nothing: an id is the second it was made in, modulo 65536, and 48 bits of a keyed hash of that
// second and the client's address. The port is left out, because address translation may change it
// between two packets. After 65536 seconds an old id is accepted again, from the same address
// only, whose owner has thereby proved what had to be proved.
type connections struct {
	key [32]byte
	now func() time.Time
}

func newConnections() (*connections, error) {
	c := &connections{now: time.Now}
	_, err := rand.Read(c.key[:])
	return c, err
}

// issue returns an id for the client at source.
func (c *connections) issue(source netip.Addr) udp.ConnectionId {
	return c.id(source, uint16(c.now().Unix()))
}

// valid says whether an id was issued to this source within its lifetime.
func (c *connections) valid(source netip.Addr, id udp.ConnectionId) bool {
	second := uint16(id >> 48)
	age := uint16(c.now().Unix()) - second // modulo 65536, as the second is
	if time.Duration(age)*time.Second > lifetime {
		return false
	}
	var given, right [8]byte
	binary.BigEndian.PutUint64(given[:], id)
	binary.BigEndian.PutUint64(right[:], c.id(source, second))
	return hmac.Equal(given[:], right[:])
}

func (c *connections) id(source netip.Addr, second uint16) udp.ConnectionId {
	mac := hmac.New(sha256.New, c.key[:])
	address := source.Unmap().As16()
	mac.Write(address[:])
	mac.Write(binary.BigEndian.AppendUint16(nil, second))
	return uint64(second)<<48 | binary.BigEndian.Uint64(mac.Sum(nil))>>16
}
