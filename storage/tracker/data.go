package tracker

import (
	"context"
	"slices"
	"strings"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// Put implements the method of the API: all entries in one transaction, sorted by key, so that two
// callers cannot deadlock.
func (s *Service) Put(ctx context.Context, request *trackerv1.PutRequest) (*trackerv1.PutResponse, error) {
	if n := len(request.GetEntries()); n > maxChanges {
		return nil, invalid("entries must hold at most %d, not %d", maxChanges, n)
	}
	v := s.begin()
	var calls []*query.Call
	for _, entry := range lastOfEach(request.GetEntries()) {
		call, err := v.Call(trackerv1.Operations_DataAdd_FullMethodName,
			&trackerv1.DataAddParameters{Context: request.GetContext(), Key: entry.GetKey(), Value: entry.Value})
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	if len(calls) == 0 {
		_, err := v.Call(trackerv1.Operations_DataAdd_FullMethodName, &trackerv1.DataAddParameters{Context: request.GetContext()})
		return &trackerv1.PutResponse{}, err // nothing to do, which is refused all the same where data is off
	}
	flight := query.Calls(calls...)
	v.Run(ctx, flight)
	if err := flight.Err(); err != nil {
		return nil, err
	}
	return &trackerv1.PutResponse{}, nil
}

// lastOfEach returns the entries sorted by key, a repeated key once, with its last value.
func lastOfEach(entries []*trackerv1.Entry) []*trackerv1.Entry {
	last := make(map[string]*trackerv1.Entry, len(entries))
	for _, entry := range entries {
		last[string(entry.GetKey())] = entry
	}
	sorted := make([]*trackerv1.Entry, 0, len(last))
	for _, entry := range last {
		sorted = append(sorted, entry)
	}
	slices.SortFunc(sorted, func(a, b *trackerv1.Entry) int { return strings.Compare(string(a.GetKey()), string(b.GetKey())) })
	return sorted
}

// Contains implements the method of the API.
func (s *Service) Contains(ctx context.Context, request *trackerv1.ContainsRequest) (*trackerv1.ContainsResponse, error) {
	if n := len(request.GetKeys()); n > maxChanges {
		return nil, invalid("keys must hold at most %d, not %d", maxChanges, n)
	}
	v := s.begin()
	var calls []*query.Call
	for _, key := range request.GetKeys() {
		call, err := v.Call(trackerv1.Data_Load_FullMethodName, &trackerv1.LoadRequest{Context: request.GetContext(), Key: key})
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	response := &trackerv1.ContainsResponse{Found: make([]bool, len(calls))}
	if len(calls) == 0 {
		_, err := v.Call(trackerv1.Data_Load_FullMethodName, &trackerv1.LoadRequest{Context: request.GetContext()})
		return response, err
	}
	flight := query.Calls(calls...)
	v.Run(ctx, flight)
	if err := flight.Err(); err != nil {
		return nil, err
	}
	for i, call := range calls {
		response.Found[i] = call.Found()
	}
	return response, nil
}
