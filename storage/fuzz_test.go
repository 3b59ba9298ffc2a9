package storage_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

// FuzzRequest takes bytes for requests, as a transport would, and sends them to a real database: no
// call panics, costs the connection, or ends with another error than the contract knows.
func FuzzRequest(f *testing.F) {
	o := open(f, testdb.Database(f, read(f, "../schema.sql")), read(f, "../queries.example.yaml"))
	if err := o.problems.Err(); err != nil {
		f.Fatal(err)
	}
	methods := []struct {
		name    string
		request proto.Message
		reply   proto.Message
	}{
		{trackerv1.Swarms_PutPeer_FullMethodName, &trackerv1.PutPeerRequest{}, &trackerv1.Affected{}},
		{trackerv1.Swarms_Announce_FullMethodName, &trackerv1.AnnounceRequest{}, &trackerv1.AnnounceResponse{}},
		{trackerv1.Swarms_AnnouncePeers_FullMethodName, &trackerv1.AnnouncePeersRequest{}, &trackerv1.AnnouncePeersResponse{}},
		{trackerv1.Swarms_GraduateLeecher_FullMethodName, &trackerv1.GraduateLeecherRequest{}, &trackerv1.GraduateLeecherResponse{}},
		{trackerv1.Swarms_PutPeers_FullMethodName, &trackerv1.PutPeersRequest{}, &trackerv1.PutPeersResponse{}},
		{trackerv1.Swarms_ScrapeSwarms_FullMethodName, &trackerv1.ScrapeSwarmsRequest{}, &trackerv1.ScrapeSwarmsResponse{}},
		{trackerv1.Data_Put_FullMethodName, &trackerv1.PutRequest{}, &trackerv1.PutResponse{}},
		{trackerv1.Data_Load_FullMethodName, &trackerv1.LoadRequest{}, &trackerv1.LoadResponse{}},
	}
	for i, seed := range fuzzSeeds() {
		raw, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), raw)
	}
	if _, err := o.database.Ping(context.Background(), &trackerv1.PingRequest{}); err != nil {
		f.Fatal(err)
	}
	connections := o.wire.connections()
	f.Fuzz(func(t *testing.T, choice uint8, raw []byte) {
		method := methods[int(choice)%len(methods)]
		request := proto.Clone(method.request)
		if proto.Unmarshal(raw, request) != nil {
			return
		}
		reply := proto.Clone(method.reply)
		err := o.Conn().Invoke(context.Background(), method.name, request, reply)
		known(t, method.name, status.Code(err), fault.ReasonOf(err), err)
		if announced, is := reply.(*trackerv1.AnnounceResponse); is && announced.GetWriteError() != nil {
			known(t, method.name, codes.Code(announced.GetWriteError().GetCode()), fault.Reason(announced.GetWriteError().GetReason()), err)
		}
		if put, is := reply.(*trackerv1.PutPeersResponse); is {
			for _, result := range put.GetResults() {
				if failed := result.GetError(); failed != nil {
					known(t, method.name, codes.Code(failed.GetCode()), fault.Reason(failed.GetReason()), err)
				}
			}
		}
		if o.wire.connections() != connections {
			t.Fatalf("%s cost a connection: %v", method.name, err)
		}
	})
}

// known reports an error that a request of whatever content must not lead to.
func known(t *testing.T, method string, code codes.Code, reason fault.Reason, err error) {
	t.Helper()
	switch {
	case err == nil && reason == "":
	case code == codes.NotFound && reason == fault.DoesNotExist:
	case code == codes.InvalidArgument && reason == fault.InvalidArgument:
	case code == codes.FailedPrecondition && reason == fault.Rejected:
	default:
		t.Fatalf("%s: %s %q: %v", method, code, reason, err)
	}
}

// fuzzSeeds are requests of which most reach the database, in the order of the methods.
func fuzzSeeds() []proto.Message {
	v4, v6 := peerAt("192.0.2.1", 6881), peerAt("2001:db8::1", 51413)
	agent, number := "agent", int64(1)
	values := &trackerv1.HostValues{UserAgent: &agent, Uploaded: &number, Left: &number}
	return []proto.Message{
		&trackerv1.PutPeerRequest{InfoHash: hashOf(1), Peer: v4, IsSeeder: true, Created: timestamppb.New(time.Unix(1700000000, 5)), HostValues: values},
		&trackerv1.AnnounceRequest{InfoHashes: [][]byte{hashOf(1), hashOf(2)}, Peers: []*trackerv1.Peer{v4, v6}, Action: trackerv1.Action_GRADUATE,
			Want: 50, Families: []trackerv1.Family{trackerv1.Family_IPV6, trackerv1.Family_IPV4}, WantCounts: true, HostValues: values},
		&trackerv1.AnnouncePeersRequest{InfoHash: hashOf(1), Want: 5, V6: true, Requester: v6},
		&trackerv1.GraduateLeecherRequest{InfoHash: hashOf(1), Peer: v4},
		&trackerv1.PutPeersRequest{Changes: []*trackerv1.PeerChange{{InfoHash: hashOf(1), Peer: v4},
			{Kind: trackerv1.PeerChange_DELETE, InfoHash: hashOf(1), Peer: v6, IsSeeder: true}, {Kind: trackerv1.PeerChange_GRADUATE, InfoHash: hashOf(2), Peer: v4}}},
		&trackerv1.ScrapeSwarmsRequest{InfoHashes: [][]byte{hashOf(1), hashOf(2), hashOf(3)}},
		&trackerv1.PutRequest{Context: "c", Entries: []*trackerv1.Entry{{Key: []byte("k"), Value: []byte("v")}, {Key: []byte("n")}}},
		&trackerv1.LoadRequest{Context: "c", Key: []byte("k")},
	}
}
