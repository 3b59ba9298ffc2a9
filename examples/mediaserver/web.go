package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
)

// A web is an HTTP server on one socket.
type web struct {
	url    string
	server *http.Server
	ended  chan error
}

// listen begins to answer on an address.
func listen(address string, handler http.Handler, log *slog.Logger) (*web, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	w := &web{url: "http://" + listener.Addr().String(), ended: make(chan error, 1), server: &http.Server{
		Handler: handler,
		// How long bodies may take is the handler's business: uploads are slow, and variants waited for.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	go func() { w.ended <- w.server.Serve(listener) }()
	return w, nil
}

// failed delivers why the server does not answer any longer.
func (w *web) failed() <-chan error { return w.ended }

// close takes no new requests and waits for those in progress.
func (w *web) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off: %w", err), w.server.Close())
	}
	return nil
}

// scrapeTimeout bounds the call of the plugin, within the ten seconds that Prometheus waits.
const scrapeTimeout = 5 * time.Second

// metricsPage shows the host's metrics and those of the plugin. If the plugin does not answer, its part
// is missing: the host's are needed most just then.
func (m *media) metricsPage() http.Handler {
	plugin := pluginv1.NewPluginClient(m.plugin.Conn())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format := expfmt.NewFormat(expfmt.TypeTextPlain)
		w.Header().Set("Content-Type", string(format))
		if err := write(expfmt.NewEncoder(w, format), m.registry); err != nil {
			m.log.Warn("the metrics were not written", "error", err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout)
		defer cancel()
		metrics, err := plugin.Metrics(ctx, &pluginv1.MetricsRequest{})
		if err != nil {
			m.log.Warn("the plugin's metrics are missing", "error", err)
			return
		}
		_, _ = w.Write(metrics.GetText())
	})
}

func write(encoder expfmt.Encoder, gatherer prometheus.Gatherer) error {
	families, err := gatherer.Gather()
	if err != nil {
		return err
	}
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return err
		}
	}
	return nil
}
