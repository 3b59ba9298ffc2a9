package mutation

import (
	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// collected is how many rows one chunk of a collection may have while mutants are tried: so few that the
// cases need several chunks.
const collected = 25

// trackerSettings are the operator's settings as the tracker's cases see most with them.
func trackerSettings(settings proto.Message) proto.Message {
	typed, ok := settings.(*trackerv1.Settings)
	if !ok {
		return settings
	}
	changed := proto.CloneOf(typed)
	changed.GcLimit = collected
	return changed
}
