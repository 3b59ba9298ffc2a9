package media_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// An answer gets lost after the server did what it was told. The call is sent again, meets its own first
// effect, and says what it would have said.
func TestAnswersThatGetLost(t *testing.T) {
	for name, set := range map[string]querySet{"that passes over": full(t), "that raises": raising(t)} {
		s := open(t, set)
		for _, c := range lostCases() {
			t.Run("with a set "+name+"/"+c.name, func(t *testing.T) {
				n := names(c.name)
				if c.before != nil {
					c.before(t, s, n)
				}
				s.wire.loseOne(c.which)
				c.call(t, s, n)
				if !s.wire.lost() {
					t.Error("no answer was lost")
				}
				s.shows(t, c.shown, c.want)
			})
		}
	}
}

type lostCase struct {
	name   string
	which  int // the round trip whose answer is lost
	before func(*testing.T, *store, names)
	call   func(*testing.T, *store, names)
	// shown is what is seen of the database, want what there is to be seen.
	shown, want string
}

// A query that makes tokens itself stores another one than it is given. A call that was sent twice tells
// the stored one all the same.
func TestTokensOfTheDatabase(t *testing.T) {
	for name, conflict := range map[string]string{"passes over": " ON CONFLICT (alias) DO NOTHING", "raises": ""} {
		t.Run("a set that "+name, func(t *testing.T) {
			s := open(t, full(t).with("aliases.create_query",
				"INSERT INTO aliases (alias, token, hash) VALUES (@alias, 'made for ' || @alias, @hash)"+conflict+" RETURNING token AS delete_token"))
			n := names("made")
			saved := ok[*mediav1.SaveUploadResponse](t)(s.uploads.Save(t.Context(), n.upload(1)))
			create := func(i int) string {
				return ok[*mediav1.CreateAliasResponse](t)(s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Hash: n.hash(1), Alias: n.alias(i)})).GetDeleteToken()
			}
			second := create(2)
			s.wire.lose()
			third := create(3)
			s.wire.lose()
			fourth := ok[*mediav1.SaveUploadResponse](t)(s.uploads.Save(t.Context(), n.upload(4)))
			for i, token := range map[int]string{1: saved.GetDeleteToken(), 2: second, 3: third, 4: fourth.GetDeleteToken()} {
				if token != "made for "+n.alias(i) {
					t.Errorf("alias %d has the token %q", i, token)
				}
			}
		})
	}
}

func lostCases() []lostCase {
	saved := func(t *testing.T, s *store, n names) { n.saved(t, s, 1) }
	return append(lostCreations(saved), lostRemovals(saved)...)
}

func lostCreations(saved func(*testing.T, *store, names)) []lostCase {
	return []lostCase{
		{"hash", 1, nil, func(t *testing.T, s *store, n names) {
			ok[*mediav1.CreateHashResponse](t)(s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Hash: n.hash(1), Identifier: n.identifier(1)}))
		}, "SELECT identifier FROM hashes WHERE identifier LIKE 'hash/%'", "hash/file/1"},
		{"alias", 1, saved, func(t *testing.T, s *store, n names) {
			made := ok[*mediav1.CreateAliasResponse](t)(s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Hash: n.hash(1), Alias: n.alias(2)}))
			stored := ok[*mediav1.DeleteTokenResponse](t)(s.aliases.DeleteToken(t.Context(), n.aliasRequest(2)))
			if made.GetDeleteToken() != stored.GetDeleteToken() {
				t.Error("the token is another one")
			}
		}, "SELECT alias FROM aliases WHERE alias LIKE 'alias-%' ORDER BY alias", "alias-alias-1 alias-alias-2"},
		{"url", 1, saved, func(t *testing.T, s *store, n names) {
			ok[*mediav1.RelateURLResponse](t)(s.proxies.Relate(t.Context(), &mediav1.RelateURLRequest{Url: "http://lost", Alias: n.alias(1)}))
		}, "SELECT alias FROM proxies WHERE url = 'http://lost'", "url-alias-1"},
		{"variant", 1, saved, func(t *testing.T, s *store, n names) {
			response := ok[*mediav1.RelateVariantResponse](t)(s.variants.Relate(t.Context(),
				&mediav1.RelateVariantRequest{Hash: n.hash(1), Variant: "v", Identifier: "lost/v", Details: proto.String("{}")}))
			if response.GetExisted() || response.GetIdentifier() != "lost/v" {
				t.Errorf("%v", response)
			}
		}, "SELECT v.identifier, d.identifier FROM variants AS v JOIN details AS d USING (identifier) WHERE identifier LIKE 'lost/%'", "lost/v|lost/v"},
		{"upload", 1, nil, saved,
			"SELECT h.identifier, a.alias, d.json FROM hashes AS h JOIN aliases AS a USING (hash) JOIN details AS d USING (identifier) WHERE alias LIKE 'upload-%'",
			`upload/file/1|upload-alias-1|{"width": 1}`},
		{"duplicate", 1, saved, func(t *testing.T, s *store, n names) {
			response := ok[*mediav1.SaveUploadResponse](t)(s.uploads.Save(t.Context(), with(n.upload(1), func(r *mediav1.SaveUploadRequest) {
				r.Identifier, r.Alias = "duplicate/file/2", n.alias(2)
			})))
			if !response.GetHashExisted() || response.GetAliasExisted() {
				t.Errorf("%v", response)
			}
		}, "SELECT h.identifier, a.alias, (SELECT count(*) FROM details WHERE identifier LIKE 'duplicate/%') FROM hashes AS h JOIN aliases AS a USING (hash) WHERE alias LIKE 'duplicate-%' ORDER BY alias",
			"duplicate/file/1|duplicate-alias-1|1 duplicate/file/1|duplicate-alias-2|1"},
	}
}

func lostRemovals(saved func(*testing.T, *store, names)) []lostCase {
	move := func(kind mediav1.MoveIdentifierRequest_Kind, old string) func(*testing.T, *store, names) {
		return func(t *testing.T, s *store, n names) {
			ok[*mediav1.MoveIdentifierResponse](t)(s.migrations.MoveIdentifier(t.Context(), &mediav1.MoveIdentifierRequest{Kind: kind, Hash: n.hash(1),
				Variant: "v", OldIdentifier: old, NewIdentifier: old + "-new", Details: proto.String(`{"moved": 1}`)}))
		}
	}
	return []lostCase{
		{"deletion", 2, saved, func(t *testing.T, s *store, n names) {
			response := ok[*mediav1.DeleteAliasResponse](t)(s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: n.alias(1), DeleteToken: "token-" + n.alias(1)}))
			if response.Deleted != nil || !response.GetLastAlias() || string(response.GetHash()) != string(n.hash(1)) {
				t.Errorf("%v", response)
			}
		}, "SELECT count(*) FROM aliases WHERE alias LIKE 'deletion-%'", "0"},
		{"cleanup", 1, func(t *testing.T, s *store, n names) {
			ok[*mediav1.CreateHashResponse](t)(s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Hash: n.hash(1), Identifier: n.identifier(1)}))
		}, func(t *testing.T, s *store, n names) {
			response := ok[*mediav1.CleanupHashResponse](t)(s.hashes.Cleanup(t.Context(),
				&mediav1.CleanupHashRequest{Hash: n.hash(1), Jobs: []*mediav1.NewJob{jobOf("lost a"), keyed("lost b", "lost"), jobOf("lost c")}}))
			if response.Removed != nil {
				t.Errorf("%v", response)
			}
		}, "SELECT job->>'name', (SELECT count(*) FROM hashes WHERE identifier LIKE 'cleanup/%') FROM jobs WHERE job->>'name' LIKE 'lost _' ORDER BY 1",
			"lost a|0 lost b|0 lost c|0"},
		{"trim", 1, func(t *testing.T, s *store, n names) {
			n.saved(t, s, 1)
			ok[*mediav1.RelateVariantResponse](t)(s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: n.hash(1), Variant: "v", Identifier: "trimmed"}))
		}, func(t *testing.T, s *store, n names) {
			ok[*mediav1.CleanupVariantResponse](t)(s.variants.Cleanup(t.Context(),
				&mediav1.CleanupVariantRequest{Hash: n.hash(1), Variant: "v", Job: jobOf("lost trim")}))
		}, "SELECT count(*), (SELECT count(*) FROM variants WHERE identifier = 'trimmed') FROM jobs WHERE job->>'name' = 'lost trim'", "1|0"},
		{"move", 1, saved, move(mediav1.MoveIdentifierRequest_ORIGINAL, "move/file/1"),
			"SELECT h.identifier, m.old_identifier, d.json FROM hashes AS h JOIN moves AS m ON m.new_identifier = h.identifier JOIN details AS d USING (identifier) WHERE identifier LIKE 'move/%'",
			`move/file/1-new|move/file/1|{"moved": 1}`},
		{"render", 1, func(t *testing.T, s *store, n names) {
			n.saved(t, s, 1)
			ok[*mediav1.RelateVariantResponse](t)(s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: n.hash(1), Variant: "v", Identifier: "rendered"}))
		}, move(mediav1.MoveIdentifierRequest_VARIANT, "rendered"),
			"SELECT v.identifier, m.old_identifier FROM variants AS v JOIN moves AS m ON m.new_identifier = v.identifier WHERE identifier LIKE 'rendered%'", "rendered-new|rendered"},
	}
}
