package swarmdemo

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
)

// latencies is the plugin's histogram of its tracker operations.
const latencies = "mortise_tracker_op_seconds"

// operation is what the plugin measured of one operation of the operator's.
type operation struct {
	name      string
	calls     uint64
	mean      time.Duration
	p50, p99  time.Duration // upper bounds of the buckets they fall into
	unbounded bool          // p99 lies above the highest bucket
}

// operations asks the plugin for its metrics and reads the latencies from them.
func operations(ctx context.Context, plugin pluginv1.PluginClient) ([]operation, error) {
	response, err := plugin.Metrics(ctx, &pluginv1.MetricsRequest{})
	if err != nil {
		return nil, fmt.Errorf("asking the plugin for its metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(response.GetText()))
	if err != nil {
		return nil, fmt.Errorf("reading the plugin's metrics: %w", err)
	}
	var found []operation
	for _, metric := range families[latencies].GetMetric() {
		histogram := metric.GetHistogram()
		calls := histogram.GetSampleCount()
		if calls == 0 {
			continue
		}
		o := operation{calls: calls, mean: seconds(histogram.GetSampleSum() / float64(calls))}
		for _, label := range metric.GetLabel() {
			if label.GetName() == "op" {
				o.name = label.GetValue()
			}
		}
		o.p50, _ = quantile(histogram, 0.50)
		o.p99, o.unbounded = quantile(histogram, 0.99)
		found = append(found, o)
	}
	slices.SortFunc(found, func(a, b operation) int {
		return cmp.Or(cmp.Compare(b.calls, a.calls), cmp.Compare(a.name, b.name))
	})
	return found, nil
}

// quantile returns the upper bound of the bucket that holds a quantile, or the highest bound and
// true if none does.
func quantile(h *dto.Histogram, q float64) (time.Duration, bool) {
	rank := uint64(math.Ceil(q * float64(h.GetSampleCount())))
	var bound time.Duration
	for _, bucket := range h.GetBucket() {
		if math.IsInf(bucket.GetUpperBound(), 1) {
			break
		}
		bound = seconds(bucket.GetUpperBound())
		if bucket.GetCumulativeCount() >= rank {
			return bound, false
		}
	}
	return bound, true
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
