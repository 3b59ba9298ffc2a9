package media

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// healthKey is the setting that stands in for a query of its own.
const healthKey = "health-value"

// healthChecks counts the checks of this process, so that each writes another value: a write of the same
// one could be answered without one.
var healthChecks atomic.Uint64

// Check implements the method of the API.
func (s repo) Check(ctx context.Context, _ *mediav1.CheckRequest) (*mediav1.CheckResponse, error) {
	v := s.begin()
	call, err := v.healthCheck(binary.BigEndian.AppendUint64(nil, healthChecks.Add(1)))
	if err != nil {
		return nil, err
	}
	v.Run(ctx, query.Calls(call))
	if call.Err != nil {
		return nil, call.Err
	}
	return &mediav1.CheckResponse{}, nil
}

func (v view) healthCheck(value []byte) (*query.Call, error) {
	if v.configured(mediav1.Operations_HealthCheck_FullMethodName) || !v.configured(mediav1.Settings_Set_FullMethodName) {
		return v.Call(mediav1.Operations_HealthCheck_FullMethodName, &mediav1.HealthCheckParameters{Value: value})
	}
	return v.Call(mediav1.Settings_Set_FullMethodName, &mediav1.SetRequest{Key: healthKey, Value: value})
}

// Capabilities implements the method of the API.
func (s repo) Capabilities(context.Context, *mediav1.CapabilitiesRequest) (*mediav1.CapabilitiesResponse, error) {
	v := s.begin()
	response := &mediav1.CapabilitiesResponse{
		QueueHeartbeatInterval:    v.settings.GetQueueHeartbeatInterval(),
		QueueStaleAfter:           v.settings.GetQueueStaleAfter(),
		VariantsHeartbeatInterval: v.settings.GetVariantsHeartbeatInterval(),
		VariantsStaleAfter:        v.settings.GetVariantsStaleAfter(),
		PageLimit:                 v.pageLimit(),
		Notified:                  s.notified(),
	}
	seen := map[string]bool{}
	for _, statement := range v.Set().Statements() {
		op := statement.Operation
		if op.Section != Section {
			continue
		}
		response.Queries = append(response.Queries, op.Key)
		if !seen[op.Group] && v.Complete(op.Section, op.Group) {
			response.Groups = append(response.Groups, op.Group)
		}
		seen[op.Group] = true
	}
	return response, nil
}
