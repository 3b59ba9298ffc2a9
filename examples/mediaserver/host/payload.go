package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// The queues of a media host. A worker serves each with loops of its own, so that a flood of one kind
// of work does not hold up the other.
const (
	CleanupQueue = "cleanup"
	ProcessQueue = "process"
)

// The kinds of jobs. Hash and PurgeHash are two: what is collected must have lost its last alias, while a
// purge takes aliases away. With one payload for both, an upload that comes between the loss of the last
// alias and the job would be destroyed.
const (
	// Queue cleanup.
	jobHash             = "Hash"             // collect a hash if no alias is left
	jobPurgeHash        = "PurgeHash"        // remove a hash with all its aliases
	jobIdentifier       = "Identifier"       // remove a file and its details
	jobAlias            = "Alias"            // remove an alias
	jobVariant          = "Variant"          // remove one variant, or all of a hash
	jobAllVariants      = "AllVariants"      // remove all variants of all hashes
	jobOutdatedVariants = "OutdatedVariants" // remove the variants that nobody asked for
	jobOutdatedProxies  = "OutdatedProxies"  // remove the proxied URLs that nobody asked for
	jobPrune            = "Prune"            // remove hashes whose files are missing
	// Queue process.
	jobIngest   = "Ingest"   // take in the file of a backgrounded upload
	jobGenerate = "Generate" // make a variant
)

// The unique keys of jobs of which one at a time is enough.
const (
	keyAllVariants      = "all-variants"
	keyOutdatedVariants = "outdated-variants"
	keyOutdatedProxies  = "outdated-proxies"
	keyPrune            = "prune-missing"
)

// A payload is what a job says. Kind decides which fields are set.
type payload struct {
	Kind       string `json:"kind"`
	Hash       []byte `json:"hash,omitempty"`
	Identifier string `json:"identifier,omitempty"`
	Alias      string `json:"alias,omitempty"`
	Token      string `json:"token,omitempty"`
	Variant    string `json:"variant,omitempty"`
	// UnusedSince is the time before which the last access must be for the item to be outdated. The job
	// looks again: somebody may have asked for the item after the job was pushed.
	UnusedSince *time.Time `json:"unused_since,omitempty"`
	Ingest      *ingestJob `json:"ingest,omitempty"`
}

// job makes what is pushed. An empty unique key is none.
func (p payload) job(queue, uniqueKey string) *mediav1.NewJob {
	text, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("a job of kind %s cannot be written: %v", p.Kind, err)) // it has no field that could fail
	}
	job := &mediav1.NewJob{Queue: queue, Job: string(text)}
	if uniqueKey != "" {
		job.UniqueKey = &uniqueKey
	}
	return job
}

// parsePayload reads a job. A field that is not known is an error: it may come from a newer host, and
// half of what it says must not be done.
func parsePayload(job []byte) (payload, error) {
	var p payload
	decoder := json.NewDecoder(bytes.NewReader(job))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return payload{}, &Error{Code: BadJob, Message: "the job cannot be read", Cause: err}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return payload{}, failure(BadJob, "something follows the job")
	}
	return p, nil
}

// push stores a job. One with a unique key that is stored already is as good.
func (h *Host) push(ctx context.Context, job *mediav1.NewJob) error {
	if err := h.writable(); err != nil {
		return err
	}
	_, err := h.queue.Push(ctx, &mediav1.PushRequest{Job: job})
	return repoFailure(err)
}

// maxPush is how many jobs one call may push.
const maxPush = 1000

// pushMany stores jobs, as many as there are.
func (h *Host) pushMany(ctx context.Context, jobs []*mediav1.NewJob) error {
	for len(jobs) > 0 {
		n := min(len(jobs), maxPush)
		if _, err := h.queue.PushMany(ctx, &mediav1.PushManyRequest{Jobs: jobs[:n]}); err != nil {
			return repoFailure(err)
		}
		jobs = jobs[n:]
	}
	return nil
}

// pushBehind stores a job whose cause has happened already, also when the request has ended meanwhile.
func (h *Host) pushBehind(ctx context.Context, job *mediav1.NewJob) error {
	ctx, cancel := tidying(ctx)
	defer cancel()
	return h.push(ctx, job)
}
