package storage_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// What the operator gave no query for is answered with the key to add, and without a query.
func TestNotConfigured(t *testing.T) {
	dsn := testdb.Database(t, tables)
	peersOnly, dataOnly := basic.without("data.", "gc_query"), basic.without("announce.", "peer.", "downloads.", "gc_query", "info_hash_count_query")
	type call struct {
		set querySet
		key string
		do  func(*opened) error
	}
	for name, c := range map[string]call{
		"Put": {peersOnly, "tracker.data.add_query", func(o *opened) error {
			_, err := o.data.Put(t.Context(), &trackerv1.PutRequest{Entries: []*trackerv1.Entry{{Key: []byte("k")}}})
			return err
		}},
		"Load": {peersOnly, "tracker.data.get_query", func(o *opened) error {
			_, err := o.data.Load(t.Context(), &trackerv1.LoadRequest{})
			return err
		}},
		"Contains": {peersOnly, "tracker.data.get_query", func(o *opened) error {
			_, err := o.data.Contains(t.Context(), &trackerv1.ContainsRequest{Keys: [][]byte{{1}}})
			return err
		}},
		"Delete": {peersOnly, "tracker.data.del_query", func(o *opened) error {
			_, err := o.data.Delete(t.Context(), &trackerv1.DeleteRequest{Key: [][]byte{{1}}})
			return err
		}},
		"RunGC": {peersOnly, "tracker.gc_query", func(o *opened) error {
			_, err := o.swarms.RunGC(t.Context(), &trackerv1.RunGCRequest{})
			return err
		}},
		"Stats": {dataOnly, "tracker.peer.count_query", func(o *opened) error {
			_, err := o.swarms.Stats(t.Context(), &trackerv1.StatsRequest{})
			return err
		}},
		"PutPeer": {dataOnly, "tracker.peer.add_query", func(o *opened) error {
			_, err := o.swarms.PutPeer(t.Context(), secretPut())
			return err
		}},
		"RemovePeer": {dataOnly, "tracker.peer.del_query", func(o *opened) error {
			_, err := o.swarms.RemovePeer(t.Context(), &trackerv1.RemovePeerRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 1)})
			return err
		}},
		"GraduateLeecher": {dataOnly, "tracker.peer.graduate_query", func(o *opened) error {
			_, err := o.swarms.GraduateLeecher(t.Context(), &trackerv1.GraduateLeecherRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 1)})
			return err
		}},
		"AnnouncePeers": {dataOnly, "tracker.announce.query", func(o *opened) error {
			_, err := o.swarms.AnnouncePeers(t.Context(), &trackerv1.AnnouncePeersRequest{InfoHash: hashOf(1), Want: 1})
			return err
		}},
		"ScrapeSwarm": {dataOnly, "tracker.peer.by_info_hash_clause", func(o *opened) error {
			_, err := o.swarms.ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: hashOf(1)})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := serve(t, dsn, c.set)
			var err error
			if trips := o.wire.count(func() { err = c.do(o) }); trips != 0 {
				t.Errorf("%d round trips", trips)
			}
			expect(t, err, codes.Unimplemented, fault.NotConfigured)
			if fault.OperationOf(err) != c.key || !strings.Contains(err.Error(), c.key+": no query is configured for it; add this key") {
				t.Errorf("the error is about %q and says %v; expected the key %s", fault.OperationOf(err), err, c.key)
			}
			shows(t, o, err)
		})
	}
}

// A group without queries is off, and the rest is served; what is left out changes the answer as the
// contract says.
func TestGroupsOff(t *testing.T) {
	dsn := testdb.Database(t, tables)
	for name, c := range map[string]struct {
		set  querySet
		want *trackerv1.CapabilitiesResponse
	}{
		"all":          {basic.with("peer.by_family_clause", "AND is_v6 = @is_v6"), &trackerv1.CapabilitiesResponse{Peers: true, Data: true, Downloads: true, Families: true, Collects: true}},
		"no data":      {basic.without("data."), &trackerv1.CapabilitiesResponse{Peers: true, Downloads: true, Collects: true}},
		"no downloads": {basic.without("downloads.", "gc_query"), &trackerv1.CapabilitiesResponse{Peers: true, Data: true}},
		"data only":    {basic.without("announce.", "peer.", "downloads.", "gc_query", "info_hash_count_query"), &trackerv1.CapabilitiesResponse{Data: true}},
	} {
		t.Run(name, func(t *testing.T) {
			o := serve(t, dsn, c.set)
			got := ok[*trackerv1.CapabilitiesResponse](t)(o.swarms.Capabilities(t.Context(), &trackerv1.CapabilitiesRequest{}))
			if !slices.Contains(got.GetQueries(), "tracker.ping_query") {
				t.Errorf("queries %q", got.GetQueries())
			}
			got.Queries, c.want.Preservable = nil, true
			if !proto.Equal(got, c.want) {
				t.Errorf("capabilities %v; expected %v", got, c.want)
			}
			if _, err := o.database.Ping(t.Context(), &trackerv1.PingRequest{}); err != nil {
				t.Errorf("Ping: %v", err)
			}
		})
	}
}

func TestDownloadsOff(t *testing.T) {
	o, hash := serve(t, testdb.Database(t, tables), basic.without("downloads.")), hashOf(1)
	o.put(t, hash, false, peerAt("192.0.2.1", 1))
	promoted := ok[*trackerv1.GraduateLeecherResponse](t)(o.swarms.GraduateLeecher(t.Context(), &trackerv1.GraduateLeecherRequest{InfoHash: hash, Peer: peerAt("192.0.2.1", 1)}))
	swarm := ok[*trackerv1.Swarm](t)(o.swarms.ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: hash}))
	if !promoted.GetPromoted() || swarm.GetSeeders() != 1 || swarm.GetSnatched() != 0 {
		t.Errorf("%v, swarm %v", promoted, swarm)
	}
}

// Half a group is a mistake, not a group that is off.
func TestHalfAGroup(t *testing.T) {
	for _, c := range []struct {
		set querySet
		key string
	}{
		{basic.without("data.get_query"), "tracker.data.get_query"},
		{basic.without("peer.by_info_hash_clause"), "tracker.peer.by_info_hash_clause"},
		{basic.without("announce."), "tracker.announce.query"},
	} {
		_, problems := load(t, c.set.yaml())
		if find(problems, "missing-query", c.key) == nil {
			t.Errorf("%s is missing, and the problems are %s", c.key, problems)
		}
	}
}

// Calls on a storage that cannot answer say why, with the code that tells the host what to do.
func TestStatesAreToldByCode(t *testing.T) {
	dsn := testdb.Database(t, tables)
	o := serve(t, dsn, basic)
	o.Close()
	_, err := o.swarms.PutPeer(t.Context(), secretPut())
	expect(t, err, codes.Canceled, fault.Closed)

	config, problems := load(t, basic.yaml())
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	config.Storage.Connection = dsn + " host=" + t.TempDir() // nobody listens there
	degraded, err := storage.Open(t.Context(), config.Storage, storage.Options{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	defer degraded.Close()
	<-degraded.Attempted()
	_, err = trackerv1.NewSwarmsClient(degraded.Conn()).PutPeer(t.Context(), secretPut())
	expect(t, err, codes.Unavailable, fault.Unavailable)
}

// Code, reason, operation, SQLSTATE and place are the same in-process and over gRPC.
func TestErrorsSurviveTheTransport(t *testing.T) {
	dsn := testdb.Database(t, tables, "ALTER TABLE peers ADD CONSTRAINT low CHECK (port < 10)")
	o := serve(t, dsn, basic)
	for name, client := range map[string]trackerv1.SwarmsClient{"in-process": o.swarms, "gRPC": trackerv1.NewSwarmsClient(dialled(t, o))} {
		_, err := client.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: hashOf(1), Peer: peerAt("192.0.2.1", 10)})
		expect(t, err, codes.FailedPrecondition, fault.Rejected)
		if fault.OperationOf(err) != "tracker.peer.add_query" || fault.SQLStateOf(err) != "23514" || !strings.Contains(err.Error(), "(constraint low)") {
			t.Errorf("%s: operation %q, SQLSTATE %q, %v", name, fault.OperationOf(err), fault.SQLStateOf(err), err)
		}
	}
}

// In-process callers and the storage share no memory.
func TestInProcessCallsCopy(t *testing.T) {
	o, hash := serve(t, testdb.Database(t, tables), basic), hashOf(1)
	request := secretPut()
	before := proto.Clone(request)
	if _, err := o.swarms.PutPeer(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(request, before) {
		t.Errorf("the request was changed to %v", request)
	}
	reply := &trackerv1.Swarm{Seeders: 99, BothFamilies: true}
	if err := o.Conn().Invoke(t.Context(), trackerv1.Swarms_ScrapeSwarm_FullMethodName, &trackerv1.ScrapeSwarmRequest{InfoHash: hash}, reply); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(reply, &trackerv1.Swarm{}) {
		t.Errorf("an old answer was left in %v", reply)
	}
	expectCode := o.Conn().Invoke(t.Context(), "/mortise.tracker.v1.Operations/GC", &trackerv1.GCParameters{}, &trackerv1.Affected{})
	expect(t, expectCode, codes.Unimplemented, "") // a step is no method for hosts
}

const notesContract = `
syntax = "proto3";
package notes.v1;
import "mortise/annotation/annotation.proto";
option (mortise.section) = { name: "notes" };
service Notes {
  rpc Add(Note) returns (Changed) { option (mortise.operation) = { query: "notes.add_query" result: AFFECTED need: REQUIRED }; }
  rpc Every(Nothing) returns (ALL) { option (mortise.operation) = { query: "notes.all_query" result: ROWS need: REQUIRED }; }
  rpc Some(Ids) returns (List) { option (mortise.operation) = { query: "notes.some_query" result: ROWS need: REQUIRED nothing_if_empty: "ids" }; }
}
message Nothing {}
message Ids { repeated int64 ids = 1; }
message Note { int64 id = 1; string text = 2; }
message List { repeated Note notes = 1; }
message Changed { optional int64 changed = 1; }`

func notes(t *testing.T, all string) []protoreflect.FileDescriptor {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "notes.proto")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(notesContract, "ALL", all)), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := mortise.CompileContract(t.Context(), []string{folder}, path)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func openNotes(t *testing.T, files []protoreflect.FileDescriptor) (*storage.Storage, error) {
	t.Helper()
	contract, err := storage.Contract(files...)
	if err != nil {
		t.Fatal(err)
	}
	return storage.Open(t.Context(), storage.Config{Connection: testdb.Database(t, "CREATE TABLE notes (id int8, text text)"), Sources: query.Sources{ByKey: map[string]query.Source{
		"notes.add_query":  {SQL: "INSERT INTO notes VALUES (@id, @text)"},
		"notes.all_query":  {SQL: "SELECT * FROM notes ORDER BY id"},
		"notes.some_query": {SQL: "SELECT * FROM notes WHERE id = ANY (@ids)"},
	}}}, storage.Options{Contract: contract, Quiet: true})
}

// An annotated method is served without any Go code of its own.
func TestAnnotatedMethodsOfAFurtherContract(t *testing.T) {
	files := notes(t, "List")
	s, err := openNotes(t, files)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if problems, err := s.Settled(t.Context()); err != nil || problems.Err() != nil {
		t.Fatal(problems, err)
	}
	conn := dialled(t, &opened{Storage: s})
	call := func(method string, fill func(protoreflect.Message)) string {
		t.Helper()
		service := files[0].Services().ByName("Notes").Methods().ByName(protoreflect.Name(method))
		args, reply := dynamicpb.NewMessage(service.Input()), dynamicpb.NewMessage(service.Output())
		if fill != nil {
			fill(args)
		}
		if err := conn.Invoke(t.Context(), "/notes.v1.Notes/"+method, args, reply); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		return strings.Join(strings.Fields(reply.String()), " ")
	}
	add := func(m protoreflect.Message) {
		fields := m.Descriptor().Fields()
		m.Set(fields.ByName("id"), protoreflect.ValueOfInt64(7))
		m.Set(fields.ByName("text"), protoreflect.ValueOfString("seven"))
	}
	for _, c := range []struct {
		method, want string
		fill         func(protoreflect.Message)
	}{
		{"Add", "changed:1", add},
		{"Every", `notes:{id:7 text:"seven"}`, nil},
		{"Some", "", nil},
	} {
		if got := call(c.method, c.fill); got != c.want {
			t.Errorf("%s answers %q; expected %q", c.method, got, c.want)
		}
	}
}

// An operation cannot be a stream: that is said at once, and not by a call that hangs.
func TestStreamsAreRefused(t *testing.T) {
	s, err := openNotes(t, notes(t, "stream Note"))
	if err == nil {
		s.Close()
		t.Fatal("a contract with a stream was opened")
	}
	if !strings.Contains(err.Error(), "notes.v1.Notes.Every: an operation cannot be a stream") {
		t.Error(err)
	}
}
