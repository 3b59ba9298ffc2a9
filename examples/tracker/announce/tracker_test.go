package announce

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// recorder takes down what the storage is asked, and answers as it is told. What a database does
// with such calls is tested in package server, on a real one.
type recorder struct {
	trackerv1.SwarmsClient
	trackerv1.DataClient
	announced *trackerv1.AnnounceRequest
	scraped   *trackerv1.ScrapeSwarmsRequest
	asked     *trackerv1.ContainsRequest
	answer    *trackerv1.AnnounceResponse
	approved  []bool
	err       error
}

func (r *recorder) Announce(_ context.Context, in *trackerv1.AnnounceRequest, _ ...grpc.CallOption) (*trackerv1.AnnounceResponse, error) {
	r.announced = in
	return r.answer, r.err
}

func (r *recorder) ScrapeSwarms(_ context.Context, in *trackerv1.ScrapeSwarmsRequest, _ ...grpc.CallOption) (*trackerv1.ScrapeSwarmsResponse, error) {
	r.scraped = in
	out := &trackerv1.ScrapeSwarmsResponse{}
	for i := range in.GetInfoHashes() {
		n := int64(i + 1)
		out.Swarms = append(out.Swarms, &trackerv1.Swarm{Seeders: n, Leechers: 10 * n, Snatched: 100 * n})
	}
	return out, r.err
}

func (r *recorder) Contains(_ context.Context, in *trackerv1.ContainsRequest, _ ...grpc.CallOption) (*trackerv1.ContainsResponse, error) {
	r.asked = in
	return &trackerv1.ContainsResponse{Found: r.approved}, r.err
}

func (r *recorder) tracker(o Options) *Tracker {
	return New(Clients{Swarms: r, Data: r}, o)
}

var from = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6881")}

func TestAnnounceReply(t *testing.T) {
	var log bytes.Buffer
	r := &recorder{answer: &trackerv1.AnnounceResponse{
		Complete: 3, Incomplete: 4, Downloaded: 5,
		Peers: []*trackerv1.Peer{
			{PeerId: bytes.Repeat([]byte{7}, 20), Address: []byte{192, 0, 2, 9}, Port: 65535},
			{PeerId: []byte("short"), Address: []byte{192, 0, 2, 9}, Port: 1},
			{PeerId: make([]byte, 20), Address: []byte{1, 2, 3}, Port: 1},
			{PeerId: make([]byte, 20), Address: []byte{192, 0, 2, 9}, Port: 65536},
			{PeerId: make([]byte, 20), Address: netip.MustParseAddr("2001:db8::2").AsSlice(), Port: 1},
		},
	}}
	reply, err := r.tracker(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}).
		Announce(t.Context(), Request{InfoHash: make([]byte, 20), Addresses: from, Want: 50})
	if err != nil {
		t.Fatal(err)
	}
	if reply.Complete != 3 || reply.Incomplete != 4 || reply.Downloaded != 5 || len(reply.Peers) != 2 {
		t.Fatalf("%+v", reply)
	}
	if got := reply.Peers[0]; got.Address.String() != "192.0.2.9:65535" || got.ID[19] != 7 {
		t.Errorf("%+v", got)
	}
	if got := reply.Peers[1].Address.String(); got != "[2001:db8::2]:1" {
		t.Error(got)
	}
	if n := strings.Count(log.String(), "malformed peer"); n != 3 {
		t.Errorf("%d malformed peers are logged", n)
	}
}

func TestWriteError(t *testing.T) {
	for _, tt := range []struct {
		name   string
		event  Event
		code   codes.Code
		logged bool
	}{
		{"a stop of somebody unknown", Stopped, codes.NotFound, false},
		{"a stop that failed", Stopped, codes.Unavailable, true},
		{"a refused peer", None, codes.FailedPrecondition, true},
		{"a put that finds nothing", None, codes.NotFound, true},
	} {
		var log bytes.Buffer
		r := &recorder{answer: &trackerv1.AnnounceResponse{Complete: 1, WriteError: &trackerv1.Failure{Code: int32(tt.code), Message: "why"}}}
		reply, err := r.tracker(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}).
			Announce(t.Context(), Request{InfoHash: make([]byte, 20), Addresses: from, Event: tt.event})
		if err != nil || reply.Complete != 1 {
			t.Errorf("%s: %+v, %v", tt.name, reply, err)
		}
		if logged := log.Len() > 0; logged != tt.logged {
			t.Errorf("%s: log is %q", tt.name, log.String())
		}
	}
}

func TestApproval(t *testing.T) {
	hash := bytes.Repeat([]byte{5}, 32)
	for _, tt := range []struct {
		name     string
		options  Options
		event    Event
		approved []bool
		asked    bool
		refused  bool
	}{
		{"not demanded", Options{}, None, nil, false, false},
		{"approved", Options{ApprovedOnly: true}, None, []bool{true, false}, true, false},
		{"approved by the short form", Options{ApprovedOnly: true}, None, []bool{false, true}, true, false},
		{"not approved", Options{ApprovedOnly: true}, None, []bool{false, false}, true, true},
		{"who stops is let go", Options{ApprovedOnly: true}, Stopped, nil, false, false},
	} {
		r := &recorder{answer: &trackerv1.AnnounceResponse{}, approved: tt.approved}
		_, err := r.tracker(tt.options).Announce(t.Context(), Request{InfoHash: hash, Addresses: from, Event: tt.event, Left: 1})
		if errors.As(err, new(Refusal)) != tt.refused || (r.announced == nil) != tt.refused {
			t.Errorf("%s: %v", tt.name, err)
		}
		if (r.asked != nil) != tt.asked {
			t.Errorf("%s: asked %v", tt.name, r.asked)
		}
		if tt.asked && (r.asked.Context != "MW_APPROVAL" || len(r.asked.Keys) != 2 || !bytes.Equal(r.asked.Keys[0], hash) || !bytes.Equal(r.asked.Keys[1], hash[:20])) {
			t.Errorf("%s: asked %v", tt.name, r.asked)
		}
	}
}

func TestScrapeSums(t *testing.T) {
	v1, v2 := make([]byte, 20), make([]byte, 32)
	r := &recorder{}
	swarms, err := r.tracker(Options{}).Scrape(t.Context(), [][]byte{v1, v2, v1})
	if err != nil {
		t.Fatal(err)
	}
	// The second counts as its two forms, 2 and 3.
	want := []Swarm{{1, 10, 100}, {5, 50, 500}, {4, 40, 400}}
	if len(swarms) != len(want) {
		t.Fatalf("%v", swarms)
	}
	for i := range want {
		if swarms[i] != want[i] {
			t.Errorf("swarm %d is %+v, want %+v", i, swarms[i], want[i])
		}
	}
	if _, err := r.tracker(Options{}).Scrape(t.Context(), nil); !errors.As(err, new(Refusal)) {
		t.Errorf("a scrape of everything: %v", err)
	}
}

func TestClientText(t *testing.T) {
	for _, tt := range []struct {
		err   error
		text  string
		blame bool
	}{
		{Refusal("port must be 1 to 65535"), "port must be 1 to 65535", true},
		{status.Error(codes.NotFound, "tracker.peer.del_query: no such row"), textMissing, true},
		{status.Error(codes.InvalidArgument, "secret"), textArgument, true},
		{status.Error(codes.Internal, "column \"pasword\" does not exist"), textTrouble, false},
		{status.Error(codes.Unavailable, "10.0.0.7:5432"), textTrouble, false},
		{context.DeadlineExceeded, textTrouble, false},
		{errors.New("anything"), textTrouble, false},
	} {
		if text, blame := ClientText(tt.err); text != tt.text || blame != tt.blame {
			t.Errorf("ClientText(%v) = %q, %v", tt.err, text, blame)
		}
	}
}
