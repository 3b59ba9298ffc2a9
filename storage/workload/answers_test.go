package workload

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// someOf returns stored peers of the biggest swarm in one family and role.
func (d *trackerData) someOf(n int, v6, seeder bool) []proto.Message {
	var rows []proto.Message
	for i := int64(0); i < d.swarms.size(0) && len(rows) < n; i++ {
		if p := d.loaded(i); p.v6() == v6 && p.seeder == seeder {
			rows = append(rows, p.message())
		}
	}
	return rows
}

func TestListsThatCannotBeRight(t *testing.T) {
	d := planned(5000, 1)
	seeders, leechers := d.someOf(5, false, true), d.someOf(5, false, false)
	other := d.loaded(d.swarms.start[1]).message()
	moved := proto.Clone(seeders[0]).(*trackerv1.Peer)
	moved.Port++
	stranger := proto.Clone(seeders[0]).(*trackerv1.Peer)
	stranger.PeerId = []byte("-XX0000-abcdefghijkl")
	hash := d.swarms.hash(0)
	one := &trackerv1.AnnounceParameters{InfoHash: hash, IsSeeder: true, Count: 3}
	mixed := &trackerv1.AnnounceMixedParameters{InfoHash: hash, Count: 50}
	for name, tt := range map[string]struct {
		call proto.Message
		rows []proto.Message
		want string
	}{
		"seeders":               {one, seeders[:3], ""},
		"none":                  {one, nil, ""},
		"too many":              {one, seeders[:4], "4 peers are listed"},
		"a leecher":             {one, leechers[:1], "other role"},
		"the other family":      {one, d.someOf(1, true, true), "other address family"},
		"another swarm":         {one, []proto.Message{other}, "another swarm"},
		"another port":          {one, []proto.Message{moved}, "never stored so"},
		"a stranger":            {one, []proto.Message{stranger}, "never stored"},
		"twice":                 {one, []proto.Message{seeders[0], seeders[0]}, "twice"},
		"roles in order":        {mixed, append(append([]proto.Message{}, seeders...), leechers...), ""},
		"roles in wrong order":  {mixed, append(append([]proto.Message{}, leechers...), seeders...), "after leechers"},
		"seeders for a seeder":  {&trackerv1.AnnounceMixedParameters{InfoHash: hash, Count: 50, ForSeeder: true}, seeders, "other role"},
		"leechers for a seeder": {&trackerv1.AnnounceMixedParameters{InfoHash: hash, Count: 50, ForSeeder: true}, leechers, ""},
	} {
		got := d.wrongPeers(Turn{Call: Request{Message: tt.call}}, &Answer{Rows: tt.rows})
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q; expected %q", name, got, tt.want)
		}
	}
}

func TestListsThatDiffer(t *testing.T) {
	d := planned(50_000, 1)
	many := d.someOf(2*want, false, true)
	few := many[:5]
	reversed := []proto.Message{few[4], few[3], few[2], few[1], few[0]}
	for name, tt := range map[string]struct {
		a, b []proto.Message
		want string
	}{
		"another order":          {few, reversed, ""},
		"another choice of many": {many[:want], many[want:], ""},
		"one is missing":         {few, few[:4], "A lists 5 peers, B 4"},
		"another one of few":     {few, append(append([]proto.Message{}, few[:4]...), many[7]), "only B lists"},
	} {
		if got := d.differentPeers(Turn{}, &Answer{Rows: tt.a}, &Answer{Rows: tt.b}); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q; expected %q", name, got, tt.want)
		}
	}
}

func TestDifference(t *testing.T) {
	counts := func(s, l int64) proto.Message { return &trackerv1.Counts{Seeders: s, Leechers: l} }
	swarm := func(both bool) proto.Message { return &trackerv1.Swarm{Seeders: 1, BothFamilies: both} }
	scraped := func(n int64) proto.Message {
		return &trackerv1.ScrapeRow{InfoHash: []byte{byte(n)}, Seeders: n}
	}
	exact, affected := &Case{}, &Case{Differ: func(_ Turn, a, b *Answer) string { return compareBut(a, b, "affected") }}
	family, scrape := &Case{}, &Case{Differ: differentScrapes}
	for _, c := range planned(100, 1).Cases() {
		if c.Method == trackerv1.Swarms_ScrapeFamily_FullMethodName {
			family = c
		}
	}
	results := func(n *int64) proto.Message {
		return &trackerv1.PutPeersResponse{Results: []*trackerv1.PeerChangeResult{{Affected: n}}}
	}
	for name, tt := range map[string]struct {
		c    *Case
		a, b Answer
		want string
	}{
		"equal":              {exact, Answer{Rows: []proto.Message{counts(1, 2)}}, Answer{Rows: []proto.Message{counts(1, 2)}}, ""},
		"other counts":       {exact, Answer{Rows: []proto.Message{counts(1, 2)}}, Answer{Rows: []proto.Message{counts(1, 3)}}, "A has seeders=1 leechers=2, B seeders=1 leechers=3"},
		"no row":             {exact, Answer{Rows: []proto.Message{counts(1, 2)}}, Answer{}, "A has 1 rows, B 0"},
		"other order":        {exact, Answer{Rows: []proto.Message{counts(1, 2), counts(3, 4)}}, Answer{Rows: []proto.Message{counts(3, 4), counts(1, 2)}}, ""},
		"other code":         {exact, Answer{Code: codes.NotFound}, Answer{}, "A answers NotFound, B OK"},
		"other effect":       {exact, Answer{Affected: 1, Counted: true}, Answer{Counted: true}, "A affects 1 rows, B 0"},
		"untold effect":      {exact, Answer{Affected: 1, Counted: true}, Answer{}, ""},
		"untold in a list":   {affected, Answer{Rows: []proto.Message{results(proto.Int64(1))}}, Answer{Rows: []proto.Message{results(nil)}}, ""},
		"other in a list":    {affected, Answer{Rows: []proto.Message{results(proto.Int64(1))}}, Answer{Rows: []proto.Message{results(proto.Int64(0))}}, "affected=0"},
		"families not told":  {family, Answer{Rows: []proto.Message{swarm(true)}}, Answer{Rows: []proto.Message{&trackerv1.Swarm{}}}, ""},
		"families told":      {family, Answer{Rows: []proto.Message{swarm(false)}}, Answer{Rows: []proto.Message{&trackerv1.Swarm{}}}, "seeders=0"},
		"zero is no row":     {scrape, Answer{Rows: []proto.Message{scraped(1), scraped(0)}}, Answer{Rows: []proto.Message{scraped(1)}}, ""},
		"another is one":     {scrape, Answer{Rows: []proto.Message{scraped(1), scraped(2)}}, Answer{Rows: []proto.Message{scraped(1)}}, "A has 2 rows, B 1"},
		"bytes are readable": {exact, Answer{Rows: []proto.Message{&trackerv1.LoadResponse{Value: []byte{0xab}}}}, Answer{Rows: []proto.Message{&trackerv1.LoadResponse{}}}, "0xab"},
	} {
		if got := tt.c.Difference(Turn{}, &tt.a, &tt.b); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q; expected %q", name, got, tt.want)
		}
	}
}

func TestAsMethod(t *testing.T) {
	c := contract(t)
	for _, tt := range []struct {
		method string
		absent bool
	}{{trackerv1.Swarms_PutPeer_FullMethodName, false}, {trackerv1.Swarms_DeletePeer_FullMethodName, false}, {trackerv1.Data_Load_FullMethodName, true}} {
		for _, one := range planned(100, 1).Cases() {
			if one.Method != tt.method || !one.Direct {
				continue
			}
			m := one.AsMethod(c.Method(one.Method))
			if m.Direct || m.MayBeAbsent != tt.absent || !one.Direct {
				t.Errorf("%s as a method: %+v", one.Method, m)
			}
		}
	}
	put := (&Case{}).AsMethod(c.Method(trackerv1.Swarms_PutPeer_FullMethodName))
	one, none := &Answer{Rows: []proto.Message{&trackerv1.Affected{Affected: proto.Int64(1)}}}, &Answer{Rows: []proto.Message{&trackerv1.Affected{}}}
	if got := put.Difference(Turn{}, one, none); got != "" {
		t.Errorf("a number that is not told is a difference: %s", got)
	}
}

func TestOnlyKnownSectionsHaveAWorkload(t *testing.T) {
	if domain, ok := For("tracker"); !ok || domain.Section() != "tracker" || domain.Things() != "peers" || domain.Keys() == "" || len(domain.Quiet()) == 0 {
		t.Errorf("the tracker has %v, %t", domain, ok)
	}
	if domain, ok := For("media"); !ok || domain.Section() != "media" || domain.Things() != "aliases" || domain.Keys() == "" || len(domain.Quiet()) == 0 {
		t.Errorf("media has %v, %t", domain, ok)
	}
	if _, ok := For("library"); ok {
		t.Error("a section that nobody knows has a workload")
	}
}
