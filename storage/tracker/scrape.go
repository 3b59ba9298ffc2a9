package tracker

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// maxHashes bounds one scrape. Hosts refuse more than 74 (BEP 15's packet size) or 50 long before.
const maxHashes = 10000

// counts are the calls that count swarms, in the order of their hashes.
type counts struct {
	hashes [][]byte
	scrape *query.Call   // one statement for all, if the operator gave it
	peers  []*query.Call // otherwise one for each hash
	loads  []*query.Call // and one for its downloads, if they are counted
}

// count prepares the counting of swarms. One swarm is counted by its own statements, which touch
// only its rows; several by one statement where the operator gave it.
func (v view) count(hashes [][]byte) (*counts, error) {
	c := &counts{hashes: hashes}
	alive := timestamppb.New(v.Now().Add(-v.lifetime()))
	single := v.configured(trackerv1.Operations_SwarmCount_FullMethodName)
	if v.configured(trackerv1.Operations_PeerScrape_FullMethodName) && (len(hashes) > 1 || !single) {
		var err error
		c.scrape, err = v.Call(trackerv1.Operations_PeerScrape_FullMethodName,
			&trackerv1.PeerScrapeParameters{InfoHashes: hashes, AliveSince: alive})
		return c, err
	}
	for _, hash := range hashes {
		call, err := v.Call(trackerv1.Operations_SwarmCount_FullMethodName,
			&trackerv1.SwarmCountParameters{InfoHash: hash, AliveSince: alive})
		if err != nil {
			return nil, err
		}
		c.peers = append(c.peers, call)
	}
	return c, v.addDownloads(c)
}

func (v view) addDownloads(c *counts) error {
	if !v.configured(trackerv1.Operations_DownloadsGet_FullMethodName) {
		return nil
	}
	for _, hash := range c.hashes {
		call, err := v.Call(trackerv1.Operations_DownloadsGet_FullMethodName, &trackerv1.DownloadsGetParameters{InfoHash: hash})
		if err != nil {
			return err
		}
		c.loads = append(c.loads, call)
	}
	return nil
}

func (c *counts) calls() []*query.Call {
	if c.scrape != nil {
		return []*query.Call{c.scrape}
	}
	return append(c.peers[:len(c.peers):len(c.peers)], c.loads...)
}

// swarms returns the counts after the calls ran.
func (c *counts) swarms() ([]*trackerv1.Swarm, error) {
	if err := query.Group(c.calls()).Err(); err != nil {
		return nil, err
	}
	if c.scrape != nil {
		return c.scraped(), nil
	}
	swarms := make([]*trackerv1.Swarm, len(c.hashes))
	for i := range c.hashes {
		swarms[i] = &trackerv1.Swarm{}
		if c.peers[i].Found() {
			row := c.peers[i].Rows[0].(*trackerv1.Counts)
			swarms[i].Seeders, swarms[i].Leechers = row.GetSeeders(), row.GetLeechers()
		}
		if c.loads != nil && c.loads[i].Found() {
			swarms[i].Snatched = c.loads[i].Rows[0].(*trackerv1.Downloads).GetDownloads()
		}
	}
	return swarms, nil
}

func (c *counts) scraped() []*trackerv1.Swarm {
	byHash := make(map[string]*trackerv1.ScrapeRow, len(c.scrape.Rows))
	for _, row := range query.RowsOf[*trackerv1.ScrapeRow](c.scrape) {
		byHash[string(row.GetInfoHash())] = row
	}
	swarms := make([]*trackerv1.Swarm, len(c.hashes))
	for i, hash := range c.hashes {
		row := byHash[string(hash)] // an unknown hash has no row, and zeros
		swarms[i] = &trackerv1.Swarm{Seeders: row.GetSeeders(), Leechers: row.GetLeechers(), Snatched: row.GetDownloads()}
	}
	return swarms
}

// ScrapeSwarm implements the method of the API.
func (s *Service) ScrapeSwarm(ctx context.Context, request *trackerv1.ScrapeSwarmRequest) (*trackerv1.Swarm, error) {
	swarms, err := s.begin().scrape(ctx, [][]byte{request.GetInfoHash()})
	if err != nil {
		return nil, err
	}
	return swarms[0], nil
}

// ScrapeSwarms implements the method of the API.
func (s *Service) ScrapeSwarms(ctx context.Context, request *trackerv1.ScrapeSwarmsRequest) (*trackerv1.ScrapeSwarmsResponse, error) {
	if n := len(request.GetInfoHashes()); n > maxHashes {
		return nil, invalid("info_hashes must hold at most %d hashes, not %d", maxHashes, n)
	}
	if len(request.GetInfoHashes()) == 0 {
		return &trackerv1.ScrapeSwarmsResponse{}, nil
	}
	swarms, err := s.begin().scrape(ctx, request.GetInfoHashes())
	if err != nil {
		return nil, err
	}
	return &trackerv1.ScrapeSwarmsResponse{Swarms: swarms}, nil
}

func (v view) scrape(ctx context.Context, hashes [][]byte) ([]*trackerv1.Swarm, error) {
	c, err := v.count(hashes)
	if err != nil {
		return nil, err
	}
	v.Run(ctx, query.Calls(c.calls()...))
	return c.swarms()
}

// ScrapeFamily implements the method of the API.
func (s *Service) ScrapeFamily(ctx context.Context, request *trackerv1.ScrapeFamilyRequest) (*trackerv1.Swarm, error) {
	v := s.begin()
	if !v.configured(trackerv1.Operations_FamilyCount_FullMethodName) {
		swarms, err := v.scrape(ctx, [][]byte{request.GetInfoHash()})
		if err != nil {
			return nil, err
		}
		swarms[0].BothFamilies = true
		return swarms[0], nil
	}
	call, err := v.Call(trackerv1.Operations_FamilyCount_FullMethodName, &trackerv1.FamilyCountParameters{
		InfoHash: request.GetInfoHash(), IsV6: request.GetV6(), AliveSince: timestamppb.New(v.Now().Add(-v.lifetime()))})
	if err != nil {
		return nil, err
	}
	c := &counts{hashes: [][]byte{request.GetInfoHash()}, peers: []*query.Call{call}}
	if err := v.addDownloads(c); err != nil {
		return nil, err
	}
	v.Run(ctx, query.Calls(c.calls()...))
	swarms, err := c.swarms()
	if err != nil {
		return nil, err
	}
	return swarms[0], nil
}
