package media

import (
	"context"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// Page implements the method of the API: in one round trip where the queries look the slug's hash up
// themselves, else in two; one more for a hash that is not there.
func (s hashes) Page(ctx context.Context, request *mediav1.PageRequest) (*mediav1.HashPage, error) {
	v := s.begin()
	limit, err := v.usedLimit(request.GetLimit())
	if err != nil {
		return nil, err
	}
	if hash := hashOfSlug(request.GetSlug()); hash != nil {
		page, err := v.slugPage(ctx, hash, limit)
		if page != nil || err != nil {
			return page, err
		}
	}
	p, err := v.firstPage(limit)
	if err != nil {
		return nil, err
	}
	return p.page(ctx)
}

// slugPage returns the page that begins with a hash; nil if the hash is unknown.
func (v view) slugPage(ctx context.Context, hash []byte, limit int64) (*mediav1.HashPage, error) {
	if v.configured(mediav1.Operations_HashPageByHash_FullMethodName) && v.configured(mediav1.Operations_HashPrevByHash_FullMethodName) {
		p, err := v.pageByHash(hash, limit)
		if err != nil {
			return nil, err
		}
		page, err := p.page(ctx)
		if err != nil || len(page.GetHashes()) == 0 {
			return nil, err
		}
		return page, nil
	}
	bound, err := v.Call(mediav1.Hashes_Bound_FullMethodName, &mediav1.HashRequest{Hash: hash})
	if err != nil {
		return nil, err
	}
	if err := v.read(ctx, bound); err != nil || !bound.Found() {
		return nil, err
	}
	p, err := v.pageAt(&mediav1.OrderedHash{Hash: hash, CreatedAt: first[*mediav1.BoundResponse](bound).GetCreatedAt()}, limit)
	if err != nil {
		return nil, err
	}
	return p.page(ctx)
}

// PageByDate implements the method of the API: two round trips, because the place of the page has to be
// found first.
func (s hashes) PageByDate(ctx context.Context, request *mediav1.PageByDateRequest) (*mediav1.HashPage, error) {
	v := s.begin()
	limit, err := v.usedLimit(request.GetLimit())
	if err != nil {
		return nil, err
	}
	if err := given("before", request.GetBefore()); err != nil {
		return nil, err
	}
	bound, err := v.Call(mediav1.Operations_HashBoundByDate_FullMethodName, &mediav1.BoundByDateParameters{Before: request.GetBefore()})
	if err != nil {
		return nil, err
	}
	if err := v.read(ctx, bound); err != nil {
		return nil, err
	}
	return v.ordered(ctx, first[*mediav1.OrderedHash](bound), limit, !bound.Found())
}

// Ordered implements the method of the API.
func (s hashes) Ordered(ctx context.Context, request *mediav1.OrderedRequest) (*mediav1.HashPage, error) {
	v := s.begin()
	limit, err := v.usedLimit(request.GetLimit())
	if err != nil {
		return nil, err
	}
	return v.ordered(ctx, request.GetBound(), limit, false)
}

// ordered returns the page at a place, or the first one.
func (v view) ordered(ctx context.Context, bound *mediav1.OrderedHash, limit int64, noneOlder bool) (*mediav1.HashPage, error) {
	var p *paging
	var err error
	if bound == nil {
		p, err = v.firstPage(limit)
	} else {
		p, err = v.pageAt(bound, limit)
	}
	if err != nil {
		return nil, err
	}
	page, err := p.page(ctx)
	if err != nil {
		return nil, err
	}
	page.NoneOlder = noneOlder
	return page, nil
}
