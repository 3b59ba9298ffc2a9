package workload

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/operation"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func contract(t *testing.T) *operation.Contract {
	t.Helper()
	c, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func all(string) bool { return true }

func planned(size int64, seed uint64) *trackerData {
	return Tracker{}.New(Plan{Size: size, Seed: seed, Now: now, Has: all}).(*trackerData)
}

// requests are some of all that a plan has: what is stored, made old, removed, and called.
func requests(d Data) []Request {
	var list []Request
	for i := int64(0); i < d.Rows(); i += 7 {
		list = append(list, d.Fill(i))
		list = append(list, d.Empty(i)...)
	}
	for i := range d.Aged() {
		list = append(list, d.Age(i))
	}
	for _, c := range d.Cases() {
		for _, n := range []int64{0, 1, 2, 3, 100_000} {
			turn := c.Turn(n)
			list = append(append(append(list, turn.Before...), turn.Call), turn.After...)
		}
	}
	return list
}

func TestAllFollowsFromTheSeed(t *testing.T) {
	first, again, other := requests(planned(2000, 1)), requests(planned(2000, 1)), requests(planned(2000, 2))
	if len(first) != len(again) {
		t.Fatalf("%d requests, then %d", len(first), len(again))
	}
	different := 0
	for i := range first {
		if first[i].Method != again[i].Method || !proto.Equal(first[i].Message, again[i].Message) {
			t.Fatalf("request %d is not the same again: %s", i, Describe(first[i].Message))
		}
		if !proto.Equal(first[i].Message, other[i].Message) {
			different++
		}
	}
	if different < len(first)/2 {
		t.Errorf("with another seed only %d of %d requests differ", different, len(first))
	}
}

func TestRequestsFitTheContract(t *testing.T) {
	c := contract(t)
	for _, data := range []*trackerData{planned(2000, 1), planned(1, 1),
		Tracker{}.New(Plan{Keys: [][]byte{make([]byte, 20), make([]byte, 32)}, Now: now, Has: all}).(*trackerData)} {
		for _, r := range requests(data) {
			op := c.Method(r.Method)
			if op == nil {
				continue // a composed method, which checks its requests itself
			}
			if _, err := op.Values(r.Message, now, nil); err != nil {
				t.Errorf("%s: %v in %s", op.Key, err, Describe(r.Message))
			}
		}
	}
}

func TestEverythingIsMeasured(t *testing.T) {
	c := contract(t)
	for _, d := range []*trackerData{planned(1000, 1)} {
		measured, names := map[string]bool{}, map[string]bool{}
		for _, one := range d.Cases() {
			measured[one.Method] = true
			name := fmt.Sprint(one.Method, one.Direct, one.Variant)
			if names[name] {
				t.Errorf("two cases are %s", name)
			}
			names[name] = true
		}
		for _, op := range c.Operations() {
			if !measured[op.FullMethod] {
				t.Errorf("no case is about %s", op.Key)
			}
		}
		for _, service := range c.Services() {
			for i := range service.Methods().Len() {
				method := fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(i).Name())
				if !measured[method] {
					t.Errorf("no case is about %s", method)
				}
			}
		}
	}
}

func TestQueriesThatAreMissingAreNotCalled(t *testing.T) {
	d := Tracker{}.New(Plan{Size: 100, Now: now, Has: func(method string) bool {
		switch method {
		case trackerv1.Operations_DataAdd_FullMethodName, trackerv1.Data_Load_FullMethodName, trackerv1.Data_Delete_FullMethodName:
			return true
		}
		return false
	}}).(*trackerData)
	for i := range d.Rows() {
		if r := d.Fill(i); r.Method != trackerv1.Operations_DataAdd_FullMethodName {
			t.Fatalf("%s is called to fill", r.Method)
		}
	}
	for _, c := range d.Cases() {
		for _, r := range append(c.Turn(1).Before, c.Turn(1).Call) {
			if op := contract(t).Method(r.Method); op != nil && op.Group != "data" {
				t.Errorf("%s is called", op.Key)
			}
		}
	}
}

func TestPeersAreSpread(t *testing.T) {
	const size = 20_000
	d := planned(size, 3)
	ids, places := map[string]bool{}, map[string]bool{}
	bySwarm := map[int64]int64{}
	var seeders, v6, stale int
	for i := range int64(size) {
		m := d.Fill(i).Message.(*trackerv1.PutPeerRequest)
		n, ok := number(m.GetPeer().GetPeerId())
		if !ok || n < 0 || n >= size {
			t.Fatalf("%s has the number %d", Describe(m), n)
		}
		p := d.loaded(n)
		ids[string(p.id)], places[fmt.Sprint(p.addr)] = true, true
		bySwarm[p.swarm]++
		seeders, v6, stale = seeders+count(p.seeder), v6+count(p.v6()), stale+count(p.stale)
		if m.GetCreated().AsTime().Before(now) {
			t.Fatalf("%s is dated before now", Describe(m))
		}
	}
	if len(ids) != size || len(places) != size {
		t.Errorf("%d ids and %d addresses of %d peers", len(ids), len(places), size)
	}
	for s := range d.swarms.count() {
		if bySwarm[s] != d.swarms.size(s) || bySwarm[s] < 1 {
			t.Fatalf("swarm %d has %d peers, and %d were planned", s, bySwarm[s], d.swarms.size(s))
		}
	}
	if biggest := d.swarms.size(0); biggest < size/20 || biggest < 10*d.swarms.size(d.swarms.count()/2) {
		t.Errorf("the biggest swarm has %d peers, the one in the middle %d", biggest, d.swarms.size(d.swarms.count()/2))
	}
	for name, got := range map[string][2]float64{"seeders": {float64(seeders) / size, seederShare}, "IPv6": {float64(v6) / size, v6Share}, "stale": {float64(stale) / size, 1.0 / staleEach}} {
		if got[0] < got[1]-0.02 || got[0] > got[1]+0.02 {
			t.Errorf("%.3f are %s", got[0], name)
		}
	}
	if int64(stale) != d.Aged() {
		t.Errorf("%d are stale, and %d are aged", stale, d.Aged())
	}
}

func TestStalePeersAreOld(t *testing.T) {
	d := planned(500, 1)
	seen := map[string]bool{}
	for i := range d.Aged() {
		m := d.Age(i).Message.(*trackerv1.PutPeerRequest)
		if m.GetCreated().AsTime().After(now.Add(-d.lifetime)) {
			t.Errorf("%s is not stale", Describe(m))
		}
		seen[string(m.GetPeer().GetPeerId())] = true
	}
	if int64(len(seen)) != d.Aged() || d.Aged() != 500/staleEach {
		t.Errorf("%d peers of %d are made old", len(seen), d.Aged())
	}
	for n := range int64(1000) {
		if d.someone("any", n).stale {
			t.Fatal("a stale peer is refreshed")
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestPassingClientsDoNotMeet(t *testing.T) {
	d := planned(300, 1)
	seen := map[string]string{}
	for _, c := range d.Cases() {
		if !c.Bounded || c.Consumes {
			continue
		}
		for n := range int64(50) {
			for _, r := range c.Turn(n).After {
				m, ok := r.Message.(*trackerv1.DeletePeerRequest)
				if !ok {
					continue
				}
				turn := fmt.Sprint(c.Method, c.Variant, n)
				id := string(m.GetPeer().GetPeerId())
				if other := seen[id]; other != "" && other != turn {
					t.Fatalf("%s and %s use the same client", turn, other)
				}
				seen[id] = turn
			}
		}
	}
	if len(seen) == 0 {
		t.Error("no turn removes a client")
	}
}
