package media

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/schedule"
)

func (s *Service) tasks() []schedule.Task {
	return []schedule.Task{
		{Name: "media.uploads.expire", Jitter: 0.1, Run: s.expireUploads, Interval: func() time.Duration { return s.begin().expireInterval() }},
		{Name: "media.queue.length", Run: s.countJobs, Interval: func() time.Duration { return s.begin().countInterval() }},
	}
}

func (v view) expireInterval() time.Duration {
	if !v.configured(mediav1.Uploads_Expire_FullMethodName) {
		return 0
	}
	return v.settings.GetUploadsExpireInterval().AsDuration()
}

func (v view) countInterval() time.Duration {
	if !v.configured(mediav1.Queue_Length_FullMethodName) {
		return 0
	}
	return v.settings.GetPrometheusReportingInterval().AsDuration()
}

// Start begins the background work: uploads that nobody claims are deleted, and jobs are counted.
func (s *Service) Start() {
	s.showLength()
	s.schedule.Start()
}

// Reloaded tells the service that the queries and settings are other ones. A run that is under way
// finishes with those it began with.
func (s *Service) Reloaded() {
	s.showLength()
	s.schedule.Reloaded()
}

// Close ends the background work and waits for it. It may be called more than once, and without Start.
func (s *Service) Close() { s.schedule.Close() }

// expireUploads is one scheduled deletion. Its errors are told and do not end the schedule.
func (s *Service) expireUploads(ctx context.Context) {
	v := s.begin()
	before := v.Now().Add(-v.settings.GetUploadsExpireAfter().AsDuration())
	call, err := v.Call(mediav1.Uploads_Expire_FullMethodName, &mediav1.ExpireUploadsRequest{Before: timestamppb.New(before)})
	if err == nil {
		v.Run(ctx, query.Calls(call))
		err = call.Err
	}
	if err != nil {
		s.tellFailed(ctx, "the deletion of uploads that nobody claims failed; the next one tries again", err)
		return
	}
	if call.Counted {
		s.metrics.expired.Add(float64(call.Affected))
	}
}

// countJobs is one scheduled count for the gauge, which keeps its last value if the query fails: zero
// would look like an empty queue.
func (s *Service) countJobs(ctx context.Context) {
	v := s.begin()
	call, err := v.Call(mediav1.Queue_Length_FullMethodName, &mediav1.LengthRequest{})
	if err == nil {
		v.Run(ctx, query.Calls(call))
		err = call.Err
	}
	if err != nil {
		s.tellFailed(ctx, "the jobs could not be counted; the gauge keeps its last value", err)
		return
	}
	s.metrics.length.Set(float64(first[*mediav1.LengthResponse](call).GetLength()))
}

func (s *Service) tellFailed(ctx context.Context, text string, err error) {
	if ctx.Err() != nil {
		return // it is ending
	}
	s.metrics.failures.Inc()
	s.logger.Error(text, "error", err.Error())
}

// showLength shows the gauge of jobs, or hides it while nobody counts them: it would say zero for ever.
func (s *Service) showLength() {
	if s.begin().countInterval() <= 0 {
		s.metrics.registerer.Unregister(s.metrics.length)
		return
	}
	err := s.metrics.registerer.Register(s.metrics.length)
	if err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		s.logger.Error("the gauge of jobs cannot be shown", "error", err.Error())
	}
}
