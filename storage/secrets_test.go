package storage_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

// Values that would be known again wherever they turn up.
var (
	secretHash    = []byte("hash-Zq7-secret-hash")
	secretID      = []byte("peer-Xk3-secret-peer")
	secretAddress = []byte{203, 0, 113, 77}
	secretPort    = uint32(54321)
	secretAgent   = "agent-Wv9-secret"
	secretUser    = "user-Jd5-secret"
	secretEvent   = "event-Gb2-secret"
	secretContext = "context-Rm8-secret"
	secretKey     = []byte("key-Lp6-secret")
	secretValue   = []byte("value-Ty1-secret")
	secretNumber  = int64(918273645546372)
	secretTime    = time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
)

// secretForms are the forms in which a value can show.
func secretForms() []string {
	forms := []string{secretAgent, secretUser, secretEvent, secretContext, "203.0.113.77", "54321", fmt.Sprint(secretNumber), "2031-02-03", fmt.Sprint(secretTime.Unix())}
	for _, b := range [][]byte{secretHash, secretID, secretKey, secretValue, secretAddress} {
		for _, part := range [][]byte{b, b[:min(len(b), 8)]} {
			forms = append(forms, string(part), hex.EncodeToString(part), strings.TrimRight(base64.StdEncoding.EncodeToString(part), "="), fmt.Sprint(part))
		}
	}
	return forms
}

// leaks returns the forms of secrets that a text holds.
func leaks(text string) []string {
	var found []string
	for _, form := range secretForms() {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			found = append(found, form)
		}
	}
	return found
}

func secretPut() *trackerv1.PutPeerRequest {
	return &trackerv1.PutPeerRequest{InfoHash: secretHash, Peer: &trackerv1.Peer{PeerId: secretID, Address: secretAddress, Port: secretPort},
		Created: timestamppb.New(secretTime), HostValues: &trackerv1.HostValues{Event: &secretEvent, Uploaded: &secretNumber, UserKey: &secretUser, UserAgent: &secretAgent}}
}

const secretTables = `
	CREATE TABLE store (info_hash bytea, peer_id bytea, address inet, port int4, created timestamptz, uploaded int8, event text,
		user_key text, user_agent text, context text, name bytea, value bytea);
	CREATE FUNCTION raise(code text, VARIADIC words text[]) RETURNS void LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = array_to_string(words, ' '), DETAIL = words[1], HINT = words[2]; END $$;
	CREATE FUNCTION compose(word text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT ' || quote_ident(word); END $$;
	CREATE VIEW few AS SELECT * FROM store WHERE user_key = 'nobody' WITH CHECK OPTION;`

const insertAll = "(info_hash, peer_id, address, port, created, uploaded, event, user_key, user_agent)\n" +
	"VALUES (@info_hash, @peer_id, @address, @port, @created, @uploaded, @event, @user_key, @user_agent)"

// However a call fails, neither its error nor the log shows what was in it.
func TestNoValueInErrorsAndLog(t *testing.T) {
	for name, c := range map[string]struct {
		also, query string
		change      func(*trackerv1.PutPeerRequest)
		code        codes.Code
		reason      fault.Reason
	}{
		"check constraint":  {also: "ALTER TABLE store ADD CHECK (port < 10)", query: "INSERT INTO store " + insertAll, code: codes.FailedPrecondition, reason: fault.Rejected},
		"not null":          {also: "ALTER TABLE store ALTER context SET NOT NULL", query: "INSERT INTO store " + insertAll, code: codes.FailedPrecondition, reason: fault.Rejected},
		"unique constraint": {also: "CREATE UNIQUE INDEX one ON store (user_agent); INSERT INTO store (user_agent) VALUES ('" + secretAgent + "')", query: "INSERT INTO store " + insertAll, code: codes.FailedPrecondition, reason: fault.Rejected},
		"foreign key":       {also: "CREATE TABLE users (k text PRIMARY KEY); ALTER TABLE store ADD FOREIGN KEY (user_key) REFERENCES users", query: "INSERT INTO store " + insertAll, code: codes.FailedPrecondition, reason: fault.Rejected},
		"view's check":      {query: "INSERT INTO few " + insertAll, code: codes.FailedPrecondition, reason: fault.Rejected},
		"too long":          {also: "DROP VIEW few; ALTER TABLE store ALTER user_agent TYPE varchar(3)", query: "INSERT INTO store " + insertAll, code: codes.FailedPrecondition, reason: fault.Rejected},
		"cast":              {query: "INSERT INTO store (port) SELECT @user_agent::text::int WHERE @info_hash::bytea IS NOT NULL", code: codes.FailedPrecondition, reason: fault.Rejected},
		"division by zero":  {query: "INSERT INTO store (uploaded) SELECT @uploaded::int8 / 0 WHERE @info_hash::bytea IS NOT NULL", code: codes.FailedPrecondition, reason: fault.Rejected},
		"no enum's word":    {also: "DROP VIEW few; CREATE TYPE word AS ENUM ('started'); ALTER TABLE store ALTER event TYPE word USING NULL", query: "INSERT INTO store " + insertAll, code: codes.FailedPrecondition, reason: fault.Rejected},
		"does not fit":      {also: "DROP VIEW few; ALTER TABLE store ALTER port TYPE int2", query: "INSERT INTO store " + insertAll, code: codes.FailedPrecondition, reason: fault.Rejected},
		"raised":            {query: raising("P0001"), code: codes.FailedPrecondition, reason: fault.Rejected},
		"raised, own code":  {query: raising("MY001"), code: codes.Internal, reason: fault.Query},
		"raised, syntax":    {query: raising("42601"), code: codes.Internal, reason: fault.Query},
		"raised, shutdown":  {query: raising("57014"), code: codes.DeadlineExceeded, reason: fault.Timeout},
		"raised, limit":     {query: raising("53400"), code: codes.ResourceExhausted, reason: fault.Overload},
		"raised, operator":  {query: raising("57P05"), code: codes.Unavailable, reason: fault.Unavailable},
		"raised, conflict":  {query: raising("55P03"), code: codes.Unavailable, reason: fault.Conflict},
		"composed":          {query: "SELECT compose(@user_agent) WHERE @info_hash::bytea IS NOT NULL", code: codes.Internal, reason: fault.Query},
		"argument":          {query: "INSERT INTO store " + insertAll, change: func(r *trackerv1.PutPeerRequest) { r.Peer.PeerId = append(r.Peer.PeerId, 'x') }, code: codes.InvalidArgument, reason: fault.InvalidArgument},
		"text":              {query: "INSERT INTO store " + insertAll, change: func(r *trackerv1.PutPeerRequest) { r.HostValues.UserKey = proto.String(secretUser + "\x00") }, code: codes.InvalidArgument, reason: fault.InvalidArgument},
		"address":           {query: "INSERT INTO store " + insertAll, change: func(r *trackerv1.PutPeerRequest) { r.Peer.Address = append(r.Peer.Address, 1) }, code: codes.InvalidArgument, reason: fault.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := testdb.Database(t, tables, secretTables, c.also)
			o := serve(t, dsn, basic.with("peer.add_query", c.query))
			request := proto.Clone(secretPut()).(*trackerv1.PutPeerRequest)
			if c.change != nil {
				c.change(request)
			}
			_, err := o.swarms.PutPeer(t.Context(), request)
			expect(t, err, c.code, c.reason)
			shows(t, o, err)

			announce, err := o.swarms.Announce(t.Context(), &trackerv1.AnnounceRequest{InfoHashes: [][]byte{secretHash}, Peers: []*trackerv1.Peer{request.GetPeer()},
				Action: trackerv1.Action_PUT_SEEDER, HostValues: request.GetHostValues()})
			shows(t, o, err)
			if found := leaks(announce.String()); found != nil {
				t.Errorf("the answer shows %q: %v", found, announce)
			}
		})
	}
}

// raising is a query that raises an error whose texts hold everything.
func raising(code string) string {
	return "SELECT raise('" + code + "', @user_agent, encode(@info_hash, 'escape'), encode(@peer_id, 'hex'), host(@address), @port::int::text, @user_key, @event, @uploaded::int8::text)"
}

// shows reports what an error and the log show of the secrets.
func shows(t *testing.T, o *opened, err error) {
	t.Helper()
	st := status.Convert(err)
	for what, text := range map[string]string{"the error": fmt.Sprintf("%v %+v", err, err), "its status": st.Proto().String(), "the log": o.log.String()} {
		if found := leaks(text); found != nil {
			t.Errorf("%s shows %q: %s", what, found, text)
		}
	}
}

func TestNoDataInErrorsAndLog(t *testing.T) {
	dsn := testdb.Database(t, tables, `ALTER TABLE kv ADD CHECK (value IS NULL)`)
	o := serve(t, dsn, basic.with("data.get_query", "SELECT (@context::text)::int::text::bytea WHERE @key::bytea IS NOT NULL",
		"data.del_query", "DELETE FROM kv WHERE name = ANY (@key) OR @context::text::int = 1"))
	for name, call := range map[string]func() error{
		"Put": func() error {
			_, err := o.data.Put(t.Context(), &trackerv1.PutRequest{Context: secretContext, Entries: []*trackerv1.Entry{{Key: secretKey, Value: secretValue}}})
			return err
		},
		"Load": func() error {
			_, err := o.data.Load(t.Context(), &trackerv1.LoadRequest{Context: secretContext, Key: secretKey})
			return err
		},
		"Contains": func() error {
			_, err := o.data.Contains(t.Context(), &trackerv1.ContainsRequest{Context: secretContext, Keys: [][]byte{secretKey}})
			return err
		},
	} {
		err := call()
		expect(t, err, codes.FailedPrecondition, fault.Rejected)
		shows(t, o, err)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// What a panic was thrown with may hold values; it stays in the process, and only its own call fails.
func TestPanicFailsItsOwnCall(t *testing.T) {
	throw := false
	dsn := testdb.Database(t, tables)
	o := serve(t, dsn, basic, func(options *storage.Options) {
		options.Clock = func() time.Time {
			if throw {
				panic(fmt.Sprintf("%s %s", secretHash, secretAgent))
			}
			return time.Now()
		}
	})
	o.put(t, secretHash, false, peerAt("192.0.2.1", 1))
	clients := map[string]trackerv1.SwarmsClient{"in-process": o.swarms, "gRPC": trackerv1.NewSwarmsClient(dialled(t, o))}
	for name, client := range clients {
		throw = true
		_, err := client.PutPeer(t.Context(), secretPut()) // an annotated method
		expect(t, err, codes.Internal, fault.Internal)
		shows(t, o, err)
		_, err = client.Announce(t.Context(), &trackerv1.AnnounceRequest{InfoHashes: [][]byte{secretHash}, Peers: []*trackerv1.Peer{secretPut().GetPeer()},
			Action: trackerv1.Action_PUT_SEEDER}) // a composed one
		expect(t, err, codes.Internal, fault.Internal)
		shows(t, o, err)
		throw = false
		if _, err := client.PutPeer(t.Context(), secretPut()); err != nil {
			t.Errorf("%s, the next call: %v", name, err)
		}
	}
	if text := o.log.String(); strings.Count(text, "a call panicked") != 4 || !strings.Contains(text, "type=string") {
		t.Errorf("the log says: %s", text)
	}
}

// dialled serves the storage over gRPC and returns a connection to it.
func dialled(t *testing.T, o *opened) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	o.Register(server)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///storage", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}
