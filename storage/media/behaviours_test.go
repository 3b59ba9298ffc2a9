package media_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// The methods mean the same whatever the operator wrote: all optional operations or none, queries that
// pass over what is there already or that let the database refuse it.
func TestMethodsMeanTheSameOnEverySet(t *testing.T) {
	sets := map[string]querySet{"full": full(t), "bare": bare(t), "raising": raising(t),
		"bare and raising": bareAndRaising(t),
		"default":          readSet(t, "../../queries.example.yaml", "../../schema.sql"),
		"pict-rs":          readSet(t, "../../schemas/pict-rs/queries.yaml", "../../schemas/pict-rs/schema.sql"),
	}
	scenarios := []struct {
		name string
		run  func(*testing.T, *store)
	}{
		{"creating a hash", createsHashes}, {"the row of a hash", readsRows}, {"creating an alias", createsAliases},
		{"resolving an alias", resolvesAliases}, {"removing an alias", removesAliases}, {"deleting aliases", deletesAliases},
		{"relating a variant", relatesVariants}, {"resolving a variant", resolvesVariants}, {"relating a URL", relatesURLs},
		{"resolving a URL", resolvesURLs}, {"cleaning up a hash", cleansHashes}, {"cleaning up a variant", cleansVariants},
		{"describing hashes", describesHashes}, {"contents of a hash", listsContents}, {"health", checksHealth},
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			s := open(t, set)
			for _, scenario := range scenarios {
				t.Run(scenario.name, func(t *testing.T) { scenario.run(t, s) })
			}
		})
	}
}

func bareAndRaising(t testing.TB) querySet {
	set := raising(t)
	return set.without("hashes.get_query", "hashes.page_by_hash_query", "hashes.prev_by_hash_query", "hashes.describe_query",
		"aliases.resolve_query", "aliases.siblings_query", "aliases.remove_query", "variants.resolve_query", "proxies.resolve_query",
		"queue.notify_query", "health.check_query")
}

// A kind of names that no other scenario on the same database uses.
type names string

func (n names) hash(i int) []byte       { return fmt.Appendf(nil, "%s hash %d", n, i) }
func (n names) alias(i int) string      { return fmt.Sprintf("%s-alias-%d", n, i) }
func (n names) identifier(i int) string { return fmt.Sprintf("%s/file/%d", n, i) }
func (n names) hashRequest(i int) *mediav1.HashRequest {
	return &mediav1.HashRequest{Hash: n.hash(i)}
}
func (n names) aliasRequest(i int) *mediav1.AliasRequest {
	return &mediav1.AliasRequest{Alias: n.alias(i)}
}

// upload is a file with its own hash and alias.
func (n names) upload(i int) *mediav1.SaveUploadRequest {
	return &mediav1.SaveUploadRequest{Hash: n.hash(i), Identifier: n.identifier(i), Details: proto.String(n.details(i)),
		CreatedAt: ago(i), Alias: n.alias(i), DeleteToken: "token-" + n.alias(i)}
}

func (n names) details(i int) string { return fmt.Sprintf(`{"width": %d}`, i) }

// saved saves what upload describes.
func (n names) saved(t *testing.T, s *store, i int) {
	t.Helper()
	response := ok[*mediav1.SaveUploadResponse](t)(s.uploads.Save(t.Context(), n.upload(i)))
	if response.GetHashExisted() || response.GetAliasExisted() {
		t.Fatalf("%s: %v", n, response)
	}
}

func createsHashes(t *testing.T, s *store) {
	n := names("create")
	request := &mediav1.CreateHashRequest{Hash: n.hash(1), Identifier: n.identifier(1), CreatedAt: ago(7)}
	ok[*mediav1.CreateHashResponse](t)(s.hashes.Create(t.Context(), request))
	for _, identifier := range []string{n.identifier(1), "other"} {
		_, err := s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Hash: n.hash(1), Identifier: identifier})
		expect(t, err, codes.AlreadyExists, fault.AlreadyExists, "media.hashes.create_query")
	}
	_, err := s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Hash: n.hash(2), Identifier: n.identifier(1)})
	expect(t, err, codes.Internal, fault.Query, "media.hashes.create_query")
	_, err = s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Identifier: "no hash"})
	expect(t, err, codes.InvalidArgument, fault.InvalidArgument, "")
	info := ok[*mediav1.HashInfo](t)(s.hashes.Info(t.Context(), n.hashRequest(1)))
	if info.GetIdentifier() != n.identifier(1) || !proto.Equal(info.GetCreatedAt(), ago(7)) {
		t.Errorf("the row was changed: %v", info)
	}
}

func readsRows(t *testing.T, s *store) {
	n := names("row")
	n.saved(t, s, 1)
	info := ok[*mediav1.HashInfo](t)(s.hashes.Info(t.Context(), n.hashRequest(1)))
	if info.MotionIdentifier != nil || info.Blurhash != nil {
		t.Errorf("what was never related: %v", info)
	}
	ok[*mediav1.Affected](t)(s.hashes.RelateMotionIdentifier(t.Context(), &mediav1.HashAndIdentifier{Hash: n.hash(1), Identifier: "row still"}))
	ok[*mediav1.Affected](t)(s.hashes.RelateBlurhash(t.Context(), &mediav1.RelateBlurhashRequest{Hash: n.hash(1), Blurhash: "blurred"}))
	want := &mediav1.HashInfo{Identifier: n.identifier(1), MotionIdentifier: proto.String("row still"), Blurhash: proto.String("blurred"), CreatedAt: ago(1)}
	if info := ok[*mediav1.HashInfo](t)(s.hashes.Info(t.Context(), n.hashRequest(1))); !proto.Equal(info, want) {
		t.Errorf("%v; expected %v", info, want)
	}
	_, err := s.hashes.Info(t.Context(), n.hashRequest(2))
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
}

func createsAliases(t *testing.T, s *store) {
	n := names("alias")
	n.saved(t, s, 1)
	create := func(i int, token string) (*mediav1.CreateAliasResponse, error) {
		return s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Alias: n.alias(i), DeleteToken: token, Hash: n.hash(1)})
	}
	if response := ok[*mediav1.CreateAliasResponse](t)(create(2, "mine")); response.GetDeleteToken() != "mine" {
		t.Errorf("the token is %q", response.GetDeleteToken())
	}
	made := ok[*mediav1.CreateAliasResponse](t)(create(3, "")).GetDeleteToken()
	stored := ok[*mediav1.DeleteTokenResponse](t)(s.aliases.DeleteToken(t.Context(), n.aliasRequest(3))).GetDeleteToken()
	if len(made) != 36 || strings.Count(made, "-") != 4 || stored != made {
		t.Errorf("the token that was made is %q, and %q is stored", made, stored)
	}
	_, err := create(2, "mine")
	expect(t, err, codes.AlreadyExists, fault.AlreadyExists, "media.aliases.create_query")
	_, err = s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Alias: n.alias(4), Hash: n.hash(4)})
	expect(t, err, codes.NotFound, fault.DoesNotExist, "media.aliases.create_query")
}

func resolvesAliases(t *testing.T, s *store) {
	n := names("resolve")
	n.saved(t, s, 1)
	ok[*mediav1.CreateHashResponse](t)(s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Hash: n.hash(2), Identifier: n.identifier(2)}))
	for _, i := range []int{2, 3} {
		ok[*mediav1.CreateAliasResponse](t)(s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Alias: n.alias(i), Hash: n.hash(2)}))
	}
	for _, c := range []struct {
		i    int
		want *mediav1.Resolved
	}{
		{1, &mediav1.Resolved{Hash: n.hash(1), Identifier: proto.String(n.identifier(1)), Details: proto.String(n.details(1))}},
		{2, &mediav1.Resolved{Hash: n.hash(2), Identifier: proto.String(n.identifier(2))}},
	} {
		resolved := ok[*mediav1.Resolved](t)(s.aliases.Resolve(t.Context(), n.aliasRequest(c.i)))
		if !proto.Equal(resolved, c.want) {
			t.Errorf("%v; expected %v", resolved, c.want)
		}
		identifier := ok[*mediav1.IdentifierResponse](t)(s.aliases.Identifier(t.Context(), n.aliasRequest(c.i)))
		if identifier.GetIdentifier() != n.identifier(c.i) {
			t.Errorf("the identifier is %q", identifier.GetIdentifier())
		}
	}
	_, err := s.aliases.Resolve(t.Context(), n.aliasRequest(9))
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
	_, err = s.aliases.Identifier(t.Context(), n.aliasRequest(9))
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
	for i, want := range map[int][]string{2: {n.alias(2), n.alias(3)}, 9: nil} {
		if got := aliasesIn(ok[*mediav1.AliasList](t)(s.aliases.Siblings(t.Context(), n.aliasRequest(i)))); !slices.Equal(got, want) {
			t.Errorf("the siblings of %d: %v", i, got)
		}
	}
}

func aliasesIn(list *mediav1.AliasList) (all []string) {
	for _, one := range list.GetAliases() {
		all = append(all, one.GetAlias())
	}
	slices.Sort(all)
	return all
}

func removesAliases(t *testing.T, s *store) {
	n := names("remove")
	n.saved(t, s, 1)
	n.saved(t, s, 2)
	for _, c := range []struct {
		hash, alias int
		want        int64
	}{{2, 1, 0}, {1, 1, 1}, {1, 1, 0}} {
		got := ok[*mediav1.Affected](t)(s.aliases.Remove(t.Context(), &mediav1.RemoveAliasRequest{Hash: n.hash(c.hash), Alias: n.alias(c.alias)}))
		if got.Affected == nil || got.GetAffected() != c.want {
			t.Errorf("alias %d of hash %d: %v", c.alias, c.hash, got)
		}
	}
	ok[*mediav1.RelateURLResponse](t)(s.proxies.Relate(t.Context(), &mediav1.RelateURLRequest{Url: "http://remove", Alias: n.alias(2)}))
	_, err := s.aliases.Remove(t.Context(), &mediav1.RemoveAliasRequest{Hash: n.hash(2), Alias: n.alias(2)})
	expect(t, err, codes.FailedPrecondition, fault.InUse, "")
}

func deletesAliases(t *testing.T, s *store) {
	n := names("delete")
	n.saved(t, s, 1)
	for i := range 2 {
		ok[*mediav1.CreateAliasResponse](t)(s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Alias: n.alias(i + 2), DeleteToken: "token", Hash: n.hash(1)}))
	}
	ok[*mediav1.RelateURLResponse](t)(s.proxies.Relate(t.Context(), &mediav1.RelateURLRequest{Url: "http://delete", Alias: n.alias(2)}))
	ok[*mediav1.Affected](t)(s.access.Alias(t.Context(), &mediav1.AccessedAliasRequest{Alias: n.alias(2)}))
	for _, token := range []string{"", "toke", "token "} {
		_, err := s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: n.alias(2), DeleteToken: token})
		expect(t, err, codes.FailedPrecondition, fault.InvalidToken, "media.aliases.delete_token_query")
	}
	for _, c := range []struct {
		name          string
		request       *mediav1.DeleteAliasRequest
		deleted, last bool
	}{
		{"a proxied one", &mediav1.DeleteAliasRequest{Alias: n.alias(2), DeleteToken: "token"}, true, false},
		{"it again", &mediav1.DeleteAliasRequest{Alias: n.alias(2), DeleteToken: "another"}, false, false},
		{"without a token", &mediav1.DeleteAliasRequest{Alias: n.alias(3), WithoutToken: true}, true, false},
		{"the last one", &mediav1.DeleteAliasRequest{Alias: n.alias(1), DeleteToken: "token-" + n.alias(1)}, true, true},
	} {
		response := ok[*mediav1.DeleteAliasResponse](t)(s.aliases.Delete(t.Context(), c.request))
		if response.GetDeleted() != c.deleted || response.GetLastAlias() != c.last || c.deleted != (string(response.GetHash()) == string(n.hash(1))) {
			t.Errorf("%s: %v", c.name, response)
		}
	}
	_, err := s.proxies.Related(t.Context(), &mediav1.URLRequest{Url: "http://delete"})
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
	_, err = s.access.AliasAt(t.Context(), n.aliasRequest(2))
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
}

func relatesVariants(t *testing.T, s *store) {
	n := names("variant")
	n.saved(t, s, 1)
	relate := func(hash int, identifier string, details *string) (*mediav1.RelateVariantResponse, error) {
		return s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: n.hash(hash), Variant: "small", Identifier: identifier, Details: details})
	}
	for _, c := range []struct {
		name, identifier string
		details          *string
		existed          bool
	}{
		{"new", "variant/a", proto.String(`{"a": 1}`), false}, {"the same again", "variant/a", proto.String(`{"a": 1}`), false},
		{"another", "variant/b", proto.String(`{"b": 1}`), true}, {"without details", "variant/c", nil, true},
	} {
		response := ok[*mediav1.RelateVariantResponse](t)(relate(1, c.identifier, c.details))
		if response.GetExisted() != c.existed || response.GetIdentifier() != "variant/a" {
			t.Errorf("%s: %v", c.name, response)
		}
	}
	ok[*mediav1.DetailsResponse](t)(s.details.Get(t.Context(), &mediav1.IdentifierRequest{Identifier: "variant/a"}))
	_, err := s.details.Get(t.Context(), &mediav1.IdentifierRequest{Identifier: "variant/b"})
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
	_, err = relate(2, "variant/d", proto.String(`{"d": 1}`))
	expect(t, err, codes.NotFound, fault.DoesNotExist, "media.variants.relate_identifier_query")
	_, err = s.details.Get(t.Context(), &mediav1.IdentifierRequest{Identifier: "variant/d"})
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
}

func resolvesVariants(t *testing.T, s *store) {
	n := names("rendition")
	n.saved(t, s, 1)
	ok[*mediav1.RelateVariantResponse](t)(s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: n.hash(1), Variant: "small",
		Identifier: "rendition/a", Details: proto.String(`{"a": 1}`)}))
	there := &mediav1.Resolved{Hash: n.hash(1), Identifier: proto.String("rendition/a"), Details: proto.String(`{"a": 1}`)}
	for _, c := range []struct {
		variant string
		touch   bool
		want    *mediav1.Resolved
	}{
		{"small", false, there}, {"small", true, there},
		{"large", false, &mediav1.Resolved{Hash: n.hash(1)}}, {"large", true, &mediav1.Resolved{Hash: n.hash(1)}},
	} {
		got := ok[*mediav1.Resolved](t)(s.variants.Resolve(t.Context(), &mediav1.ResolveVariantRequest{Alias: n.alias(1), Variant: c.variant, Touch: c.touch}))
		if c.touch {
			kept := ok[*mediav1.Contained](t)(s.access.ContainsVariant(t.Context(), &mediav1.VariantRequest{Hash: n.hash(1), Variant: c.variant}))
			// Where it lives in the row of the variant, a query may say that it is done with one that is not there.
			if got.Touched == nil || kept.GetContained() && !got.GetTouched() {
				t.Errorf("%s: touched is %v, and a time of access is kept: %t", c.variant, got.Touched, kept.GetContained())
			}
			got.Touched = nil
		}
		if !proto.Equal(got, c.want) {
			t.Errorf("%s: %v; expected %v", c.variant, got, c.want)
		}
	}
	_, err := s.variants.Resolve(t.Context(), &mediav1.ResolveVariantRequest{Alias: n.alias(2), Variant: "small", Touch: true})
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
}

func relatesURLs(t *testing.T, s *store) {
	n := names("url")
	n.saved(t, s, 1)
	n.saved(t, s, 2)
	relate := func(i int) error {
		_, err := s.proxies.Relate(t.Context(), &mediav1.RelateURLRequest{Url: "http://url", Alias: n.alias(i)})
		return err
	}
	expect(t, relate(3), codes.NotFound, fault.DoesNotExist, "media.proxies.relate_url_query")
	if err := relate(1); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{1, 2} {
		expect(t, relate(i), codes.AlreadyExists, fault.AlreadyExists, "media.proxies.relate_url_query")
	}
	if alias := ok[*mediav1.RelatedResponse](t)(s.proxies.Related(t.Context(), &mediav1.URLRequest{Url: "http://url"})); alias.GetAlias() != n.alias(1) {
		t.Errorf("the URL stands for %q", alias.GetAlias())
	}
}

func resolvesURLs(t *testing.T, s *store) {
	n := names("proxy")
	n.saved(t, s, 1)
	ok[*mediav1.RelateURLResponse](t)(s.proxies.Relate(t.Context(), &mediav1.RelateURLRequest{Url: "http://proxy", Alias: n.alias(1)}))
	for _, touch := range []bool{false, true} {
		want := &mediav1.Resolved{Alias: proto.String(n.alias(1)), Hash: n.hash(1), Identifier: proto.String(n.identifier(1)), Details: proto.String(n.details(1))}
		if touch {
			want.Touched = proto.Bool(true)
		}
		got := ok[*mediav1.Resolved](t)(s.proxies.Resolve(t.Context(), &mediav1.ResolveURLRequest{Url: "http://proxy", Touch: touch}))
		if !proto.Equal(got, want) {
			t.Errorf("%v; expected %v", got, want)
		}
	}
	ok[*mediav1.AccessedResponse](t)(s.access.AliasAt(t.Context(), n.aliasRequest(1)))
	_, err := s.proxies.Resolve(t.Context(), &mediav1.ResolveURLRequest{Url: "http://nowhere", Touch: true})
	expect(t, err, codes.NotFound, fault.DoesNotExist, "")
}

func (s *store) queued(t *testing.T) int64 {
	t.Helper()
	return ok[*mediav1.LengthResponse](t)(mediav1.NewQueueClient(s.Conn()).Length(t.Context(), &mediav1.LengthRequest{})).GetLength()
}

func keyed(name, key string) *mediav1.NewJob {
	job := jobOf(name)
	job.UniqueKey = proto.String(key)
	return job
}

func cleansHashes(t *testing.T, s *store) {
	n := names("clean")
	n.saved(t, s, 1)
	ok[*mediav1.RelateVariantResponse](t)(s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: n.hash(1), Variant: "small", Identifier: "clean/a"}))
	before := s.queued(t)
	clean := func(jobs ...*mediav1.NewJob) (*mediav1.CleanupHashResponse, error) {
		return s.hashes.Cleanup(t.Context(), &mediav1.CleanupHashRequest{Hash: n.hash(1), Jobs: jobs})
	}
	_, err := clean(jobOf("a"), keyed("b", "clean"))
	expect(t, err, codes.FailedPrecondition, fault.InUse, "media.hashes.cleanup_query")
	if more := s.queued(t) - before; more != 0 {
		t.Errorf("%d jobs were pushed for a hash that is in use", more)
	}
	ok[*mediav1.IdentifierResponse](t)(s.variants.Identifier(t.Context(), &mediav1.VariantRequest{Hash: n.hash(1), Variant: "small"}))
	ok[*mediav1.DeleteAliasResponse](t)(s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: n.alias(1), WithoutToken: true}))
	// Of two jobs with one key one is stored, and none of the others is lost.
	if removed := ok[*mediav1.CleanupHashResponse](t)(clean(jobOf("a"), keyed("b", "clean"), keyed("c", "clean"), keyed("d", "clean too"))); !removed.GetRemoved() {
		t.Errorf("removed: %v", removed)
	}
	if more := s.queued(t) - before; more != 3 {
		t.Errorf("%d jobs were pushed; expected 3", more)
	}
	if removed := ok[*mediav1.CleanupHashResponse](t)(clean(keyed("b", "clean"))); removed.Removed == nil || removed.GetRemoved() {
		t.Errorf("removed again: %v", removed)
	}
	if more := s.queued(t) - before; more != 3 {
		t.Errorf("%d jobs were pushed; expected 3", more)
	}
	if list := ok[*mediav1.VariantList](t)(s.variants.ForHash(t.Context(), n.hashRequest(1))); len(list.GetVariants()) != 0 {
		t.Errorf("variants are left: %v", list)
	}
	_, err = clean(nil)
	expect(t, err, codes.InvalidArgument, fault.InvalidArgument, "")
}

func cleansVariants(t *testing.T, s *store) {
	n := names("trim")
	n.saved(t, s, 1)
	this := &mediav1.VariantRequest{Hash: n.hash(1), Variant: "small"}
	before := s.queued(t)
	for i, remove := range []func() *bool{
		func() *bool {
			return ok[*mediav1.CleanupVariantResponse](t)(s.variants.Cleanup(t.Context(),
				&mediav1.CleanupVariantRequest{Hash: this.GetHash(), Variant: "small", Job: jobOf("a")})).Removed
		},
		func() *bool {
			return ok[*mediav1.CleanupVariantResponse](t)(s.variants.Cleanup(t.Context(),
				&mediav1.CleanupVariantRequest{Hash: this.GetHash(), Variant: "small"})).Removed
		},
		func() *bool {
			affected := ok[*mediav1.Affected](t)(s.variants.Remove(t.Context(), this)).Affected
			return proto.Bool(*affected == 1)
		},
	} {
		for _, there := range []bool{true, false} {
			if there {
				ok[*mediav1.RelateVariantResponse](t)(s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: n.hash(1), Variant: "small", Identifier: "trim/a"}))
				ok[*mediav1.Affected](t)(s.access.Variant(t.Context(), &mediav1.AccessedVariantRequest{Hash: n.hash(1), Variant: "small"}))
			}
			if removed := remove(); removed == nil || *removed != there {
				t.Errorf("way %d: the variant was there: %t, removed is %v", i, there, removed)
			}
		}
		if ok[*mediav1.Contained](t)(s.access.ContainsVariant(t.Context(), this)).GetContained() {
			t.Errorf("way %d: the time of access was kept", i)
		}
	}
	if more := s.queued(t) - before; more != 2 {
		t.Errorf("%d jobs were pushed; expected 2", more)
	}
}

func describesHashes(t *testing.T, s *store) {
	n := names("describe")
	n.saved(t, s, 1)
	ok[*mediav1.CreateAliasResponse](t)(s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Alias: n.alias(11), Hash: n.hash(1)}))
	ok[*mediav1.CreateHashResponse](t)(s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Hash: n.hash(2), Identifier: n.identifier(2)}))
	response := ok[*mediav1.DescribeResponse](t)(s.hashes.Describe(t.Context(), &mediav1.DescribeRequest{
		Hashes: [][]byte{n.hash(2), n.hash(3), n.hash(1), n.hash(2)}}))
	var got []string
	for _, one := range response.GetHashes() {
		slices.Sort(one.GetAliases())
		got = append(got, fmt.Sprintf("%s %v %s %s", one.GetHash(), one.GetAliases(), one.GetIdentifier(), one.GetDetails()))
	}
	second := fmt.Sprintf("%s [] %s ", n.hash(2), n.identifier(2))
	want := []string{second, fmt.Sprintf("%s []  ", n.hash(3)),
		fmt.Sprintf("%s [%s %s] %s %s", n.hash(1), n.alias(1), n.alias(11), n.identifier(1), n.details(1)), second}
	if !slices.Equal(got, want) {
		t.Errorf("%q; expected %q", got, want)
	}
	if response := ok[*mediav1.DescribeResponse](t)(s.hashes.Describe(t.Context(), &mediav1.DescribeRequest{})); len(response.GetHashes()) != 0 {
		t.Errorf("nothing was asked for: %v", response)
	}
	_, err := s.hashes.Describe(t.Context(), &mediav1.DescribeRequest{Hashes: make([][]byte, 1001)})
	expect(t, err, codes.InvalidArgument, fault.InvalidArgument, "")
}

func listsContents(t *testing.T, s *store) {
	n := names("contents")
	n.saved(t, s, 1)
	ok[*mediav1.RelateVariantResponse](t)(s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: n.hash(1), Variant: "small", Identifier: "contents/a"}))
	for _, tokens := range []bool{false, true} {
		want := &mediav1.ContentsResponse{Info: &mediav1.HashInfo{Identifier: n.identifier(1), CreatedAt: ago(1)},
			Aliases: []*mediav1.AliasToken{{Alias: n.alias(1)}}, Variants: []*mediav1.Variant{{Variant: "small", Identifier: "contents/a"}}}
		if tokens {
			want.Aliases[0].DeleteToken = proto.String("token-" + n.alias(1))
		}
		got := ok[*mediav1.ContentsResponse](t)(s.hashes.Contents(t.Context(), &mediav1.ContentsRequest{Hash: n.hash(1), WithTokens: tokens}))
		if !proto.Equal(got, want) {
			t.Errorf("%v; expected %v", got, want)
		}
	}
	if got := ok[*mediav1.ContentsResponse](t)(s.hashes.Contents(t.Context(), &mediav1.ContentsRequest{Hash: n.hash(2), WithTokens: true})); !proto.Equal(got, &mediav1.ContentsResponse{}) {
		t.Errorf("of a hash that is not there: %v", got)
	}
}

func checksHealth(t *testing.T, s *store) {
	for range 2 {
		ok[*mediav1.CheckResponse](t)(s.repo.Check(t.Context(), &mediav1.CheckRequest{}))
	}
}

// slug is the URL-safe base64 of a hash, as hosts write it.
func slug(hash []byte) *string { return proto.String(base64.URLEncoding.EncodeToString(hash)) }
