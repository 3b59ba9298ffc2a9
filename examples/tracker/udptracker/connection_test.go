package udptracker

import (
	"net/netip"
	"testing"
	"time"
)

func TestConnectionIDs(t *testing.T) {
	ids, err := newConnections()
	if err != nil {
		t.Fatal(err)
	}
	other, err := newConnections()
	if err != nil {
		t.Fatal(err)
	}
	// The seconds modulo 65536 are about to wrap.
	issued := time.Unix(65536*20000-30, 0)
	clock := issued
	ids.now = func() time.Time { return clock }
	other.now = ids.now
	me, mapped, neighbour := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	id := ids.issue(me)
	for _, tt := range []struct {
		name string
		ids  *connections
		from netip.Addr
		id   uint64
		age  time.Duration
		want bool
	}{
		{"at once", ids, me, id, 0, true},
		{"after the wrap", ids, me, id, 90 * time.Second, true},
		{"at the end", ids, me, id, lifetime, true},
		{"too late", ids, me, id, lifetime + time.Second, false},
		{"much too late", ids, me, id, time.Hour, false},
		{"before it was issued", ids, me, id, -time.Second, false},
		{"IPv4-mapped is the same address", ids, mapped, id, 0, true},
		{"another address", ids, neighbour, id, 0, false},
		{"another tracker", other, me, id, 0, false},
		{"one bit of the hash", ids, me, id ^ 1, 0, false},
		{"one bit of the time", ids, me, id ^ 1<<48, time.Minute, false},
		{"none", ids, me, 0, 0, false},
	} {
		clock = issued.Add(tt.age)
		if got := tt.ids.valid(tt.from, tt.id); got != tt.want {
			t.Errorf("%s: valid is %v", tt.name, got)
		}
	}
}
