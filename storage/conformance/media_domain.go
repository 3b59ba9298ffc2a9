package conformance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func mediaDomain() Domain {
	return Domain{Section: "media", Steady: steadyMedia, Bind: func(conn grpc.ClientConnInterface, settings proto.Message, clock *Clock) (*Suite, error) {
		typed, ok := settings.(*mediav1.SectionSettings)
		if !ok {
			return nil, fmt.Errorf("the settings of the section media are of type %T", settings)
		}
		return mediaSuite(NewMedia(conn, typed, clock)), nil
	}}
}

// steadyMedia lets other people's jobs, claims and uploads live so long that none becomes stale while a
// case runs that compares totals.
func steadyMedia(settings proto.Message) proto.Message {
	typed, ok := settings.(*mediav1.SectionSettings)
	if !ok {
		return settings
	}
	const years = 3 * 365 * 24 * time.Hour
	changed := proto.CloneOf(typed)
	changed.QueueStaleAfter, changed.VariantsStaleAfter = durationpb.New(years), durationpb.New(years)
	changed.UploadsExpireAfter = durationpb.New(years)
	return changed
}

// A mediaAbility is an ability with how it is looked for. It is only looked for if those it builds on are
// there. A look that fails proves nothing: then the ability counts as there, and the cases that need it
// say what is wrong.
type mediaAbility struct {
	Ability
	has func(g *gallery) bool
}

// mediaAbilities returns all abilities, those first on which others build.
func mediaAbilities() []mediaAbility {
	return slices.Concat(mediaGroupAbilities(), mediaRepoAbilities(), mediaBackgroundAbilities())
}

func mediaSuite(s *Media) *Suite {
	suite := &Suite{Answers: s.answers, Cases: bindCases(MediaCases(), s)}
	for _, m := range mediaAbilities() {
		a := m.Ability
		a.look = func(ctx context.Context, t T) bool {
			g := newGallery(ctx, t, s)
			defer g.end()
			return m.has(g)
		}
		suite.Abilities = append(suite.Abilities, a)
	}
	return suite
}

// answers fails if the storage cannot be asked at all.
func (s *Media) answers(ctx context.Context) error {
	if _, err := s.Repo.Capabilities(ctx, &mediav1.CapabilitiesRequest{}); err != nil {
		return fmt.Errorf("the storage does not answer: %w", err)
	}
	return nil
}

// ProbeMedia finds out what a query set can do, as Probe does.
func ProbeMedia(ctx context.Context, s *Media) (Capabilities, error) { return mediaSuite(s).probe(ctx) }
