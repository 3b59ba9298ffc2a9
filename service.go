package mortise

import (
	"bytes"
	"context"

	"github.com/prometheus/common/expfmt"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

// pluginService is what a host can ask of the plugin itself.
type pluginService struct {
	pluginv1.UnimplementedPluginServer
	storage  *storage.Storage
	version  string
	protocol int
}

// Info says what is running.
func (s *pluginService) Info(context.Context, *pluginv1.InfoRequest) (*pluginv1.InfoResponse, error) {
	server, mode, _ := s.storage.About()
	return &pluginv1.InfoResponse{Version: s.version, Protocol: int32(s.protocol), Domains: s.storage.Domains(),
		Server: server, StatementMode: mode}, nil
}

// Health says whether calls can be answered.
func (s *pluginService) Health(ctx context.Context, _ *pluginv1.HealthRequest) (*pluginv1.HealthResponse, error) {
	state, reason := s.storage.Health(ctx)
	return &pluginv1.HealthResponse{State: pluginv1.HealthResponse_State(state), Reason: reason}, nil
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
