package demo

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// jobCounts is what a worker says of its jobs.
type jobCounts struct {
	// loops are the ids with which its loops hold jobs.
	loops map[string]bool
	// done counts jobs by queue, failed those that did not end in success.
	done   map[string]int64
	failed int64
}

// scrape reads the metrics of a process, those of its plugin included.
func (c *client) scrape(ctx context.Context, base string) (map[string]*dto.MetricFamily, error) {
	text, err := c.get(ctx, "", base+"/metrics")
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(bytes.NewReader(text))
}

// measure asks a worker for its counts.
func (w *worker) measure(ctx context.Context, c *client) error {
	families, err := c.scrape(ctx, w.metrics)
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	counts := jobCounts{loops: map[string]bool{}, done: map[string]int64{}}
	for _, metric := range families["mediaserver_worker_loop"].GetMetric() {
		counts.loops[label(metric, "worker")] = true
	}
	for _, metric := range families["mediaserver_jobs_total"].GetMetric() {
		n := int64(metric.GetCounter().GetValue())
		if label(metric, "outcome") == "success" {
			counts.done[label(metric, "queue")] += n
		} else {
			counts.failed += n
		}
	}
	w.jobs = counts
	return nil
}

// operations returns how often each operation of the operator's took part in a round trip so far.
func (c *client) operations(ctx context.Context, base string) (map[string]int64, error) {
	families, err := c.scrape(ctx, base)
	if err != nil {
		return nil, err
	}
	trips := map[string]int64{}
	for _, metric := range families["mortise_media_round_trips_total"].GetMetric() {
		if n := int64(metric.GetCounter().GetValue()); n > 0 {
			trips[strings.TrimPrefix(label(metric, "op"), "media.")] = n
		}
	}
	return trips, nil
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// measure reads what the tables and the workers say in the end.
func (d *demo) measure(ctx context.Context) error {
	counts, err := d.tables.counts(ctx)
	if err != nil {
		return err
	}
	d.result.Rows = counts
	for _, w := range d.workers {
		if !w.killed {
			if err := w.measure(ctx, d.client); err != nil {
				return err
			}
		}
		d.result.Workers = append(d.result.Workers, WorkerJobs{Worker: w.name, Killed: w.killed,
			Process: w.jobs.done["process"], Cleanup: w.jobs.done["cleanup"], Failed: w.jobs.failed})
	}
	d.result.Latencies = d.client.meter.latencies()
	return nil
}
