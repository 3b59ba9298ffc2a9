package media

import (
	"context"
	"encoding/base64"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

const (
	// defaultPage and maxPage are how many hashes a page holds where the host does not say, and at most.
	defaultPage = 20
	maxPage     = 1000
)

// given refuses a request without a time that means nothing if it is left out.
func given(name string, moment *timestamppb.Timestamp) error {
	if moment == nil {
		return invalid("%s is missing", name)
	}
	return nil
}

// pageLimit is the longest page that is given out.
func (v view) pageLimit() int64 { return min(v.settings.GetHashesPageLimit(), maxPage) }

// usedLimit is the length of a page for a host that asks for limit.
func (v view) usedLimit(limit int64) (int64, error) {
	if limit < 0 {
		return 0, invalid("limit must not be negative")
	}
	if limit == 0 {
		limit = defaultPage
	}
	return min(limit, v.pageLimit()), nil
}

// slugOf is the URL-safe base64 of a hash. Hosts of this kind pad it where its length needs that.
func slugOf(hash []byte) string { return base64.URLEncoding.EncodeToString(hash) }

// hashOfSlug is the way back, with or without padding; nil if it is no slug.
func hashOfSlug(slug string) []byte {
	hash, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(slug, "="))
	if err != nil || len(hash) == 0 {
		return nil
	}
	return hash
}

// A paging reads a page: one row more than it gives out, which the next page begins with, and the
// hash that the page before begins with. The order is that of the queries; hashes are never compared.
type paging struct {
	view
	limit int64
	// rows and prev are the calls; prev is nil for the first page, which has none before it.
	rows, prev *query.Call
}

// firstPage reads from the newest hash.
func (v view) firstPage(limit int64) (*paging, error) {
	rows, err := v.Call(mediav1.Operations_HashFirstPage_FullMethodName, &mediav1.FirstPageParameters{Limit: limit + 1})
	return &paging{view: v, limit: limit, rows: rows}, err
}

// pageAt reads from a place in the order, whether or not its hash is still there.
func (v view) pageAt(bound *mediav1.OrderedHash, limit int64) (*paging, error) {
	if err := given("created_at", bound.GetCreatedAt()); err != nil {
		return nil, err
	}
	p := &paging{view: v, limit: limit}
	var err error
	if p.rows, err = v.Call(mediav1.Operations_HashPage_FullMethodName,
		&mediav1.PageParameters{CreatedAt: bound.GetCreatedAt(), Hash: bound.GetHash(), Limit: limit + 1}); err != nil {
		return nil, err
	}
	p.prev, err = v.Call(mediav1.Operations_HashPrev_FullMethodName,
		&mediav1.PageParameters{CreatedAt: bound.GetCreatedAt(), Hash: bound.GetHash(), Limit: limit})
	return p, err
}

// pageByHash reads from a hash, whose place the queries look up themselves.
func (v view) pageByHash(hash []byte, limit int64) (*paging, error) {
	p := &paging{view: v, limit: limit}
	var err error
	if p.rows, err = v.Call(mediav1.Operations_HashPageByHash_FullMethodName,
		&mediav1.PageByHashParameters{Hash: hash, Limit: limit + 1}); err != nil {
		return nil, err
	}
	p.prev, err = v.Call(mediav1.Operations_HashPrevByHash_FullMethodName, &mediav1.PageByHashParameters{Hash: hash, Limit: limit})
	return p, err
}

// page sends the calls in one round trip and makes the answer.
func (p *paging) page(ctx context.Context) (*mediav1.HashPage, error) {
	calls := []*query.Call{p.rows}
	if p.prev != nil {
		calls = append(calls, p.prev)
	}
	if err := p.read(ctx, calls...); err != nil {
		return nil, err
	}
	hashes, next := cut(query.RowsOf[*mediav1.OrderedHash](p.rows), p.limit)
	page := &mediav1.HashPage{Limit: p.limit, Hashes: hashes}
	if len(hashes) > 0 {
		page.Current = proto.String(slugOf(hashes[0].GetHash()))
	}
	if next != nil {
		page.Next = proto.String(slugOf(next.GetHash()))
	}
	if p.prev != nil && p.prev.Found() {
		page.Prev = proto.String(slugOf(hashIn(p.prev)))
	}
	return page, nil
}

// cut takes the extra row off, which tells where to go on; nil if there is none.
func cut(rows []*mediav1.OrderedHash, limit int64) (page []*mediav1.OrderedHash, next *mediav1.OrderedHash) {
	if int64(len(rows)) <= limit {
		return rows, nil
	}
	return rows[:limit], rows[limit]
}
