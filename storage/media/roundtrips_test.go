package media_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// A tripCase is a call with the round trips that the contract's table of methods gives it where the
// operator wrote all optional operations, and what it takes with the required ones only. The cases
// are run in their order; each finds what those before it left.
type tripCase struct {
	name       string
	full, bare int
	call       func(*testing.T, *store) error
}

// moment is a time in the past; each hash of the tests is a second older than the one before it.
var moment = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func hashOf(n int) []byte { return fmt.Appendf(nil, "hash-%04d", n) }

func ago(n int) *timestamppb.Timestamp {
	return timestamppb.New(moment.Add(-time.Duration(n) * time.Second))
}

func create(n int, alias string) *mediav1.SaveUploadRequest {
	return &mediav1.SaveUploadRequest{Hash: hashOf(n), Identifier: fmt.Sprintf("file-%d", n), Details: proto.String(`{"width": 1}`),
		CreatedAt: ago(n), Alias: alias, DeleteToken: "token-" + alias}
}

// drain reads a stream to its end.
func drain[T any](stream grpc.ServerStreamingClient[T], err error) (batches []*T, _ error) {
	if err != nil {
		return nil, err
	}
	for {
		batch, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return batches, nil
		}
		if err != nil {
			return batches, err
		}
		batches = append(batches, batch)
	}
}

func saveCase(name string, trips int, request *mediav1.SaveUploadRequest, want string) tripCase {
	return tripCase{name, trips, trips, func(t *testing.T, s *store) error {
		response, err := s.uploads.Save(t.Context(), request)
		if got := fmt.Sprintf("%t %t %s", response.GetHashExisted(), response.GetAliasExisted(), response.GetDeleteToken()); got != want {
			t.Errorf("%s: %s; expected %s", name, got, want)
		}
		return err
	}}
}

// with changes a request.
func with[T any](request *T, change func(*T)) *T {
	change(request)
	return request
}

func tripCases() []tripCase {
	return append(append(writingTrips(), readingTrips()...), removingTrips()...)
}

func writingTrips() []tripCase {
	return []tripCase{
		{"Check", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.repo.Check(t.Context(), &mediav1.CheckRequest{})
			return err
		}},
		{"Capabilities", 0, 0, func(t *testing.T, s *store) error {
			_, err := s.repo.Capabilities(t.Context(), &mediav1.CapabilitiesRequest{})
			return err
		}},
		saveCase("Save", 1, create(1, "one"), "false false token-one"),
		saveCase("Save without details", 1, with(create(2, "two"), func(r *mediav1.SaveUploadRequest) { r.Details = nil }), "false false token-two"),
		saveCase("Save a duplicate", 2, with(create(1, "uno"), func(r *mediav1.SaveUploadRequest) { r.Identifier = "other" }), "true false token-uno"),
		saveCase("Save a duplicate without details", 1, with(create(1, "ein"), func(r *mediav1.SaveUploadRequest) {
			r.Identifier, r.Details = "other", nil
		}), "true false token-ein"),
		saveCase("Save under a taken alias", 1, create(3, "two"), "false true "),
		saveCase("Save again under another one", 1, create(3, "three"), "false false token-three"),
		{"Create a hash", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.hashes.Create(t.Context(), &mediav1.CreateHashRequest{Hash: hashOf(4), Identifier: "file-4", CreatedAt: ago(4)})
			return err
		}},
		{"Create an alias", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.aliases.Create(t.Context(), &mediav1.CreateAliasRequest{Hash: hashOf(4), Alias: "four"})
			return err
		}},
		{"Relate a variant", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: hashOf(1), Variant: "small", Identifier: "small-1", Details: proto.String("{}")})
			return err
		}},
		{"Relate a variant that is there", 2, 2, func(t *testing.T, s *store) error {
			response, err := s.variants.Relate(t.Context(), &mediav1.RelateVariantRequest{Hash: hashOf(1), Variant: "small", Identifier: "small-2", Details: proto.String("{}")})
			if !response.GetExisted() || response.GetIdentifier() != "small-1" {
				t.Errorf("the winner is %v", response)
			}
			return err
		}},
		{"Relate a URL", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.proxies.Relate(t.Context(), &mediav1.RelateURLRequest{Url: "http://one", Alias: "one"})
			return err
		}},
	}
}

func readingTrips() []tripCase {
	slug := "aGFzaC0wMDAy" // of the second hash
	return []tripCase{
		{"Info", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.hashes.Info(t.Context(), &mediav1.HashRequest{Hash: hashOf(1)})
			return err
		}},
		{"Resolve an alias", 1, 3, func(t *testing.T, s *store) error {
			_, err := s.aliases.Resolve(t.Context(), &mediav1.AliasRequest{Alias: "one"})
			return err
		}},
		{"Identifier of an alias", 1, 2, func(t *testing.T, s *store) error {
			_, err := s.aliases.Identifier(t.Context(), &mediav1.AliasRequest{Alias: "one"})
			return err
		}},
		{"Siblings", 1, 2, func(t *testing.T, s *store) error {
			_, err := s.aliases.Siblings(t.Context(), &mediav1.AliasRequest{Alias: "one"})
			return err
		}},
		{"Resolve a variant", 1, 3, func(t *testing.T, s *store) error {
			_, err := s.variants.Resolve(t.Context(), &mediav1.ResolveVariantRequest{Alias: "one", Variant: "small"})
			return err
		}},
		{"Resolve and touch a variant", 1, 3, func(t *testing.T, s *store) error {
			_, err := s.variants.Resolve(t.Context(), &mediav1.ResolveVariantRequest{Alias: "one", Variant: "small", Touch: true})
			return err
		}},
		{"Resolve a URL", 1, 4, func(t *testing.T, s *store) error {
			_, err := s.proxies.Resolve(t.Context(), &mediav1.ResolveURLRequest{Url: "http://one"})
			return err
		}},
		{"Resolve and touch a URL", 1, 4, func(t *testing.T, s *store) error {
			_, err := s.proxies.Resolve(t.Context(), &mediav1.ResolveURLRequest{Url: "http://one", Touch: true})
			return err
		}},
		{"Contents", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.hashes.Contents(t.Context(), &mediav1.ContentsRequest{Hash: hashOf(1)})
			return err
		}},
		{"Contents with tokens", 2, 2, func(t *testing.T, s *store) error {
			_, err := s.hashes.Contents(t.Context(), &mediav1.ContentsRequest{Hash: hashOf(1), WithTokens: true})
			return err
		}},
		{"Describe", 1, 2, func(t *testing.T, s *store) error {
			request := &mediav1.DescribeRequest{}
			for n := range 20 {
				request.Hashes = append(request.Hashes, hashOf(n))
			}
			_, err := s.hashes.Describe(t.Context(), request)
			return err
		}},
		{"the first page", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.hashes.Page(t.Context(), &mediav1.PageRequest{})
			return err
		}},
		{"a page by its slug", 1, 2, func(t *testing.T, s *store) error {
			page, err := s.hashes.Page(t.Context(), &mediav1.PageRequest{Slug: &slug, Limit: 2})
			if page.GetCurrent() != slug {
				t.Errorf("the page begins at %q", page.GetCurrent())
			}
			return err
		}},
		{"a page by date", 2, 2, func(t *testing.T, s *store) error {
			_, err := s.hashes.PageByDate(t.Context(), &mediav1.PageByDateRequest{Before: ago(1)})
			return err
		}},
		{"a page at a place", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.hashes.Ordered(t.Context(), &mediav1.OrderedRequest{Bound: &mediav1.OrderedHash{Hash: hashOf(2), CreatedAt: ago(2)}})
			return err
		}},
		{"List", 1, 1, func(t *testing.T, s *store) error {
			_, err := drain(s.hashes.List(t.Context(), &mediav1.ListHashesRequest{}))
			return err
		}},
		{"OlderAliases", 1, 1, func(t *testing.T, s *store) error {
			_, err := drain(s.access.OlderAliases(t.Context(), &mediav1.OlderRequest{Before: timestamppb.Now()}))
			return err
		}},
		{"OlderVariants", 1, 1, func(t *testing.T, s *store) error {
			_, err := drain(s.access.OlderVariants(t.Context(), &mediav1.OlderRequest{Before: timestamppb.Now()}))
			return err
		}},
		{"ContainsVariant", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.access.ContainsVariant(t.Context(), &mediav1.VariantRequest{Hash: hashOf(1), Variant: "small"})
			return err
		}},
	}
}

func removingTrips() []tripCase {
	move := func(kind mediav1.MoveIdentifierRequest_Kind, old string) func(*testing.T, *store) error {
		return func(t *testing.T, s *store) error {
			_, err := s.migrations.MoveIdentifier(t.Context(), &mediav1.MoveIdentifierRequest{Kind: kind, Hash: hashOf(1), Variant: "small",
				OldIdentifier: old, NewIdentifier: old + "-moved", Details: proto.String("{}")})
			return err
		}
	}
	return []tripCase{
		{"MoveIdentifier of the original", 1, 1, move(mediav1.MoveIdentifierRequest_ORIGINAL, "file-1")},
		{"MoveIdentifier of the still image", 1, 1, move(mediav1.MoveIdentifierRequest_MOTION, "still-1")},
		{"MoveIdentifier of a variant", 1, 1, move(mediav1.MoveIdentifierRequest_VARIANT, "small-1")},
		{"RemoveVariant of a time of access", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.access.RemoveVariant(t.Context(), &mediav1.VariantRequest{Hash: hashOf(1), Variant: "small"})
			return err
		}},
		{"Remove a variant", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.variants.Remove(t.Context(), &mediav1.VariantRequest{Hash: hashOf(1), Variant: "small"})
			return err
		}},
		{"Cleanup of a variant", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.variants.Cleanup(t.Context(), &mediav1.CleanupVariantRequest{Hash: hashOf(1), Variant: "small", Job: jobOf("a")})
			return err
		}},
		{"Delete an alias", 2, 2, deletion("uno", "token-uno", false)},
		{"Delete it again", 1, 1, deletion("uno", "token-uno", false)},
		{"Remove an alias", 1, 2, func(t *testing.T, s *store) error {
			_, err := s.aliases.Remove(t.Context(), &mediav1.RemoveAliasRequest{Hash: hashOf(1), Alias: "ein"})
			return err
		}},
		{"Delete the last alias", 2, 2, deletion("one", "token-one", true)},
		{"RemoveAlias of a time of access", 1, 1, func(t *testing.T, s *store) error {
			_, err := s.access.RemoveAlias(t.Context(), &mediav1.AliasRequest{Alias: "one"})
			return err
		}},
		// The bare set removes the variants within the same statement, which the row bound cannot nest.
		{"Cleanup of a hash", 1, 3, func(t *testing.T, s *store) error {
			_, err := s.hashes.Cleanup(t.Context(), &mediav1.CleanupHashRequest{Hash: hashOf(1), Jobs: []*mediav1.NewJob{jobOf("a"), jobOf("b"), jobOf("c")}})
			return err
		}},
	}
}

func deletion(alias, token string, last bool) func(*testing.T, *store) error {
	return func(t *testing.T, s *store) error {
		response, err := s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: alias, DeleteToken: token})
		if response.GetLastAlias() != last {
			t.Errorf("last_alias is %t", response.GetLastAlias())
		}
		return err
	}
}

func jobOf(name string) *mediav1.NewJob {
	return &mediav1.NewJob{Queue: "cleanup", Job: `{"name": "` + name + `"}`}
}

// Each method costs the round trips that the contract says, whatever its connection has seen before.
func TestRoundTrips(t *testing.T) {
	sets := map[string]querySet{
		"full": full(t), "bare": bare(t),
		"default": readSet(t, "../../queries.example.yaml", "../../schema.sql"),
		"pict-rs": readSet(t, "../../schemas/pict-rs/queries.yaml", "../../schemas/pict-rs/schema.sql"),
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			s := open(t, set)
			for _, c := range tripCases() {
				want := c.full
				switch {
				case name == "bare":
					want = c.bare
				case strings.HasSuffix(c.name, "a time of access") && !set.has("alias_access.remove_query"):
					want = 0 // it lives in another row, with which it goes
				}
				var err error
				if trips := s.wire.count(func() { err = c.call(t, s) }); trips != want || err != nil {
					t.Errorf("%s: %d round trips, %v; expected %d", c.name, trips, err, want)
				}
			}
			if log := s.log.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
				t.Errorf("something was complained about:\n%s", log)
			}
		})
	}
}
