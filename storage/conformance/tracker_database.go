package conformance

import (
	"context"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// databaseCases are about the database as such.
func databaseCases() []Case[*Tracker] {
	return []Case[*Tracker]{{
		Name: "Ping answers", Operations: keys(pingQuery), Says: "a database that can be used answers, as often as it is asked",
		Run: func(ctx context.Context, t T, s *Tracker) {
			report(t, "Ping", together(8, func(int) error {
				_, err := s.Database.Ping(ctx, &trackerv1.PingRequest{})
				return err
			}))
		},
	}}
}
