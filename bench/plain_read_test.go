package bench

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// A foundPeer is a peer as a hand-written tracker would hold it.
type foundPeer struct {
	id      []byte
	address netip.AddrPort
}

// A peerList collects peers, without the one that asks, and no more than wanted.
type peerList struct {
	asking netip.AddrPort
	want   int
	peers  []foundPeer
}

func (p *plain) announcePeers(ctx context.Context, one *peer, forSeeder bool, want int) (int, error) {
	v := p.values(one, forSeeder)
	if p.announceMixed != nil { // one statement needs no batch
		v.want = int64(want) + 1
		list := newPeerList(one, want)
		found, err := p.pool.Query(ctx, p.announceMixed.text, p.announceMixed.bind(v)...)
		if err != nil {
			return 0, err
		}
		err = p.announceMixed.readPeers(found, list)
		return len(list.peers), err
	}
	b := &pgx.Batch{}
	list := p.queueList(b, v, want)
	err := p.send(ctx, b)
	return len(list.peers), err
}

func newPeerList(asking *peer, want int) *peerList {
	return &peerList{asking: netip.AddrPortFrom(asking.address, uint16(asking.port)), want: want, peers: make([]foundPeer, 0, want)}
}

// queueList asks for peers as for the role in v: seeders and leechers, or leechers for a seeder. One
// more is asked for than wanted, since a query may give out the one that asks.
func (p *plain) queueList(b *pgx.Batch, v *values, want int) *peerList {
	list := newPeerList(v.peer, want)
	v.want = int64(want) + 1
	if s := p.announceMixed; s != nil {
		b.Queue(s.text, s.bind(v)...).Query(func(found pgx.Rows) error { return s.readPeers(found, list) })
		return list
	}
	s, one := p.announceOne, *v
	for _, seeders := range []bool{true, false} {
		if seeders && v.seeder {
			continue
		}
		one.seeder = seeders
		b.Queue(s.text, s.bind(&one)...).Query(func(found pgx.Rows) error { return s.readPeers(found, list) })
	}
	return list
}

func (s *statement) readPeers(found pgx.Rows, list *peerList) error {
	defer found.Close()
	var id, raw []byte
	var address netip.Addr
	var port int32
	targets := make([]any, s.width)
	targets[s.at["peer_id"]], targets[s.at["address"]], targets[s.at["port"]] = &id, &address, &port
	if s.addressIsBytes {
		targets[s.at["address"]] = &raw
	}
	for found.Next() {
		if err := found.Scan(targets...); err != nil {
			return err
		}
		if s.addressIsBytes {
			address, _ = netip.AddrFromSlice(raw)
		}
		at := netip.AddrPortFrom(address, uint16(port))
		if at != list.asking && len(list.peers) < list.want {
			list.peers = append(list.peers, foundPeer{id: id, address: at})
		}
	}
	return found.Err()
}

// queueCounts asks for the counts of a swarm, and its downloads. Where the query set only counts many
// swarms at once, it is asked for one.
func (p *plain) queueCounts(b *pgx.Batch, v *values, into *counts) {
	if p.swarmCount == nil {
		v.hashes = [][]byte{v.hash}
		b.Queue(p.scrape.text, p.scrape.bind(v)...).Query(func(found pgx.Rows) error {
			return p.readScrape(found, map[string]*counts{string(v.hash): into})
		})
		return
	}
	p.swarmCount.queueCount(b, v, into)
	p.queueDownloads(b, v, into)
}

func (s *statement) queueCount(b *pgx.Batch, v *values, into *counts) {
	b.Queue(s.text, s.bind(v)...).QueryRow(func(row pgx.Row) error { return s.readCount(row, into) })
}

func (s *statement) readCount(row pgx.Row, into *counts) error {
	targets := make([]any, s.width)
	targets[s.at["seeders"]], targets[s.at["leechers"]] = &into.seeders, &into.leechers
	return row.Scan(targets...)
}

func (p *plain) queueDownloads(b *pgx.Batch, v *values, into *counts) {
	if p.downloads == nil {
		return
	}
	b.Queue(p.downloads.text, p.downloads.bind(v)...).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&into.snatched); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	})
}

func (p *plain) readValues(s *swarm) *values {
	return &values{hash: s.hash, alive: time.Now().UTC().Add(-p.lifetime)}
}

func (p *plain) scrapeSwarm(ctx context.Context, s *swarm) (c counts, err error) {
	b := &pgx.Batch{}
	p.queueCounts(b, p.readValues(s), &c)
	err = p.send(ctx, b)
	return c, err
}

func (p *plain) scrapeFamily(ctx context.Context, s *swarm, v6 bool) (c counts, err error) {
	if p.familyCount == nil {
		return p.scrapeSwarm(ctx, s)
	}
	b := &pgx.Batch{}
	v := p.readValues(s)
	v.v6 = v6
	p.familyCount.queueCount(b, v, &c)
	p.queueDownloads(b, v, &c)
	err = p.send(ctx, b)
	return c, err
}

func (p *plain) scrapeSwarms(ctx context.Context, all []*swarm, into []counts) error {
	if p.scrape == nil {
		b := &pgx.Batch{}
		for i, s := range all {
			p.queueCounts(b, p.readValues(s), &into[i])
		}
		return p.send(ctx, b)
	}
	v := p.readValues(all[0])
	v.hashes = hashesOf(all)
	places := make(map[string]*counts, len(all))
	for i, s := range all {
		places[string(s.hash)] = &into[i]
	}
	found, err := p.pool.Query(ctx, p.scrape.text, p.scrape.bind(v)...)
	if err != nil {
		return err
	}
	return p.readScrape(found, places)
}

func (p *plain) readScrape(found pgx.Rows, places map[string]*counts) error {
	defer found.Close()
	var hash []byte
	var c counts
	targets := make([]any, p.scrape.width)
	at := p.scrape.at
	targets[at["info_hash"]], targets[at["seeders"]], targets[at["leechers"]] = &hash, &c.seeders, &c.leechers
	if i, ok := at["downloads"]; ok {
		targets[i] = &c.snatched
	}
	for found.Next() {
		if err := found.Scan(targets...); err != nil {
			return err
		}
		if place := places[string(hash)]; place != nil {
			*place = c
		}
	}
	return found.Err()
}

// stats counts everything, in one round trip.
func (p *plain) stats(ctx context.Context) (c counts, err error) {
	v := &values{alive: time.Now().UTC().Add(-p.lifetime)}
	if p.hashCount == nil {
		err = p.count.readCount(p.pool.QueryRow(ctx, p.count.text, p.count.bind(v)...), &c)
		return c, err
	}
	b := &pgx.Batch{}
	p.count.queueCount(b, v, &c)
	var hashes int64
	b.Queue(p.hashCount.text, p.hashCount.bind(v)...).QueryRow(func(row pgx.Row) error { return row.Scan(&hashes) })
	err = p.send(ctx, b)
	return c, err
}

func (p *plain) dataLoad(ctx context.Context, key []byte) (value []byte, err error) {
	err = p.pool.QueryRow(ctx, p.dataGet.text, p.dataGet.bind(&values{key: key})...).Scan(&value)
	return value, err
}

func (p *plain) dataContains(ctx context.Context, keys [][]byte) (found int, err error) {
	b := &pgx.Batch{}
	for _, key := range keys {
		b.Queue(p.dataGet.text, p.dataGet.bind(&values{key: key})...).Query(func(rows pgx.Rows) error {
			found += index(rows.Next())
			rows.Close()
			return rows.Err()
		})
	}
	err = p.send(ctx, b)
	return found, err
}
