package bench

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// api is the way over the generated clients, as a host uses them: in this process or to the plugin.
type api struct {
	swarms   trackerv1.SwarmsClient
	data     trackerv1.DataClient
	database trackerv1.DatabaseClient
}

func newAPI(conn grpc.ClientConnInterface) *api {
	return &api{swarms: trackerv1.NewSwarmsClient(conn), data: trackerv1.NewDataClient(conn), database: trackerv1.NewDatabaseClient(conn)}
}

func rows(n *int64) affected {
	if n == nil {
		return unknown
	}
	return affected(*n)
}

func (a *api) putPeer(ctx context.Context, p *peer, seeder bool) (affected, error) {
	r, err := a.swarms.PutPeer(ctx, &trackerv1.PutPeerRequest{InfoHash: p.swarm.hash, Peer: p.message, IsSeeder: seeder})
	if err != nil {
		return 0, err
	}
	return rows(r.Affected), nil
}

func (a *api) deletePeer(ctx context.Context, p *peer, seeder bool) (affected, error) {
	r, err := a.swarms.DeletePeer(ctx, &trackerv1.DeletePeerRequest{InfoHash: p.swarm.hash, Peer: p.message, IsSeeder: seeder})
	if err != nil {
		return 0, err
	}
	return rows(r.Affected), nil
}

func (a *api) removePeer(ctx context.Context, p *peer) (affected, error) {
	r, err := a.swarms.RemovePeer(ctx, &trackerv1.RemovePeerRequest{InfoHash: p.swarm.hash, Peer: p.message})
	if err != nil {
		return 0, err
	}
	return rows(r.Affected), nil
}

func (a *api) graduateLeecher(ctx context.Context, p *peer) (affected, error) {
	r, err := a.swarms.GraduateLeecher(ctx, &trackerv1.GraduateLeecherRequest{InfoHash: p.swarm.hash, Peer: p.message})
	switch {
	case err != nil:
		return 0, err
	case r.Promoted == nil:
		return unknown, nil
	}
	return affected(index(*r.Promoted)), nil
}

func (a *api) announcePeers(ctx context.Context, p *peer, forSeeder bool, want int) (int, error) {
	r, err := a.swarms.AnnouncePeers(ctx, &trackerv1.AnnouncePeersRequest{InfoHash: p.swarm.hash, ForSeeder: forSeeder,
		Want: int32(want), V6: p.v6(), Requester: p.message})
	return len(r.GetPeers()), err
}

func (a *api) announce(ctx context.Context, p *peer, action trackerv1.Action, forSeeder bool, want int) (announced, error) {
	family := trackerv1.Family(index(p.v6()))
	r, err := a.swarms.Announce(ctx, &trackerv1.AnnounceRequest{InfoHashes: [][]byte{p.swarm.hash}, Peers: []*trackerv1.Peer{p.message},
		Action: action, ForSeeder: forSeeder, Want: int32(want), Families: []trackerv1.Family{family}, WantCounts: true})
	if err != nil {
		return announced{}, err
	}
	if failure := r.GetWriteError(); failure != nil {
		return announced{}, fmt.Errorf("%s: %s", failure.GetOperation(), failure.GetMessage())
	}
	return announced{counts: counts{seeders: r.GetComplete(), leechers: r.GetIncomplete(), snatched: r.GetDownloaded()}, peers: len(r.GetPeers())}, nil
}

func (a *api) putPeers(ctx context.Context, all []*peer) (affected, error) {
	r, err := a.swarms.PutPeers(ctx, &trackerv1.PutPeersRequest{Changes: changes(all)})
	if err != nil {
		return 0, err
	}
	var sum affected
	for _, result := range r.GetResults() {
		if failure := result.GetError(); failure != nil {
			return 0, errors.New(failure.GetMessage())
		}
		if result.Affected == nil {
			return unknown, nil
		}
		sum += affected(*result.Affected)
	}
	return sum, nil
}

func countsOf(s *trackerv1.Swarm) counts {
	return counts{seeders: s.GetSeeders(), leechers: s.GetLeechers(), snatched: s.GetSnatched()}
}

func (a *api) scrapeSwarm(ctx context.Context, s *swarm) (counts, error) {
	r, err := a.swarms.ScrapeSwarm(ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: s.hash})
	return countsOf(r), err
}

func (a *api) scrapeFamily(ctx context.Context, s *swarm, v6 bool) (counts, error) {
	r, err := a.swarms.ScrapeFamily(ctx, &trackerv1.ScrapeFamilyRequest{InfoHash: s.hash, V6: v6})
	return countsOf(r), err
}

func (a *api) scrapeSwarms(ctx context.Context, all []*swarm, into []counts) error {
	request := &trackerv1.ScrapeSwarmsRequest{InfoHashes: hashesOf(all)}
	r, err := a.swarms.ScrapeSwarms(ctx, request)
	if err != nil {
		return err
	}
	if len(r.GetSwarms()) != len(all) {
		return fmt.Errorf("%d swarms, asked for %d", len(r.GetSwarms()), len(all))
	}
	for i, s := range r.GetSwarms() {
		into[i] = countsOf(s)
	}
	return nil
}

func hashesOf(all []*swarm) [][]byte {
	hashes := make([][]byte, len(all))
	for i, s := range all {
		hashes[i] = s.hash
	}
	return hashes
}

func (a *api) dataPut(ctx context.Context, key, value []byte) error {
	_, err := a.data.Put(ctx, &trackerv1.PutRequest{Context: dataContext, Entries: []*trackerv1.Entry{{Key: key, Value: value}}})
	return err
}

func (a *api) dataLoad(ctx context.Context, key []byte) ([]byte, error) {
	r, err := a.data.Load(ctx, &trackerv1.LoadRequest{Context: dataContext, Key: key})
	return r.GetValue(), err
}

func (a *api) dataContains(ctx context.Context, keys [][]byte) (int, error) {
	r, err := a.data.Contains(ctx, &trackerv1.ContainsRequest{Context: dataContext, Keys: keys})
	found := 0
	for _, one := range r.GetFound() {
		found += index(one)
	}
	return found, err
}

func (a *api) dataDelete(ctx context.Context, key []byte) (affected, error) {
	r, err := a.data.Delete(ctx, &trackerv1.DeleteRequest{Context: dataContext, Key: [][]byte{key}})
	if err != nil {
		return 0, err
	}
	return rows(r.Affected), nil
}

func (a *api) ping(ctx context.Context) error {
	_, err := a.database.Ping(ctx, &trackerv1.PingRequest{})
	return err
}

func (a *api) stats(ctx context.Context) (counts, error) {
	r, err := a.swarms.Stats(ctx, &trackerv1.StatsRequest{})
	return counts{seeders: r.GetSeeders(), leechers: r.GetLeechers()}, err
}

func (a *api) runGC(ctx context.Context) (affected, error) {
	r, err := a.swarms.RunGC(ctx, &trackerv1.RunGCRequest{})
	if err != nil {
		return 0, err
	}
	return rows(r.Deleted), nil
}

func (a *api) capabilities(ctx context.Context) (int, error) {
	r, err := a.swarms.Capabilities(ctx, &trackerv1.CapabilitiesRequest{})
	return len(r.GetQueries()), err
}
