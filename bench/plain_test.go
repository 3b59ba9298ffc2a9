package bench

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/query"
)

// plain is the floor: the statements on pgx, with nothing in between.
type plain struct {
	pool *pgxpool.Pool

	add, del, graduate                     *statement
	announceOne, announceMixed             *statement // either may be nil
	count, swarmCount, familyCount, scrape *statement
	downloads, download, hashCount         *statement
	dataAdd, dataGet, dataDel              *statement
	pinging, gc                            *statement

	lifetime       time.Duration
	gcLimit        int64
	countGraduated bool
}

func newPlain(ctx context.Context, config *mortise.Config) (*plain, error) {
	contract, err := storage.Contract()
	if err != nil {
		return nil, err
	}
	set, problems := query.CompileSet(contract, config.Storage.Sources)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	settings := config.Storage.Settings["tracker"].(*trackerv1.Settings)
	p := &plain{lifetime: settings.GetPeerLifetime().AsDuration(), gcLimit: settings.GetGcLimit(),
		countGraduated: settings.GetCountOn() == "graduated"}
	if p.pool, err = pgxpool.New(ctx, config.Storage.Connection); err != nil {
		return nil, err
	}
	for _, from := range set.Statements() {
		place := p.place(from.Operation.Key)
		if place == nil {
			continue
		}
		if *place, err = describe(ctx, p.pool, from); err != nil {
			p.pool.Close()
			return nil, err
		}
	}
	return p, nil
}

// place is where the statement of an operation is kept; nil if none of the methods needs it.
func (p *plain) place(key string) **statement {
	return map[string]**statement{
		"tracker.announce.query": &p.announceOne, "tracker.announce.mixed_query": &p.announceMixed,
		"tracker.peer.add_query": &p.add, "tracker.peer.del_query": &p.del, "tracker.peer.graduate_query": &p.graduate,
		"tracker.peer.count_query": &p.count, "tracker.peer.by_info_hash_clause": &p.swarmCount,
		"tracker.peer.by_family_clause": &p.familyCount, "tracker.peer.scrape_query": &p.scrape,
		"tracker.downloads.get_query": &p.downloads, "tracker.downloads.inc_query": &p.download,
		"tracker.info_hash_count_query": &p.hashCount, "tracker.gc_query": &p.gc, "tracker.ping_query": &p.pinging,
		"tracker.data.add_query": &p.dataAdd, "tracker.data.get_query": &p.dataGet, "tracker.data.del_query": &p.dataDel,
	}[key]
}

func (p *plain) send(ctx context.Context, b *pgx.Batch) error {
	return p.pool.SendBatch(ctx, b).Close()
}

// values are what statements about peers take besides the peer.
func (p *plain) values(one *peer, seeder bool) *values {
	now := time.Now().UTC()
	return &values{peer: one, hash: one.swarm.hash, seeder: seeder, v6: one.v6(), created: now, alive: now.Add(-p.lifetime)}
}

func (p *plain) putPeer(ctx context.Context, one *peer, seeder bool) (affected, error) {
	return p.add.write(ctx, p.pool, p.values(one, seeder))
}

func (p *plain) deletePeer(ctx context.Context, one *peer, seeder bool) (affected, error) {
	return p.del.write(ctx, p.pool, p.values(one, seeder))
}

func (p *plain) removePeer(ctx context.Context, one *peer) (n affected, err error) {
	b := &pgx.Batch{}
	p.queueRemoval(b, one, &n)
	err = p.send(ctx, b)
	return n, err
}

func (p *plain) queueRemoval(b *pgx.Batch, one *peer, n *affected) {
	p.del.queueWrite(b, p.values(one, true), n)
	p.del.queueWrite(b, p.values(one, false), n)
}

func (p *plain) graduateLeecher(ctx context.Context, one *peer) (n affected, err error) {
	b := &pgx.Batch{}
	p.queueGraduation(b, one, &n)
	if err := p.send(ctx, b); err != nil {
		return 0, err
	}
	return n, p.afterGraduation(ctx, one, n)
}

func (p *plain) queueGraduation(b *pgx.Batch, one *peer, n *affected) {
	v := p.values(one, true)
	p.graduate.queueWrite(b, v, n)
	if p.download != nil && !p.countGraduated {
		b.Queue(p.download.text, p.download.bind(v)...)
	}
}

// afterGraduation does what is known to be needed only after the first answer.
func (p *plain) afterGraduation(ctx context.Context, one *peer, n affected) error {
	b := &pgx.Batch{}
	var ignored affected
	if n <= 0 {
		p.add.queueWrite(b, p.values(one, true), &ignored)
	}
	if n != 0 && p.countGraduated && p.download != nil {
		b.Queue(p.download.text, p.download.bind(p.values(one, true))...)
	}
	if b.Len() == 0 {
		return nil
	}
	return p.send(ctx, b)
}

// putPeers sorts the peers, so that two callers cannot deadlock, and writes them as one transaction.
func (p *plain) putPeers(ctx context.Context, all []*peer) (n affected, err error) {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b *peer) int {
		if c := bytes.Compare(a.swarm.hash, b.swarm.hash); c != 0 {
			return c
		}
		return bytes.Compare(a.id, b.id)
	})
	b := &pgx.Batch{}
	for _, one := range sorted {
		p.add.queueWrite(b, p.values(one, false), &n)
	}
	err = p.send(ctx, b)
	return n, err
}

// announce writes and reads in one batch, so in one round trip and one transaction.
func (p *plain) announce(ctx context.Context, one *peer, action trackerv1.Action, forSeeder bool, want int) (announced, error) {
	b := &pgx.Batch{}
	var n affected
	switch action {
	case trackerv1.Action_PUT_LEECHER, trackerv1.Action_PUT_SEEDER:
		p.add.queueWrite(b, p.values(one, action == trackerv1.Action_PUT_SEEDER), &n)
	case trackerv1.Action_GRADUATE:
		p.queueGraduation(b, one, &n)
	case trackerv1.Action_REMOVE:
		p.queueRemoval(b, one, &n)
	default:
		return announced{}, fmt.Errorf("action %s is not measured", action)
	}
	var answer announced
	v := p.values(one, forSeeder)
	p.queueCounts(b, v, &answer.counts)
	var list *peerList
	if action != trackerv1.Action_REMOVE {
		list = p.queueList(b, v, want)
	}
	if err := p.send(ctx, b); err != nil {
		return announced{}, err
	}
	if list != nil {
		answer.peers = len(list.peers)
	}
	if action == trackerv1.Action_GRADUATE {
		return answer, p.afterGraduation(ctx, one, n)
	}
	return answer, nil
}

func (p *plain) dataPut(ctx context.Context, key, value []byte) error {
	_, err := p.dataAdd.write(ctx, p.pool, &values{key: key, value: value})
	return err
}

func (p *plain) dataDelete(ctx context.Context, key []byte) (affected, error) {
	return p.dataDel.write(ctx, p.pool, &values{keys: [][]byte{key}})
}

// runGC repeats the collection until one is not full, as the contract has it.
func (p *plain) runGC(ctx context.Context) (sum affected, err error) {
	for {
		n, err := p.gc.write(ctx, p.pool, &values{created: time.Now().UTC().Add(-p.lifetime), limit: p.gcLimit,
			lifetime: int64(p.lifetime.Seconds())})
		if err != nil {
			return 0, err
		}
		if sum.add(n); n < affected(p.gcLimit) {
			return sum, nil
		}
	}
}

func (p *plain) ping(ctx context.Context) error {
	_, err := p.pool.Exec(ctx, p.pinging.text)
	return err
}

// capabilities is there for the interface: without a contract there is nothing to tell.
func (p *plain) capabilities(context.Context) (int, error) {
	return 0, fmt.Errorf("plain has no capabilities")
}
