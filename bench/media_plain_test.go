package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/query"
)

// mediaPlain is the floor of the media domain: the statements on pgx, with nothing in between. Where a
// method of the API sends several at once, they are pipelined here as well, with the same commits.
type mediaPlain struct {
	pool *pgxpool.Pool

	resolving, resolvingVariant, touchingAlias, touchingVariant *mediaStatement
	createHash, identifier, relateDetails, dropDetails          *mediaStatement
	createAlias                                                 *mediaStatement
	pushing, notifying, requeue, claim, completing, listen      *mediaStatement

	stale time.Duration
	retry int64
}

func newMediaPlain(ctx context.Context, config *mortise.Config, pool *pgxpool.Pool) (*mediaPlain, error) {
	contract, err := storage.Contract()
	if err != nil {
		return nil, err
	}
	set, problems := query.CompileSet(contract, config.Storage.Sources)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	settings := config.Storage.Settings["media"].(*mediav1.SectionSettings)
	p := &mediaPlain{pool: pool, stale: settings.GetQueueStaleAfter().AsDuration(), retry: settings.GetQueueRetries()}
	places := p.places()
	for _, from := range set.Statements() {
		place := places[from.Operation.Key]
		if place == nil {
			continue
		}
		if *place, err = describeMedia(ctx, pool, from); err != nil {
			return nil, err
		}
	}
	for key, place := range places {
		if *place == nil {
			return nil, fmt.Errorf("%s: the benchmarks of the media domain need %s", config.File, key)
		}
	}
	return p, nil
}

// places is where the statements of operations are kept.
func (p *mediaPlain) places() map[string]**mediaStatement {
	return map[string]**mediaStatement{
		"media.aliases.resolve_query": &p.resolving, "media.variants.resolve_query": &p.resolvingVariant,
		"media.alias_access.accessed_query": &p.touchingAlias, "media.variant_access.accessed_query": &p.touchingVariant,
		"media.hashes.create_query": &p.createHash, "media.hashes.identifier_query": &p.identifier,
		"media.details.relate_query": &p.relateDetails, "media.details.cleanup_query": &p.dropDetails,
		"media.aliases.create_query": &p.createAlias,
		"media.queue.push_query":     &p.pushing, "media.queue.notify_query": &p.notifying, "media.queue.listen_query": &p.listen,
		"media.queue.requeue_stale_query": &p.requeue, "media.queue.claim_query": &p.claim, "media.queue.complete_query": &p.completing,
	}
}

func clock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (p *mediaPlain) resolveAlias(ctx context.Context, alias string) (resolved, error) {
	return p.resolve(ctx, p.resolving, &mediaValues{alias: alias})
}

func (p *mediaPlain) resolveVariant(ctx context.Context, alias, variant string, touch bool) (resolved, error) {
	v := &mediaValues{alias: alias, variant: variant}
	if touch {
		now := clock()
		v.accessed = &now
	}
	r, err := p.resolve(ctx, p.resolvingVariant, v)
	if err == nil && touch && !r.touched {
		var n affected
		n, err = p.touchVariant(ctx, r.hash, variant)
		r.touched = n != 0
	}
	return r, err
}

func (p *mediaPlain) resolve(ctx context.Context, s *mediaStatement, v *mediaValues) (resolved, error) {
	var r resolved
	var identifier, details *string
	var touched *bool
	err := p.pool.QueryRow(ctx, s.text, s.bind(v)...).Scan(s.targets(column{"hash", &r.hash}, column{"identifier", &identifier},
		column{"details", &details}, column{"touched", &touched})...)
	if identifier != nil {
		r.identifier = *identifier
	}
	if details != nil {
		r.details = *details
	}
	r.touched = touched != nil && *touched
	return r, err
}

func (p *mediaPlain) touchAlias(ctx context.Context, alias string) (affected, error) {
	now := clock()
	return p.exec(ctx, p.touchingAlias, &mediaValues{alias: alias, accessed: &now})
}

func (p *mediaPlain) touchVariant(ctx context.Context, hash []byte, variant string) (affected, error) {
	now := clock()
	return p.exec(ctx, p.touchingVariant, &mediaValues{hash: hash, variant: variant, accessed: &now})
}

func (p *mediaPlain) exec(ctx context.Context, s *mediaStatement, v *mediaValues) (affected, error) {
	tag, err := p.pool.Exec(ctx, s.text, s.bind(v)...)
	return affected(tag.RowsAffected()), err
}

// save stores three rows in one transaction and, behind it, reads whose file the hash has.
func (p *mediaPlain) save(ctx context.Context, u *upload) (saved, error) {
	v := &mediaValues{hash: u.hash, identifier: u.identifier, details: u.details, alias: u.alias, token: u.token, now: clock()}
	var stored, token string
	create := &sent{statement: p.createHash, values: v}
	alias := &sent{statement: p.createAlias, values: v, found: func(row pgx.Rows) error {
		return row.Scan(p.createAlias.targets(column{"delete_token", &token})...)
	}}
	read := &sent{statement: p.identifier, values: v, found: func(row pgx.Rows) error {
		return row.Scan(p.identifier.targets(column{"identifier", &stored})...)
	}}
	err := p.flight(ctx, []*sent{create, {statement: p.relateDetails, values: v}, alias}, []*sent{read})
	if err != nil {
		return saved{}, err
	}
	s := saved{hashExisted: create.n == 0 && stored != u.identifier, aliasExisted: alias.n == 0, token: token}
	if s.hashExisted {
		_, err = p.exec(ctx, p.dropDetails, v)
	}
	return s, err
}

// jobID makes a UUID in the order of time.
func jobID(now time.Time) []byte {
	id := make([]byte, 16)
	_, _ = rand.Read(id[6:])
	binary.BigEndian.PutUint16(id, uint16(now.UnixMilli()>>32))
	binary.BigEndian.PutUint32(id[2:], uint32(now.UnixMilli()))
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

func (p *mediaPlain) push(ctx context.Context, queue, job string) (id []byte, err error) {
	v := &mediaValues{queue: queue, job: job, retry: p.retry, now: clock()}
	v.id = jobID(v.now)
	v.payload = fmt.Sprintf("%x-%x-%x-%x-%x %s", v.id[:4], v.id[4:6], v.id[6:8], v.id[8:10], v.id[10:], queue)
	one := &sent{statement: p.pushing, values: v, found: func(row pgx.Rows) error {
		return row.Scan(p.pushing.targets(column{"id", &id})...)
	}}
	err = p.flight(ctx, []*sent{one}, []*sent{{statement: p.notifying, values: v}})
	return id, err
}

// take looks for a job once, behind what is given, in one round trip.
func (p *mediaPlain) take(ctx context.Context, queue string, worker []byte, before ...[]*sent) (j job, found bool, err error) {
	now := clock()
	v := &mediaValues{queue: queue, worker: worker, now: now, stale: now.Add(-p.stale)}
	claim := &sent{statement: p.claim, values: v, found: func(row pgx.Rows) error {
		return row.Scan(p.claim.targets(column{"id", &j.id}, column{"job", &j.payload})...)
	}}
	err = p.flight(ctx, append(before, []*sent{{statement: p.requeue, values: v}}, []*sent{claim})...)
	return j, claim.n > 0, err
}

func (p *mediaPlain) pop(ctx context.Context, queue string, worker []byte) (job, error) {
	j, found, err := p.take(ctx, queue, worker)
	return j, errors.Join(err, mustFind(found))
}

func mustFind(found bool) error {
	if !found {
		return errors.New("the queue is empty")
	}
	return nil
}

func (p *mediaPlain) complete(ctx context.Context, queue string, worker, id []byte) (bool, error) {
	n, err := p.exec(ctx, p.completing, &mediaValues{queue: queue, worker: worker, id: id})
	return n > 0, err
}

func (p *mediaPlain) next(ctx context.Context, queue string, worker, id []byte) (job, bool, error) {
	done := &sent{statement: p.completing, values: &mediaValues{queue: queue, worker: worker, id: id}}
	j, found, err := p.take(ctx, queue, worker, []*sent{done})
	return j, done.n > 0, errors.Join(err, mustFind(found))
}
