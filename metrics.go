package mortise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mortise-storage/mortise/storage"
)

// A metricsListener serves /metrics for Prometheus, and /health for whatever asks over HTTP.
type metricsListener struct {
	server *http.Server
	done   chan struct{}
}

func listenForMetrics(address string, s *storage.Storage, logger *slog.Logger) (*metricsListener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Gatherer(), promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError)}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		state, reason := s.Health(r.Context())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if state != storage.Serving {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, reason)
			return
		}
		fmt.Fprintln(w, "serving")
		if note := s.LastReload().Note(); note != "" {
			fmt.Fprintln(w, note)
		}
	})
	m := &metricsListener{done: make(chan struct{}), server: &http.Server{Handler: mux,
		ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}}
	go func() {
		defer close(m.done)
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("metrics are not served any more", "error", err.Error())
		}
	}()
	logger.Info("metrics are served", "address", listener.Addr().String())
	return m, nil
}

// close lets a scrape that is under way finish, for a moment.
func (m *metricsListener) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		_ = m.server.Close()
	}
	<-m.done
}
