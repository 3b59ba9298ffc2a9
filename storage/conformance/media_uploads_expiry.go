package conformance

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// expire deletes uploads, other people's included.
func (g *gallery) expire(before time.Time) {
	g.t.Helper()
	ask(g, g.media.Uploads.Expire, &mediav1.ExpireUploadsRequest{Before: timestamppb.New(before)})
}

func uploadExpiryCases() []mediaCase {
	const old = "uploads that were created before a time are deleted, with and without a result; later ones stay"
	about := keys(uploadsExpire, uploadsCreate, uploadsResult)
	return []mediaCase{
		{name: "uploads.expire deletes what is older, and nothing else", on: about, says: old, needs: []Capability{ExpiresUploads}, exclusive: true,
			run: func(g *gallery) {
				running, done := g.background(), g.background()
				g.completeUpload(done, succeeded, 1)
				g.expire(longAgo())
				g.uploaded(running, "")
				g.uploaded(done, succeeded)
				g.expire(time.Now().Add(time.Hour))
				g.noUpload(running)
				g.noUpload(done)
			}},
		{name: "uploads.expire keeps an upload of exactly the time", on: about, says: old, needs: []Capability{ExpiresUploads, ClockStops}, exclusive: true,
			run: func(g *gallery) {
				at := g.stopClock()
				older := g.background()
				g.at(at.Add(time.Second))
				exact := g.background()
				g.at(at.Add(2 * time.Second))
				younger := g.background()
				g.completeUpload(younger, succeeded, 1)
				g.expire(at.Add(time.Second))
				g.noUpload(older)
				g.uploaded(exact, "")
				g.uploaded(younger, succeeded)
			}},
	}
}
