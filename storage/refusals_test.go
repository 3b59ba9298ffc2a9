package storage_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A set whose queries leave everything to the tables' keys: no ON CONFLICT, no check of their own.
const (
	keyedTables = `
		CREATE TABLE pictures (hash bytea PRIMARY KEY);
		CREATE TABLE names (alias text PRIMARY KEY, token text, hash bytea NOT NULL REFERENCES pictures);
		CREATE TABLE links (url text PRIMARY KEY, alias text NOT NULL REFERENCES names);
		CREATE TABLE facts (identifier text PRIMARY KEY, details jsonb);
		INSERT INTO pictures VALUES ('\x01'), ('\x02');
		INSERT INTO names VALUES ('tied', NULL, '\x01'), ('free', 'secret', '\x01');
		INSERT INTO links VALUES ('http://localhost/', 'tied');
		INSERT INTO facts VALUES ('known', NULL);`
	keyedQueries = `
media:
    connection_string: host=...
    aliases:
        create_query: INSERT INTO names (alias, token, hash) VALUES (@alias, @delete_token, @hash)
        delete_token_query: SELECT token FROM names WHERE alias = @alias
        hash_query: SELECT hash FROM names WHERE alias = @alias
        for_hash_query: SELECT alias FROM names WHERE hash = @hash
        cleanup_query: DELETE FROM names WHERE alias = @alias
        relate_hash_query: UPDATE names SET hash = @hash WHERE alias = @alias
    details:
        relate_query: INSERT INTO facts (identifier, details) VALUES (@identifier, @details)
        get_query: SELECT details FROM facts WHERE identifier = @identifier
        cleanup_query: DELETE FROM facts WHERE identifier = @identifier
`
)

// What a table's keys refuse has the meaning that the contract gives it, operation by operation.
func TestRefusalsOfKeys(t *testing.T) {
	dsn := testdb.Database(t)
	testdb.Exec(t, dsn, keyedTables)
	o := open(t, dsn, keyedQueries)
	if err := o.problems.Err(); err != nil {
		t.Fatal(err)
	}
	aliases, details := mediav1.NewAliasesClient(o.Conn()), mediav1.NewDetailsClient(o.Conn())
	relate := func(hash []byte) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := aliases.RelateHash(ctx, &mediav1.RelateHashRequest{Alias: "free", Hash: hash})
			return err
		}
	}
	cleanup := func(alias string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := aliases.Cleanup(ctx, &mediav1.AliasRequest{Alias: alias})
			return err
		}
	}
	token := func(alias string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := aliases.DeleteToken(ctx, &mediav1.AliasRequest{Alias: alias})
			return err
		}
	}
	for _, c := range []struct {
		name     string
		call     func(context.Context) error
		code     codes.Code
		reason   fault.Reason
		sqlstate string
	}{
		{"a hash that is there", relate([]byte{2}), codes.OK, "", ""},
		{"a hash that is not there", relate([]byte{3}), codes.NotFound, fault.DoesNotExist, "23503"},
		{"an alias that a URL refers to", cleanup("tied"), codes.FailedPrecondition, fault.InUse, "23503"},
		{"NULL is no token", token("tied"), codes.NotFound, fault.DoesNotExist, ""},
		{"a token", token("free"), codes.OK, "", ""},
		{"no alias", token("unknown"), codes.NotFound, fault.DoesNotExist, ""},
		{"an alias that nothing refers to", cleanup("free"), codes.OK, "", ""},
	} {
		err := c.call(t.Context())
		if status.Code(err) != c.code || fault.ReasonOf(err) != c.reason || fault.SQLStateOf(err) != c.sqlstate {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A key that is taken is no error here, and what stands under it stays.
	for _, c := range []struct {
		identifier, details string
		affected            int64
	}{{"new", `{"width": 1}`, 1}, {"new", `{"width": 2}`, 0}, {"known", `{}`, 0}} {
		answer, err := details.Relate(t.Context(), &mediav1.RelateDetailsRequest{Identifier: c.identifier, Details: c.details})
		if err != nil || answer.Affected == nil || answer.GetAffected() != c.affected {
			t.Errorf("details of %s: %v, %v", c.identifier, answer, err)
		}
	}
	if got, err := details.Get(t.Context(), &mediav1.IdentifierRequest{Identifier: "new"}); err != nil || got.GetDetails() != `{"width": 1}` {
		t.Errorf("%v, %v", got, err)
	}
	if trips := o.wire.count(func() {
		_, _ = details.Relate(t.Context(), &mediav1.RelateDetailsRequest{Identifier: "new", Details: `{}`})
	}); trips != 1 {
		t.Errorf("a key that is taken costs %d round trips: it is no reason to try again", trips)
	}
}
