package media

import (
	"context"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/wake"
)

// topics are what calls wait for: jobs by queue, uploads by id, variants by claim key.
type topics struct {
	jobs, uploads, variants *wake.Topic
}

// A channelOf is what the settings say of a topic.
type channelOf struct {
	listen  string // the method that declares its listen query
	channel func(*mediav1.SectionSettings) string
	poll    func(*mediav1.SectionSettings) *durationpb.Duration
}

var (
	jobChannel = channelOf{mediav1.Operations_QueueListen_FullMethodName,
		(*mediav1.SectionSettings).GetQueueListenChannel, (*mediav1.SectionSettings).GetQueuePollInterval}
	uploadChannel = channelOf{mediav1.Operations_UploadListen_FullMethodName,
		(*mediav1.SectionSettings).GetUploadsListenChannel, (*mediav1.SectionSettings).GetUploadsPollInterval}
	variantChannel = channelOf{mediav1.Operations_VariantListen_FullMethodName,
		(*mediav1.SectionSettings).GetVariantsListenChannel, (*mediav1.SectionSettings).GetVariantsPollInterval}
)

func (s *Service) makeTopics(hub *wake.Hub) topics {
	topic := func(name string, of channelOf, key func(string) (string, bool), single bool) *wake.Topic {
		return hub.Topic(wake.Kind{Name: name, Key: key, Single: single,
			Subscription: func() wake.Subscription { return s.begin().subscription(of) }})
	}
	whole := func(payload string) (string, bool) { return payload, true }
	return topics{
		jobs:     topic("media.queue", jobChannel, queueOf, true),
		uploads:  topic("media.uploads", uploadChannel, whole, false),
		variants: topic("media.variants", variantChannel, whole, false),
	}
}

func (v view) subscription(of channelOf) wake.Subscription {
	s := wake.Subscription{Channel: of.channel(v.settings), Poll: of.poll(v.settings).AsDuration()}
	if v.settings.GetNotifications() != "off" {
		s.Listen = v.Statement(of.listen)
	}
	return s
}

// queueOf returns the queue that a payload names: its second word, behind the job's id. A payload
// without one may be about any queue.
func queueOf(payload string) (string, bool) {
	_, queue, named := strings.Cut(payload, " ")
	return queue, named && queue != ""
}

// claimKey is what a variant's claim is known by, in the database and to those who wait for it.
func claimKey(hash []byte, variant string) string {
	return base64.StdEncoding.EncodeToString(hash) + variant
}

// notified says whether notifications arrive for all that has a listen query; false if nothing has.
func (s *Service) notified() bool {
	listens := false
	for _, t := range []*wake.Topic{s.topics.jobs, s.topics.uploads, s.topics.variants} {
		if t.Listens() && !t.Notified() {
			return false
		}
		listens = listens || t.Listens()
	}
	return listens
}

// The part of a caller's time that is left for the answer. A call that waits ends so long before its
// deadline: the caller then learns from the answer why, and not from the lack of one, and the last
// look, which may have taken a job, is answered in time.
const (
	reservedPart = 10 // a tenth
	mostReserved = 100 * time.Millisecond
)

// patience is the context to wait with: it ends a little before ctx.
func patience(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	if !limited {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/reservedPart, mostReserved)))
}

// await looks until there is an answer, and between looks waits to be woken. look says whether it found
// what is waited for; its error ends the waiting. Only when many who were woken at once are too many for
// the database they try again, because they would not have been refused while they slept. The first
// look is always made, and all run within ctx, not within the shorter time that is waited.
func await(ctx context.Context, w *wake.Waiter, look func(context.Context) (found bool, err error)) error {
	waiting, cancel := patience(ctx)
	defer cancel()
	for first := true; ; first = false {
		found, err := look(ctx)
		if found {
			return nil
		}
		switch {
		case err == nil:
			err = w.Wait(waiting)
		case !first && fault.ReasonOf(err) == fault.Overload:
			err = rest(waiting)
		default:
			w.GiveBack()
			return err
		}
		if err == nil {
			err = waiting.Err()
		}
		if err != nil {
			w.GiveBack()
			return waited(err)
		}
	}
}

// crowded is about how long one pauses who was refused because too many came at once.
const crowded = 100 * time.Millisecond

// rest pauses until the crowd is over, and returns ctx's error if that ends first.
func rest(ctx context.Context) error {
	timer := time.NewTimer(time.Duration(float64(crowded) * (0.5 + rand.Float64())))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// waited is the error of a call that waited in vain.
func waited(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "", "nothing came within the caller's time")
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Canceled, "", "the caller gave up")
	}
	return fault.New(fault.Unavailable, "", "the plugin is about to end; call the next one")
}
