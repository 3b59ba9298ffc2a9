package mortise

import (
	"bytes"
	"context"
	"path/filepath"

	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/types/known/timestamppb"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
)

// pluginService is what a host can ask of the plugin itself.
type pluginService struct {
	pluginv1.UnimplementedPluginServer
	storage  *storage.Storage
	reloader *reloader // nil if there is no file
	version  string
	protocol int
}

// Info says what is running.
func (s *pluginService) Info(context.Context, *pluginv1.InfoRequest) (*pluginv1.InfoResponse, error) {
	server, mode, _ := s.storage.About()
	return &pluginv1.InfoResponse{Version: s.version, Protocol: int32(s.protocol), Domains: s.storage.Domains(),
		Server: server, StatementMode: mode, Config: configState(s.storage)}, nil
}

// Health says whether calls can be answered.
func (s *pluginService) Health(ctx context.Context, _ *pluginv1.HealthRequest) (*pluginv1.HealthResponse, error) {
	state, reason := s.storage.Health(ctx)
	return &pluginv1.HealthResponse{State: pluginv1.HealthResponse_State(state), Reason: reason,
		Note: s.storage.LastReload().Note(), Config: configState(s.storage)}, nil
}

// Reload puts the operator's file into effect as it is now, or goes back to the set before.
func (s *pluginService) Reload(ctx context.Context, request *pluginv1.ReloadRequest) (*pluginv1.ReloadResponse, error) {
	if s.reloader == nil {
		return nil, fault.New(fault.Precondition, "", "the configuration was not read from a file, so there is nothing to reload")
	}
	var attempt storage.Attempt
	var err error
	if request.GetRollback() {
		attempt, err = s.reloader.rollback(ctx)
	} else {
		attempt, err = s.reloader.reload(ctx, "request")
	}
	if err != nil {
		return nil, err
	}
	return &pluginv1.ReloadResponse{Applied: attempt.Outcome.Success(), Problems: wireProblems(attempt.Problems),
		Generation: attempt.InUse.Generation, Message: attempt.Message, Outcome: wireOutcomes[attempt.Outcome]}, nil
}

var wireOutcomes = map[storage.Outcome]pluginv1.ReloadOutcome{
	storage.Applied:    pluginv1.ReloadOutcome_APPLIED,
	storage.Unchanged:  pluginv1.ReloadOutcome_UNCHANGED,
	storage.RolledBack: pluginv1.ReloadOutcome_ROLLED_BACK,
	storage.Rejected:   pluginv1.ReloadOutcome_REJECTED,
	storage.Failed:     pluginv1.ReloadOutcome_FAILED,
}

// mostProblems is how many problems of the last reload are told with the state; a reload's own answer
// has all.
const mostProblems = 10

// configState tells which query set is in use.
func configState(s *storage.Storage) *pluginv1.ConfigState {
	now, last := s.Revision(), s.LastReload()
	state := &pluginv1.ConfigState{Generation: now.Generation, Hash: now.Hash, File: absolute(now.File), LoadedAt: timestamppb.New(now.Loaded)}
	if last.Outcome == "" {
		return state
	}
	state.LastReload = &pluginv1.LastReload{Outcome: wireOutcomes[last.Outcome], At: timestamppb.New(last.At), Message: last.Message,
		Problems: wireProblems(last.First(mostProblems))}
	if !last.FailingSince.IsZero() {
		state.LastReload.FailingSince = timestamppb.New(last.FailingSince)
	}
	return state
}

// absolute is a path for readers whose working folder is another one.
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

func wireProblems(list problem.List) []*pluginv1.Problem {
	wire := make([]*pluginv1.Problem, len(list))
	for i, p := range list {
		wire[i] = &pluginv1.Problem{Severity: pluginv1.Problem_Severity(p.Severity), Rule: p.Rule, File: absolute(p.File),
			Line: int32(p.Line), Column: int32(p.Column), Key: p.Key, Message: p.Message, Fix: p.Fix}
	}
	return wire
}

// Metrics returns the metrics as a scrape would.
func (s *pluginService) Metrics(context.Context, *pluginv1.MetricsRequest) (*pluginv1.MetricsResponse, error) {
	families, err := s.storage.Gatherer().Gather()
	if err != nil {
		return nil, fault.New(fault.Internal, "", "the metrics cannot be gathered: %s", err)
	}
	var text bytes.Buffer
	encoder := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, fault.New(fault.Internal, "", "the metrics cannot be written: %s", err)
		}
	}
	return &pluginv1.MetricsResponse{Text: text.Bytes()}, nil
}
