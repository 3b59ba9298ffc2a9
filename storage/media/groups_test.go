package media_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		set    querySet
		groups string
	}{
		{full(t), "health hashes aliases variants details settings queue proxies alias_access variant_access store_migration"},
		{bare(t), "hashes aliases variants details settings queue proxies alias_access variant_access store_migration"},
		{full(t).without("variants", "store_migration", "variant_access"), "health hashes aliases details settings queue proxies alias_access"},
	} {
		s := open(t, c.set)
		told := ok[*mediav1.CapabilitiesResponse](t)(s.repo.Capabilities(t.Context(), &mediav1.CapabilitiesRequest{}))
		want := strings.Fields(c.groups)
		got := slices.Clone(told.GetGroups())
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%v; expected %v", got, want)
		}
		given := 0
		for _, group := range c.set.document["media"].(map[string]any) {
			given += len(group.(map[string]any))
		}
		if len(told.GetQueries()) != given || !slices.Contains(told.GetQueries(), "media.aliases.hash_query") || told.GetNotified() {
			t.Errorf("%d queries of %d: %v", len(told.GetQueries()), given, told)
		}
		if told.GetQueueHeartbeatInterval().AsDuration().Seconds() != 5 || told.GetVariantsStaleAfter().AsDuration().Minutes() != 2 {
			t.Errorf("%v", told)
		}
	}
}

// A method whose group is off names the key that is missing; one for which the group is merely of use does
// without it.
func TestGroupsThatAreOff(t *testing.T) {
	s := open(t, full(t).without("alias_access", "variant_access", "store_migration", "queue", "settings", "health"))
	n := names("off")
	n.saved(t, s, 1)
	ok[*mediav1.RelateURLResponse](t)(s.proxies.Relate(t.Context(), &mediav1.RelateURLRequest{Url: "http://off", Alias: n.alias(1)}))
	this := &mediav1.VariantRequest{Hash: n.hash(1), Variant: "v"}
	for key, call := range map[string]func() error{
		"media.health.check_query":             func() error { _, err := s.repo.Check(t.Context(), &mediav1.CheckRequest{}); return err },
		"media.alias_access.accessed_at_query": func() error { _, err := s.access.RemoveAlias(t.Context(), n.aliasRequest(1)); return err },
		"media.variant_access.accessed_at_query": func() error {
			_, err := s.access.RemoveVariant(t.Context(), this)
			if _, other := s.access.ContainsVariant(t.Context(), this); fault.OperationOf(other) != fault.OperationOf(err) {
				t.Errorf("%v and %v", err, other)
			}
			return err
		},
		"media.variant_access.older_query": func() error {
			_, err := drain(s.access.OlderVariants(t.Context(), &mediav1.OlderRequest{Before: ago(0)}))
			return err
		},
		"media.store_migration.mark_migrated_query": func() error {
			_, err := s.migrations.MoveIdentifier(t.Context(), &mediav1.MoveIdentifierRequest{Hash: n.hash(1), NewIdentifier: "x"})
			return err
		},
		"media.queue.push_query": func() error {
			_, err := s.hashes.Cleanup(t.Context(), &mediav1.CleanupHashRequest{Hash: n.hash(1), Jobs: []*mediav1.NewJob{jobOf("a")}})
			return err
		},
	} {
		expect(t, call(), codes.Unimplemented, fault.NotConfigured, key)
	}
	ok[*mediav1.DeleteAliasResponse](t)(s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: n.alias(1), WithoutToken: true}))
	ok[*mediav1.CleanupHashResponse](t)(s.hashes.Cleanup(t.Context(), &mediav1.CleanupHashRequest{Hash: n.hash(1)}))
}

// Where no times of access are kept, touching does nothing and fails nothing.
func TestTouchingWithoutTimesOfAccess(t *testing.T) {
	for name, without := range map[string][]string{"joined": {"proxies.x"}, "step by step": {"proxies.resolve_query", "variants.resolve_query"}} {
		set := full(t).without(append(without, "alias_access", "variant_access")...).with("proxies.related_query", "SELECT alias FROM proxies WHERE url = @url")
		if name == "joined" {
			set = set.with("variants.resolve_query", "SELECT a.hash, v.identifier, NULL::jsonb AS details FROM aliases AS a LEFT JOIN variants AS v ON v.hash = a.hash AND v.variant = @variant WHERE a.alias = @alias",
				"proxies.resolve_query", "SELECT p.alias, a.hash, NULL::text AS identifier, NULL::jsonb AS details FROM proxies AS p LEFT JOIN aliases AS a USING (alias) WHERE url = @url")
		}
		s := open(t, set)
		touched(t, s, false)
		if trips := s.wire.count(func() { touched(t, s, false) }); name == "joined" && trips != 2 {
			t.Errorf("%s: %d round trips", name, trips)
		}
	}
}

// touched resolves a variant and a URL, with touching.
func touched(t *testing.T, s *store, want bool) {
	t.Helper()
	n := names("touch")
	if s.selected(t, "SELECT count(*) FROM proxies") == "0" {
		n.saved(t, s, 1)
		ok[*mediav1.RelateURLResponse](t)(s.proxies.Relate(t.Context(), &mediav1.RelateURLRequest{Url: "http://touch", Alias: n.alias(1)}))
	}
	variant := ok[*mediav1.Resolved](t)(s.variants.Resolve(t.Context(), &mediav1.ResolveVariantRequest{Alias: n.alias(1), Variant: "v", Touch: true}))
	url := ok[*mediav1.Resolved](t)(s.proxies.Resolve(t.Context(), &mediav1.ResolveURLRequest{Url: "http://touch", Touch: true}))
	if variant.Touched == nil || url.Touched == nil || variant.GetTouched() != want || url.GetTouched() != want {
		t.Errorf("touched: %v, %v; expected %t", variant, url, want)
	}
	if string(variant.GetHash()) != string(n.hash(1)) || url.GetAlias() != n.alias(1) {
		t.Errorf("%v, %v", variant, url)
	}
}

// A query that joins everything and leaves the touch to the service costs a second round trip; a touch
// that fails does not spoil the answer, and is told in the log.
func TestTouchingInASecondRoundTrip(t *testing.T) {
	plain := full(t).with("variants.resolve_query", "SELECT a.hash, v.identifier, NULL::jsonb AS details FROM aliases AS a LEFT JOIN variants AS v ON v.hash = a.hash AND v.variant = @variant WHERE a.alias = @alias",
		"proxies.resolve_query", "SELECT p.alias, a.hash, NULL::text AS identifier, NULL::jsonb AS details FROM proxies AS p LEFT JOIN aliases AS a USING (alias) WHERE url = @url")
	s := open(t, plain)
	touched(t, s, true)
	if trips := s.wire.count(func() { touched(t, s, true) }); trips != 4 {
		t.Errorf("%d round trips for two answers; expected 4", trips)
	}
	s.shows(t, "SELECT (SELECT count(*) FROM alias_access), (SELECT count(*) FROM variant_access)", "1|1")
	for _, set := range []querySet{plain, full(t).without("variants.resolve_query", "proxies.resolve_query")} {
		s := openAt(t, s.dsn, set.with("alias_access.accessed_query", "UPDATE alias_access SET accessed = @accessed WHERE alias = @alias AND fail()",
			"variant_access.accessed_query", "UPDATE variant_access SET accessed = @accessed WHERE hash = @hash AND variant = @variant AND fail()"),
			failing(t, s)...)
		touched(t, s, false)
		if n := strings.Count(s.log.String(), "the time of access was not recorded"); n != 2 {
			t.Errorf("the log tells of %d failures:\n%s", n, s.log)
		}
	}
}

// failing makes a function that fails, once for a database.
func failing(t *testing.T, s *store) []string {
	s.exec(t, "CREATE OR REPLACE FUNCTION fail() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'on purpose'; END $$")
	return nil
}

// A hash whose rows are incomplete, as in a database that was repaired by hand, is resolved as far as it
// goes.
func TestResolvingWhatIsIncomplete(t *testing.T) {
	const loose = `ALTER TABLE proxies DROP CONSTRAINT proxies_alias_fkey; ALTER TABLE aliases DROP CONSTRAINT aliases_hash_fkey;
		INSERT INTO proxies VALUES ('http://lost', 'nobody'); INSERT INTO aliases VALUES ('lost', 'no hash', NULL);`
	for name, set := range map[string]querySet{"full": full(t), "bare": bare(t)} {
		t.Run(name, func(t *testing.T) {
			s := open(t, set, loose)
			url := ok[*mediav1.Resolved](t)(s.proxies.Resolve(t.Context(), &mediav1.ResolveURLRequest{Url: "http://lost"}))
			if !proto.Equal(url, &mediav1.Resolved{Alias: proto.String("nobody")}) {
				t.Errorf("a URL whose alias is gone: %v", url)
			}
			alias := ok[*mediav1.Resolved](t)(s.aliases.Resolve(t.Context(), &mediav1.AliasRequest{Alias: "lost"}))
			if !proto.Equal(alias, &mediav1.Resolved{Hash: []byte("no hash")}) {
				t.Errorf("an alias whose hash is gone: %v", alias)
			}
			_, err := s.aliases.Identifier(t.Context(), &mediav1.AliasRequest{Alias: "lost"})
			expect(t, err, codes.NotFound, fault.DoesNotExist, "")
			// An alias without a token is nobody's, and can only be deleted by the host.
			for _, token := range []string{"", "token"} {
				_, err := s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: "lost", DeleteToken: token})
				expect(t, err, codes.FailedPrecondition, fault.InvalidToken, "")
			}
			deleted := ok[*mediav1.DeleteAliasResponse](t)(s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: "lost", WithoutToken: true}))
			if !deleted.GetDeleted() || !deleted.GetLastAlias() {
				t.Errorf("%v", deleted)
			}
		})
	}
}

// Of two callers that delete the last two aliases at the same time at least one is told that it was the
// last.
func TestTheLastTwoAliases(t *testing.T) {
	s := open(t, full(t))
	for round := range 30 {
		n := names(fmt.Sprint("round ", round))
		n.saved(t, s, 1)
		ok[*mediav1.CreateAliasResponse](t)(s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Alias: n.alias(2), Hash: n.hash(1)}))
		type answer struct {
			*mediav1.DeleteAliasResponse
			error
		}
		answers := make(chan answer, 2)
		for _, i := range []int{1, 2} {
			go func() {
				response, err := s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: n.alias(i), WithoutToken: true})
				answers <- answer{response, err}
			}()
		}
		last := 0
		for range 2 {
			got := <-answers
			if got.error != nil || !got.GetDeleted() {
				t.Fatalf("%v, %v", got.DeleteAliasResponse, got.error)
			}
			if got.GetLastAlias() {
				last++
			}
		}
		if last == 0 {
			t.Fatalf("round %d: nobody is told", round)
		}
	}
}
