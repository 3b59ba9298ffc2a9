package media

import (
	"context"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// maxJobs is how many jobs a cleanup pushes at most.
const maxJobs = 1000

// Contents implements the method of the API: everything in one round trip, and the tokens, whose
// aliases are known only then, in another. Variants and aliases whose groups are off are none.
func (s hashes) Contents(ctx context.Context, request *mediav1.ContentsRequest) (*mediav1.ContentsResponse, error) {
	v := s.begin()
	row, err := v.hashRow(request.GetHash())
	if err != nil {
		return nil, err
	}
	reads := row.calls[:len(row.calls):len(row.calls)]
	lists := map[string]*query.Call{}
	for _, method := range []string{mediav1.Aliases_ForHash_FullMethodName, mediav1.Variants_ForHash_FullMethodName} {
		if !v.configured(method) {
			continue
		}
		if lists[method], err = v.Call(method, &mediav1.HashRequest{Hash: request.GetHash()}); err != nil {
			return nil, err
		}
		reads = append(reads, lists[method])
	}
	if err := v.read(ctx, reads...); err != nil {
		return nil, err
	}
	response := &mediav1.ContentsResponse{Info: row.info()}
	if aliases := lists[mediav1.Aliases_ForHash_FullMethodName]; aliases != nil {
		for _, one := range query.RowsOf[*mediav1.Alias](aliases) {
			response.Aliases = append(response.Aliases, &mediav1.AliasToken{Alias: one.GetAlias()})
		}
	}
	if variants := lists[mediav1.Variants_ForHash_FullMethodName]; variants != nil {
		response.Variants = query.RowsOf[*mediav1.Variant](variants)
	}
	if request.GetWithTokens() {
		err = v.addTokens(ctx, response.GetAliases())
	}
	if err != nil {
		return nil, err
	}
	return response, nil
}

// addTokens reads the tokens of aliases.
func (v view) addTokens(ctx context.Context, aliases []*mediav1.AliasToken) error {
	if len(aliases) == 0 {
		return nil
	}
	var calls []*query.Call
	for _, one := range aliases {
		call, err := v.tokenOf(one.GetAlias())
		if err != nil {
			return err
		}
		calls = append(calls, call)
	}
	flight := query.Calls(calls...) // one group: half of the tokens would be no answer
	v.Run(ctx, flight)
	for i, call := range calls {
		if call.Found() {
			aliases[i].DeleteToken = proto.String(tokenIn(call))
		}
	}
	return flight.Err()
}

// Cleanup implements the method of the API: one transaction, so that no job is pushed for a hash that an
// alias still points at. Who waits for jobs is told after the commit. A job whose unique key is taken
// is queued already, and does not keep the rest from happening.
func (s hashes) Cleanup(ctx context.Context, request *mediav1.CleanupHashRequest) (*mediav1.CleanupHashResponse, error) {
	v := s.begin()
	cleanup, err := v.Call(mediav1.Operations_HashCleanup_FullMethodName, &mediav1.HashRequest{Hash: request.GetHash()})
	if err != nil {
		return nil, err
	}
	pushes, notify, err := v.pushAll(request.GetJobs())
	if err != nil {
		return nil, err
	}
	calls := inKeyOrder(pushes)
	if v.configured(mediav1.Operations_VariantRemoveAll_FullMethodName) {
		variants, err := v.Call(mediav1.Operations_VariantRemoveAll_FullMethodName, &mediav1.HashRequest{Hash: request.GetHash()})
		if err != nil {
			return nil, err
		}
		calls = append(calls, variants)
	}
	if err := v.transact(ctx, append(calls, cleanup), notify); err != nil {
		return nil, err
	}
	s.pushedAll(request.GetJobs(), notify)
	return &mediav1.CleanupHashResponse{Removed: removed(cleanup)}, nil
}

// pushedAll tells that jobs were stored and committed.
func (s *Service) pushedAll(jobs []*mediav1.NewJob, notifies query.Group) {
	for _, notify := range notifies {
		s.tellUnnotified(notify)
	}
	s.pushed(jobs...)
}

// pushAll makes the calls that store jobs, and those that notify of them, which belong behind the
// transaction of the former.
func (v view) pushAll(jobs []*mediav1.NewJob) (pushes []*query.Call, notifies query.Group, err error) {
	if n := len(jobs); n > maxJobs {
		return nil, nil, invalid("jobs must hold at most %d, not %d", maxJobs, n)
	}
	for _, job := range jobs {
		push, notify, err := v.pushCalls(job)
		if err != nil {
			return nil, nil, err
		}
		pushes = append(pushes, push)
		if notify != nil {
			notifies = append(notifies, notify)
		}
	}
	return pushes, notifies, nil
}
