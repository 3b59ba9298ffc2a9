package tracker_test

import (
	"strings"
	"testing"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// A graduation that was sent again may have found its own first effect: then it is not known whether
// a leecher was promoted, and where promotions are counted the download counts.
func TestGraduationThatWasSentAgain(t *testing.T) {
	const lostFirst = ` AND (SELECT CASE WHEN run() = 1 THEN pg_terminate_backend(pg_backend_pid()) ELSE true END)`
	for name, c := range map[string]struct {
		text      string
		known     bool
		downloads int
	}{
		"sent once":  {graduatePlain, true, 0},
		"sent again": {graduatePlain + lostFirst, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, setup{more: queries{graduateQuery: c.text}, settings: func(s *trackerv1.Settings) { s.CountOn = "graduated" }})
			// No leecher has this port.
			response, err := s.service.GraduateLeecher(limited(t), &trackerv1.GraduateLeecherRequest{InfoHash: []byte(strings.Repeat("h", 20)),
				Peer: &trackerv1.Peer{PeerId: []byte(strings.Repeat("p", 20)), Address: []byte{10, 0, 0, 1}, Port: 77}})
			if err != nil {
				t.Fatal(err)
			}
			if (response.Promoted != nil) != c.known || response.GetPromoted() {
				t.Errorf("promoted: %v", response)
			}
			if n := s.number("SELECT coalesce(sum(downloads), 0) FROM downloads"); n != c.downloads {
				t.Errorf("%d downloads are counted, want %d", n, c.downloads)
			}
			if n := s.number("SELECT count(*) FROM peers WHERE port = 77 AND is_seeder"); n != 1 {
				t.Errorf("the peer is there %d times", n)
			}
		})
	}
}
