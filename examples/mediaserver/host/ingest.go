package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// IngestOptions say how one file is taken in.
type IngestOptions struct {
	// Alias is the name that the file gets, for imports. Empty: a random one is made.
	Alias string
	// Limits that hold for this file, usually the host's tightened; the host's if nil.
	Limits *picture.Limits
	// Operations are applied before the file is stored, in the format that it has; none keeps it as it
	// is. They are what picture.ParseProcess reads.
	Operations []picture.KeyValue
}

// Uploaded is a file that was taken in.
type Uploaded struct {
	Alias       string
	DeleteToken string
	Details     picture.Details

	hash []byte
}

// maxAlias is how long an imported file's name may be, in bytes, as on most file systems.
const maxAlias = 255

// aliasTries is how many random aliases are tried. One is enough unless random numbers are broken.
const aliasTries = 3

// Ingest stores a file, records it and gives it a name. A file that is stored already gets one more
// name. When it fails nothing stays behind, except what a job cleans up later.
//
// Errors: those of package picture for what is not an image or beyond the limits; TooLarge,
// DuplicateAlias, InvalidAlias, IncompleteFile, ReadOnly, RepoFailed, StoreFailed.
func (h *Host) Ingest(ctx context.Context, r io.Reader, o IngestOptions) (Uploaded, error) {
	if err := h.writable(); err != nil {
		return Uploaded{}, err
	}
	if err := o.check(); err != nil {
		return Uploaded{}, err
	}
	limits := h.limitsOf(o)
	stored, err := h.put(ctx, r, limits.MaxBytes)
	if err != nil {
		return Uploaded{}, err
	}
	in, replaced, err := h.prepared(ctx, stored, limits, o.Operations)
	if err != nil || replaced {
		h.drop(ctx, stored.Identifier)
	}
	if err != nil {
		return Uploaded{}, err
	}
	return h.record(ctx, in, o.Alias)
}

func (h *Host) limitsOf(o IngestOptions) picture.Limits {
	if o.Limits != nil {
		return *o.Limits
	}
	return h.limits
}

// check finds mistakes before anything is stored.
func (o IngestOptions) check() error {
	if err := checkAlias(o.Alias); err != nil {
		return err
	}
	// The format is the file's own, which is not known yet: any will do here.
	_, err := picture.ParseProcess(o.Operations, picture.Formats()[0])
	return err
}

// checkAlias says whether a file's name can be an alias: it must fit into a path of a URL.
func checkAlias(alias string) error {
	switch {
	case len(alias) > maxAlias, !utf8.ValidString(alias), strings.ContainsAny(alias, `/\`), alias == ".", alias == "..",
		strings.ContainsFunc(alias, unicode.IsControl):
		return failure(InvalidAlias, "a file's name has at most %d bytes, no slashes and no control characters", maxAlias)
	}
	return nil
}

// newName makes a random alias and token.
func newName(extension string) (alias, token string) {
	return uuid.NewString() + "." + extension, uuid.NewString()
}

// record saves a stored file under an alias; an empty one is made up. From here on the file is the
// repo's: it is removed if the repo has another for the same content, or did not take it.
func (h *Host) record(ctx context.Context, in intake, wanted string) (Uploaded, error) {
	alias, token := newName(in.extension)
	if wanted != "" {
		alias = wanted
	}
	saved, err := h.save(ctx, in, alias, token)
	if err != nil {
		h.unrecorded(ctx, in, alias, token, err)
		return Uploaded{}, repoFailure(err)
	}
	if saved.GetHashExisted() {
		h.drop(ctx, in.Identifier)
	}
	token = saved.GetDeleteToken()
	if saved.GetAliasExisted() {
		if alias, token, err = h.otherAlias(ctx, in, wanted); err != nil {
			// The hash may have no alias now.
			return Uploaded{}, errors.Join(err, h.pushBehind(ctx, collectJob(in.hash)))
		}
	}
	return h.uploaded(ctx, in, alias, token, saved.GetHashExisted())
}

func (h *Host) save(ctx context.Context, in intake, alias, token string) (*mediav1.SaveUploadResponse, error) {
	details, err := encodeDetails(in.details)
	if err != nil {
		return nil, err
	}
	return h.uploads.Save(ctx, &mediav1.SaveUploadRequest{
		Hash: in.hash, Identifier: in.Identifier, Details: &details,
		CreatedAt: timestamppb.New(in.details.CreatedAt), Alias: alias, DeleteToken: token,
	})
}

// otherAlias gives a recorded hash another random alias, its first being taken. One that was asked for
// cannot be replaced.
func (h *Host) otherAlias(ctx context.Context, in intake, wanted string) (alias, token string, err error) {
	if wanted != "" {
		return "", "", failure(DuplicateAlias, "there is a file of this name already")
	}
	for range aliasTries {
		alias, token = newName(in.extension)
		created, err := h.aliases.Create(ctx, &mediav1.CreateAliasRequest{Alias: alias, DeleteToken: token, Hash: in.hash})
		if err == nil {
			return alias, created.GetDeleteToken(), nil
		}
		if status.Code(err) != codes.AlreadyExists {
			return "", "", repoFailure(err)
		}
	}
	return "", "", failure(DuplicateAlias, "%d random names in a row are taken", aliasTries)
}

// unrecorded cleans up after a save that failed. Where it may have happened all the same, the file is
// only removed if the repo does not know it, and the alias goes by a job.
func (h *Host) unrecorded(ctx context.Context, in intake, alias, token string, cause error) {
	if !unsure(cause) {
		h.drop(ctx, in.Identifier)
		return
	}
	ctx, cancel := tidying(ctx)
	defer cancel()
	known, err := h.knows(ctx, in)
	if err == nil && !known {
		h.drop(ctx, in.Identifier)
	}
	if err == nil {
		err = h.push(ctx, aliasJob(alias, token, in.hash))
	}
	if err != nil {
		h.log.ErrorContext(ctx, "a file may be left over from an upload that failed", "identifier", in.Identifier, "error", err)
	}
}

// knows says whether the repo has recorded this very file.
func (h *Host) knows(ctx context.Context, in intake) (bool, error) {
	found, err := h.hashes.Identifier(ctx, &mediav1.HashRequest{Hash: in.hash})
	if absent(err) {
		return false, nil
	}
	return found.GetIdentifier() == in.Identifier, repoFailure(err)
}

// uploaded is the answer to an upload. The details of content that was there before are those that
// were recorded then.
func (h *Host) uploaded(ctx context.Context, in intake, alias, token string, existed bool) (Uploaded, error) {
	up := Uploaded{Alias: alias, DeleteToken: token, Details: in.details, hash: in.hash}
	if !existed {
		return up, nil
	}
	resolved, err := h.aliases.Resolve(ctx, &mediav1.AliasRequest{Alias: alias})
	if err != nil {
		return up, errors.Join(repoFailure(err), h.Discard(ctx, up))
	}
	if resolved.Details != nil {
		if up.Details, err = decodeDetails(resolved.GetDetails()); err != nil {
			return up, errors.Join(err, h.Discard(ctx, up))
		}
	}
	return up, nil
}

// Discard has an upload removed by a job: for a request that failed after some of its files, and that
// may have ended already.
func (h *Host) Discard(ctx context.Context, up Uploaded) error {
	return h.pushBehind(ctx, aliasJob(up.Alias, up.DeleteToken, up.hash))
}

// named says nil if an alias is that of a hash.
func (h *Host) named(ctx context.Context, hash []byte, alias string) error {
	found, err := h.aliases.Hash(ctx, &mediav1.AliasRequest{Alias: alias})
	if err != nil {
		return repoFailure(err)
	}
	if !bytes.Equal(found.GetHash(), hash) {
		return failure(DuplicateAlias, "there is another file of this name already")
	}
	return nil
}
