package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// A Source names an original: by its alias, or by the URL that it was or will be fetched from.
// Exactly one is set.
type Source struct{ Alias, URL string }

// A File is an original or a variant, as it can be served.
type File struct {
	// Alias that it was asked for by; of a URL the one that the URL stands for.
	Alias string
	Hash  []byte
	// Variant is empty for an original.
	Variant    string
	Identifier string
	Details    picture.Details
}

// Open opens the file's content. Error: LostFile if it is not in the store.
func (h *Host) Open(f File) (*os.File, error) {
	content, err := h.store.Open(f.Identifier)
	return content, storeFailure(err)
}

// queryable says whether a name can be asked for: databases store nothing else as text.
func queryable(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsRune(name, 0)
}

func unknownAlias() *Error { return failure(AliasNotFound, "there is no file of this name") }

func unknownURL() *Error { return failure(ProxyNotFound, "this URL was not fetched yet") }

// Original returns the original of an alias. Errors: AliasNotFound, LostFile.
func (h *Host) Original(ctx context.Context, alias string) (File, error) {
	if !queryable(alias) {
		return File{}, unknownAlias()
	}
	resolved, err := h.aliases.Resolve(ctx, &mediav1.AliasRequest{Alias: alias})
	if absent(err) {
		return File{}, unknownAlias()
	}
	if err != nil {
		return File{}, repoFailure(err)
	}
	return h.file(ctx, resolved, alias, "")
}

// Known returns the original of a source without fetching anything. touch records the access to a URL.
func (h *Host) Known(ctx context.Context, s Source, touch bool) (File, error) {
	if s.URL == "" {
		return h.Original(ctx, s.Alias)
	}
	url, err := normalURL(s.URL)
	if err != nil {
		return File{}, err
	}
	return h.related(ctx, url, touch)
}

// related returns the original of a URL that is known. Errors: ProxyNotFound, LostFile.
func (h *Host) related(ctx context.Context, url string, touch bool) (File, error) {
	resolve := func() (*mediav1.Resolved, error) {
		if h.options.ReadOnly {
			return h.lookUpURL(ctx, url)
		}
		return h.proxies.Resolve(ctx, &mediav1.ResolveURLRequest{Url: url, Touch: touch})
	}
	resolved, err := resolve()
	if absent(err) {
		return File{}, unknownURL()
	}
	if err != nil {
		return File{}, repoFailure(err)
	}
	return h.file(ctx, resolved, resolved.GetAlias(), "")
}

// file makes a File of what was resolved. Missing details are found out and recorded.
func (h *Host) file(ctx context.Context, r *mediav1.Resolved, alias, variant string) (File, error) {
	f := File{Alias: alias, Hash: r.GetHash(), Variant: variant, Identifier: r.GetIdentifier()}
	if r.Hash == nil || r.Identifier == nil {
		return f, failure(LostFile, "the file is lost")
	}
	var err error
	if r.Details != nil {
		f.Details, err = decodeDetails(r.GetDetails())
		return f, err
	}
	f.Details, err = h.inspected(ctx, f.Identifier)
	return f, err
}

// inspected finds out what a stored file is and, unless the host is read-only, records it. What is
// stored was within the limits of its time, so none hold here.
func (h *Host) inspected(ctx context.Context, identifier string) (picture.Details, error) {
	content, err := h.store.Open(identifier)
	if err != nil {
		return picture.Details{}, storeFailure(err)
	}
	defer content.Close()
	var details picture.Details
	err = h.work(ctx, func() (err error) {
		details, _, err = picture.Inspect(content, picture.Limits{AllowImage: true, AllowAnimation: true, AllowVideo: true})
		return err
	})
	if err != nil {
		return picture.Details{}, err
	}
	// The file never changes: it is as old as its content.
	if info, err := content.Stat(); err == nil {
		details.CreatedAt = info.ModTime().UTC()
	}
	if h.options.ReadOnly {
		return details, nil
	}
	text, err := encodeDetails(details)
	if err != nil {
		return details, err
	}
	_, err = h.details.Relate(ctx, &mediav1.RelateDetailsRequest{Identifier: identifier, Details: text})
	return details, repoFailure(err)
}

// Blurhash returns the blurhash of an original, which is computed once. Errors: those of Original.
func (h *Host) Blurhash(ctx context.Context, f File) (string, error) {
	found, err := h.hashes.Blurhash(ctx, &mediav1.HashRequest{Hash: f.Hash})
	if err == nil {
		return found.GetBlurhash(), nil
	}
	if !absent(err) {
		return "", repoFailure(err)
	}
	content, err := h.Open(f)
	if err != nil {
		return "", err
	}
	defer content.Close()
	var text string
	err = h.work(ctx, func() (err error) {
		text, err = picture.Blurhash(content)
		return err
	})
	if err != nil || h.options.ReadOnly {
		return text, err
	}
	_, err = h.hashes.RelateBlurhash(ctx, &mediav1.RelateBlurhashRequest{Hash: f.Hash, Blurhash: text})
	if absent(err) { // deleted meanwhile: the answer is right all the same
		return text, nil
	}
	return text, repoFailure(err)
}

// Aliases returns all aliases of the file of a source; none if it is unknown.
func (h *Host) Aliases(ctx context.Context, s Source) ([]string, error) {
	alias, err := h.aliasOf(ctx, s)
	if errors.Is(err, &Error{Code: AliasNotFound}) || errors.Is(err, &Error{Code: ProxyNotFound}) {
		return []string{}, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := h.aliases.Siblings(ctx, &mediav1.AliasRequest{Alias: alias})
	if err != nil {
		return nil, repoFailure(err)
	}
	return namesOf(list), nil
}

func namesOf(list *mediav1.AliasList) []string {
	names := make([]string, 0, len(list.GetAliases()))
	for _, alias := range list.GetAliases() {
		names = append(names, alias.GetAlias())
	}
	return names
}

// Identifier returns the identifier of the original of a source. Error: AliasNotFound.
func (h *Host) Identifier(ctx context.Context, s Source) (string, error) {
	alias, err := h.aliasOf(ctx, s)
	if err != nil {
		return "", notFoundAsAlias(err)
	}
	found, err := h.aliases.Identifier(ctx, &mediav1.AliasRequest{Alias: alias})
	if absent(err) {
		return "", unknownAlias()
	}
	return found.GetIdentifier(), repoFailure(err)
}

// aliasOf returns the alias that a source stands for, and touches that of a URL. Whether an alias
// exists is not looked at.
func (h *Host) aliasOf(ctx context.Context, s Source) (string, error) {
	if s.URL == "" {
		if !queryable(s.Alias) {
			return "", unknownAlias()
		}
		return s.Alias, nil
	}
	url, err := normalURL(s.URL)
	if err != nil {
		return "", err
	}
	found, err := h.proxies.Related(ctx, &mediav1.URLRequest{Url: url})
	if absent(err) {
		return "", unknownURL()
	}
	if err != nil {
		return "", repoFailure(err)
	}
	if !h.options.ReadOnly {
		if _, err := h.access.Alias(ctx, &mediav1.AccessedAliasRequest{Alias: found.GetAlias()}); err != nil {
			return "", repoFailure(err)
		}
	}
	return found.GetAlias(), nil
}

// notFoundAsAlias makes one answer of the two ways not to find an original.
func notFoundAsAlias(err error) error {
	if errors.Is(err, &Error{Code: ProxyNotFound}) {
		return unknownAlias()
	}
	return err
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
