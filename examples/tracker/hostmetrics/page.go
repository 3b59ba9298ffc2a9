package hostmetrics

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
)

// scrapeTimeout bounds the call of the plugin, well within the ten seconds that Prometheus waits.
const scrapeTimeout = 5 * time.Second

// Page shows the host's metrics, then those of the plugin, in Prometheus' text format. If the
// plugin does not answer, its part is missing: the host's are needed most just then. The names of
// the two must differ, so host must hold no metrics of the Go runtime, which the plugin gives.
func Page(host prometheus.Gatherer, plugin pluginv1.PluginClient, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		families, err := host.Gather()
		if err != nil {
			log.Error("collecting the tracker's metrics", "error", err)
			http.Error(w, "metrics cannot be collected", http.StatusInternalServerError)
			return
		}
		format := expfmt.NewFormat(expfmt.TypeTextPlain)
		w.Header().Set("Content-Type", string(format))
		encoder := expfmt.NewEncoder(w, format)
		for _, family := range families {
			if err := encoder.Encode(family); err != nil {
				return // the reader has gone
			}
		}
		ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout)
		defer cancel()
		metrics, err := plugin.Metrics(ctx, &pluginv1.MetricsRequest{})
		if err != nil {
			log.Warn("the plugin's metrics are missing", "error", err)
			return
		}
		_, _ = w.Write(metrics.GetText())
	})
}
