package host

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// A Page is a page of originals, newest first.
type Page struct {
	Limit int64
	// Slugs that this page, the one before and the next begin with; empty if there is none.
	Current, Prev, Next string
	Hashes              []Described
}

// Described is an original on a page.
type Described struct {
	Hash    []byte
	Aliases []string
	// Details are nil if none are recorded, or none that can be read.
	Details *picture.Details
}

// HashPage returns the page that begins with a slug; the first for an empty or unknown one. Limit 0 is
// the repo's own.
func (h *Host) HashPage(ctx context.Context, slug string, limit int64) (Page, error) {
	request := &mediav1.PageRequest{Limit: limit}
	if queryable(slug) {
		request.Slug = &slug
	}
	page, err := h.hashes.Page(ctx, request)
	return h.describe(ctx, page, err)
}

// HashPageBefore returns the page that begins with the newest original from before a time.
func (h *Host) HashPageBefore(ctx context.Context, before time.Time, limit int64) (Page, error) {
	page, err := h.hashes.PageByDate(ctx, &mediav1.PageByDateRequest{Before: timestamppb.New(before), Limit: limit})
	return h.describe(ctx, page, err)
}

// describe adds to a page what is known about its hashes.
func (h *Host) describe(ctx context.Context, page *mediav1.HashPage, err error) (Page, error) {
	if err != nil {
		return Page{}, repoFailure(err)
	}
	out := Page{Limit: page.GetLimit(), Current: page.GetCurrent(), Prev: page.GetPrev(), Next: page.GetNext(), Hashes: []Described{}}
	if len(page.GetHashes()) == 0 {
		return out, nil
	}
	described, err := h.hashes.Describe(ctx, &mediav1.DescribeRequest{Hashes: hashesOf(page.GetHashes())})
	if err != nil {
		return Page{}, repoFailure(err)
	}
	for _, d := range described.GetHashes() {
		one := Described{Hash: d.GetHash(), Aliases: append([]string{}, d.GetAliases()...)}
		if d.Details != nil {
			if details, err := decodeDetails(d.GetDetails()); err == nil {
				one.Details = &details
			}
		}
		out.Hashes = append(out.Hashes, one)
	}
	return out, nil
}

// SetNotFound makes an alias' original the image that is shown in place of missing ones. Error:
// AliasNotFound.
func (h *Host) SetNotFound(ctx context.Context, alias string) error {
	if err := h.writable(); err != nil {
		return err
	}
	if !queryable(alias) {
		return unknownAlias()
	}
	if _, err := h.aliases.Hash(ctx, &mediav1.AliasRequest{Alias: alias}); err != nil {
		return aliasFailure(err)
	}
	return h.set(ctx, settingNotFound, []byte(alias))
}

// NotFound returns the image that is shown in place of missing ones. Error: AliasNotFound if none is
// set, or if it is missing itself.
func (h *Host) NotFound(ctx context.Context) (File, error) {
	alias, err := h.setting(ctx, settingNotFound)
	if err != nil {
		return File{}, err
	}
	file, err := h.Original(ctx, string(alias))
	if errors.Is(err, &Error{Code: LostFile}) {
		return File{}, unknownAlias()
	}
	return file, err
}
