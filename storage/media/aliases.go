package media

import (
	"bytes"
	"context"
	"slices"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// Create implements the method of the API.
func (s aliases) Create(ctx context.Context, request *mediav1.CreateAliasRequest) (*mediav1.CreateAliasResponse, error) {
	v := s.begin()
	in, err := v.aliasInsertion(request.GetAlias(), request.GetDeleteToken(), request.GetHash())
	if err != nil {
		return nil, err
	}
	if err := v.insert(ctx, in.insertion); err != nil {
		return nil, err
	}
	return &mediav1.CreateAliasResponse{DeleteToken: in.validToken()}, nil
}

// An aliasInsertion stores an alias with its token and hash.
type aliasInsertion struct {
	insertion
	token       string
	storedToken *query.Call
}

// aliasInsertion makes the calls. Without a token a random one is made.
func (v view) aliasInsertion(alias, token string, hash []byte) (*aliasInsertion, error) {
	if token == "" {
		token = newToken()
	}
	create, err := v.Call(mediav1.Operations_AliasCreate_FullMethodName,
		&mediav1.AliasCreateParameters{Alias: alias, DeleteToken: token, Hash: hash})
	if err != nil {
		return nil, err
	}
	storedHash, err := v.hashOf(alias)
	if err != nil {
		return nil, err
	}
	storedToken, err := v.tokenOf(alias)
	if err != nil {
		return nil, err
	}
	same := func() bool {
		return bytes.Equal(hashIn(storedHash), hash) && (sameToken(tokenIn(storedToken), token) || makesTokens(create))
	}
	return &aliasInsertion{token: token, storedToken: storedToken,
		insertion: insertion{call: create, stored: []*query.Call{storedHash, storedToken}, same: same}}, nil
}

// makesTokens says whether the query may store another token than the one that it is given: it returns one.
func makesTokens(create *query.Call) bool {
	return slices.ContainsFunc(create.Plan().Reads(), func(column *operation.Column) bool { return column != nil })
}

// validToken is the token of an alias that was stored: the given one, unless the query makes its own.
func (a *aliasInsertion) validToken() string {
	row := first[*mediav1.AliasCreated](a.call)
	switch {
	case row.GetDeleteToken() != "":
		return row.GetDeleteToken()
	case a.storedToken.Found(): // read after a call that was sent twice
		return tokenIn(a.storedToken)
	}
	return a.token
}

// newToken makes a delete token that nobody can guess: a random UUID in its text form.
func newToken() string { return uuidText(newUploadID()) }

func (v view) hashOf(alias string) (*query.Call, error) {
	return v.Call(mediav1.Aliases_Hash_FullMethodName, &mediav1.AliasRequest{Alias: alias})
}

// hashIn is the answer of a call that asks for a hash; nil if there is none.
func hashIn(call *query.Call) []byte { return first[*mediav1.HashResponse](call).GetHash() }

func (v view) tokenOf(alias string) (*query.Call, error) {
	return v.Call(mediav1.Aliases_DeleteToken_FullMethodName, &mediav1.AliasRequest{Alias: alias})
}

func tokenIn(call *query.Call) string {
	return first[*mediav1.DeleteTokenResponse](call).GetDeleteToken()
}

func (v view) aliasesOf(hash []byte) (*query.Call, error) {
	return v.Call(mediav1.Aliases_ForHash_FullMethodName, &mediav1.HashRequest{Hash: hash})
}

// Siblings implements the method of the API: in one round trip, or in two where the hash has to be asked
// for first.
func (s aliases) Siblings(ctx context.Context, request *mediav1.AliasRequest) (*mediav1.AliasList, error) {
	v := s.begin()
	list, err := v.siblings(ctx, request)
	if err != nil || list == nil {
		return &mediav1.AliasList{}, err
	}
	if err := v.read(ctx, list); err != nil {
		return nil, err
	}
	return &mediav1.AliasList{Aliases: query.RowsOf[*mediav1.Alias](list)}, nil
}

// siblings returns the call that lists them; nil if the alias is unknown.
func (v view) siblings(ctx context.Context, request *mediav1.AliasRequest) (*query.Call, error) {
	if v.configured(mediav1.Operations_AliasSiblings_FullMethodName) {
		return v.Call(mediav1.Operations_AliasSiblings_FullMethodName, request)
	}
	hash, err := v.hashOf(request.GetAlias())
	if err != nil {
		return nil, err
	}
	if err := v.read(ctx, hash); err != nil || !hash.Found() {
		return nil, err
	}
	return v.aliasesOf(hashIn(hash))
}

// Remove implements the method of the API. Without a query of its own the hash is compared first; an
// alias that is pointed at another hash in between is removed all the same.
func (s aliases) Remove(ctx context.Context, request *mediav1.RemoveAliasRequest) (*mediav1.Affected, error) {
	v := s.begin()
	if err := v.Check(mediav1.Operations_AliasRemove_FullMethodName, request); err != nil {
		return nil, err
	}
	remove, err := v.aliasRemoval(ctx, request)
	if err != nil {
		return nil, err
	}
	if remove == nil {
		return &mediav1.Affected{Affected: new(int64)}, nil
	}
	v.Run(ctx, query.Calls(remove))
	if remove.Err != nil {
		return nil, remove.Err
	}
	return &mediav1.Affected{Affected: affected(remove)}, nil
}

// aliasRemoval returns the call that removes the alias; nil if it does not belong to the hash.
func (v view) aliasRemoval(ctx context.Context, request *mediav1.RemoveAliasRequest) (*query.Call, error) {
	if v.configured(mediav1.Operations_AliasRemove_FullMethodName) {
		return v.Call(mediav1.Operations_AliasRemove_FullMethodName, request)
	}
	hash, err := v.hashOf(request.GetAlias())
	if err != nil {
		return nil, err
	}
	if err := v.read(ctx, hash); err != nil || !hash.Found() || !bytes.Equal(hashIn(hash), request.GetHash()) {
		return nil, err
	}
	return v.Call(mediav1.Aliases_Cleanup_FullMethodName, &mediav1.AliasRequest{Alias: request.GetAlias()})
}
