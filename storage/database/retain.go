package database

import (
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage/query"
)

// retained is the names of the statements that are worth keeping on connections.
type retained struct{ names map[string]bool }

// spare is how many statements beyond twice the retained ones a connection may hold: those of calls that
// began before a reload, and of plans that were replaced since.
const spare = 64

// Retain says which statements are in use now. Each connection gives up the others with the next flight
// that it carries, so that reloads do not fill the server's memory. What is needed all the same, because a
// call still runs on an older set, is prepared again.
func (p *Pool) Retain(set *query.Set) {
	keep := &retained{names: map[string]bool{}}
	for _, statement := range set.Statements() {
		if plan := statement.Plan(); plan != nil {
			keep.names[plan.Name], keep.names[plan.Required().Name] = true, true
		}
	}
	p.retained.Store(keep)
}

// sweep sends that the connection's superfluous statements are given up, and returns how many. It adds
// to a pipeline that is sent anyway, and so costs no round trip.
func (p *Pool) sweep(s *session, pl *pgconn.Pipeline, transits []*transit) int {
	keep := p.retained.Load()
	if keep == nil || s.swept == keep && len(s.prepared) <= 2*len(keep.names)+spare {
		return 0
	}
	s.swept = keep
	var needed []string
	for _, t := range transits {
		for _, plan := range t.plans {
			needed = append(needed, plan.Name)
		}
	}
	swept := 0
	for name := range s.prepared {
		if keep.names[name] || slices.Contains(needed, name) {
			continue
		}
		pl.SendDeallocate(name)
		delete(s.prepared, name)
		swept++
	}
	if swept > 0 {
		pl.SendPipelineSync()
	}
	return swept
}

// receiveSwept reads the answers to sweep. Giving up a statement that is not there is no error.
func (in *inbox) receiveSwept(swept int) (lost error) {
	if swept == 0 {
		return nil
	}
	for range swept {
		if _, err := in.pipeline.GetResults(); err != nil {
			if isLost(err) {
				return err
			}
			break // only the Sync is left to come
		}
	}
	_, lost = in.awaitSync()
	return lost
}
