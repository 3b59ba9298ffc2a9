package conformance

import (
	"bytes"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// The abilities of a query set that concern jobs, uploads and the claims of variants.
const (
	// RetriesJobs: a failed job has attempts left.
	RetriesJobs Capability = "retries_jobs"
	// UniqueJobs: a unique key keeps a second job out.
	UniqueJobs Capability = "unique_jobs"
	// TellsJobHolder: whether a worker holds a job is told when it sends a heartbeat, or ends the job.
	TellsJobHolder Capability = "tells_job_holder"
	// MatchesQueue: a job is held in the queue that it was taken from, and in no other.
	MatchesQueue Capability = "matches_queue"
	// TellsAttempts and TellsQueueTime: a job comes with its attempts, and with the time it was pushed.
	TellsAttempts  Capability = "tells_attempts"
	TellsQueueTime Capability = "tells_queue_time"
	// OrdersByID: of several jobs with the same time the one with the lowest id is handed out first.
	OrdersByID Capability = "orders_jobs_by_id"
	// StaleJobsReturn: a job whose worker is silent is handed out again.
	StaleJobsReturn Capability = "stale_jobs_return"
	// RequeuesJobs: running jobs can be freed at once.
	RequeuesJobs Capability = "requeues_jobs"
	// AcknowledgesByPop: what a worker holds is done when it takes the next job.
	AcknowledgesByPop Capability = "acknowledges_by_pop"
	// StoresUploadID: an upload has the id that its request gives.
	StoresUploadID Capability = "stores_upload_id"
	// ExpiresUploads: uploads that nobody claims can be deleted by their age.
	ExpiresUploads Capability = "expires_uploads"
	// ExclusiveClaims: one at a time generates a variant.
	ExclusiveClaims Capability = "exclusive_claims"
	// TellsClaimHeld: whether a claim is lost is told when its heartbeat is sent.
	TellsClaimHeld Capability = "tells_claim_held"
	// TellsClaimed: those who wait for a variant learn that nobody generates it any more.
	TellsClaimed Capability = "tells_claimed"
	// StaleClaimsFreed: the claim of one who is silent can be taken over.
	StaleClaimsFreed Capability = "stale_claims_freed"
	// ExpiresClaims: stale claims are deleted, whoever asks for a claim.
	ExpiresClaims Capability = "expires_claims"
)

// mediaBackgroundAbilities are those of queue, uploads and claims.
func mediaBackgroundAbilities() []mediaAbility {
	return slices.Concat(queueAbilities(), uploadAbilities(), claimAbilities())
}

func queueAbilities() []mediaAbility {
	served, stops := []Capability{QueueServed}, []Capability{QueueServed, ClockStops}
	return []mediaAbility{
		{Ability{Capability: UniqueJobs, BuildsOn: served, Operations: keys(queuePush), Says: "of several jobs with one unique key only the first is stored",
			Fix: "keep unique_key in a column with a unique index, and let the query return no row if it is taken"},
			func(g *gallery) bool {
				w, key := g.worker(newQueue()), unique(8)
				w.pushKey(key)
				_, again := w.pushKey(key)
				return !again
			}},
		{Ability{Capability: RetriesJobs, BuildsOn: served, Operations: keys(queuePush, queueFail), Says: "a failed job is tried again, as often as queue.retries says in all",
			Fix: "keep @retry in a column, and let fail_query take one off and return what is left"},
			func(g *gallery) bool {
				w := g.worker(newQueue())
				return w.complete(w.hold(), mediav1.JobResult_FAILURE).GetAttemptsLeft() > 0
			}},
		{Ability{Capability: TellsJobHolder, Choice: true, BuildsOn: served, Operations: keys(queueHeartbeat, queueComplete),
			Says: "a worker learns that it lost a job, where the number of rows is known",
			Fix:  "let the queries report the rows that they changed: as an UPDATE and a DELETE, or in a column affected"},
			func(g *gallery) bool {
				w := g.worker(newQueue())
				return !w.beat(newUUID()) && !w.complete(newUUID(), mediav1.JobResult_SUCCESS).Held
			}},
		{Ability{Capability: MatchesQueue, Choice: true, BuildsOn: []Capability{QueueServed, TellsJobHolder}, Operations: keys(queueHeartbeat, queueComplete, queueFail),
			Says: "a job is only found in its queue, even by its id",
			Fix:  "compare the column of queues with @queue"},
			func(g *gallery) bool {
				w := g.worker(newQueue())
				return !w.in(newQueue()).beat(w.hold())
			}},
		{Ability{Capability: TellsAttempts, Choice: true, BuildsOn: served, Operations: keys(queueClaim), Says: "a job tells how many attempts are left",
			Fix: "return a column retry"},
			func(g *gallery) bool { return g.takenJob().Retry != nil }},
		{Ability{Capability: TellsQueueTime, Choice: true, BuildsOn: served, Operations: keys(queueClaim), Says: "a job tells when it was pushed",
			Fix: "return a column queue_time"},
			func(g *gallery) bool { return g.takenJob().QueueTime != nil }},
		{Ability{Capability: RequeuesJobs, Choice: true, BuildsOn: served, Operations: keys(queueRequeueInProgress), Says: "a worker that takes another's place frees what that one held",
			Fix: "give queue.requeue_in_progress_query"},
			func(g *gallery) bool {
				w := g.worker(newQueue())
				return configured(g.t, try(g, g.media.Queue.RequeueInProgress, &mediav1.RequeueInProgressRequest{Worker: w.id, Queue: &w.queue}))
			}},
		{Ability{Capability: AcknowledgesByPop, Choice: true, BuildsOn: served, Operations: keys(queueAckWorker), Says: "a worker that takes a job may acknowledge what it held before",
			Fix: "give queue.ack_worker_query"},
			func(g *gallery) bool {
				w := g.worker(newQueue())
				id := w.hold()
				w.push()
				if _, err := w.tryPop(patience, true); err != nil {
					g.t.Fatalf("Queue.Pop with acknowledge: %v", err)
				}
				return !w.beat(id)
			}},
		{Ability{Capability: ClockStops, Choice: true, Operations: keys(queueRequeueStale, variantsClaim), Says: "the service's clock can be stopped, as only a test of its own can",
			Fix: "nothing: this is about who asks, and not about the queries"},
			func(g *gallery) bool { return g.media.Clock != nil }},
		{Ability{Capability: OrdersByID, BuildsOn: stops, Operations: keys(queueClaim), Says: "of jobs with the same queue time the one with the lowest id comes first",
			Fix: "order by queue time and then by id"},
			func(g *gallery) bool {
				g.stopClock()
				w := g.worker(newQueue())
				for _, id := range w.pushMany(12) {
					if !bytes.Equal(w.pop().Id, id) {
						return false
					}
				}
				return true
			}},
		{Ability{Capability: StaleJobsReturn, BuildsOn: stops, Operations: keys(queueRequeueStale, queueClaim),
			Says: "a job whose last heartbeat is at or before @stale_before is handed out again",
			Fix:  "keep @now in a column when a job is claimed and at each heartbeat, and let requeue_stale_query compare it with @stale_before"},
			func(g *gallery) bool {
				at := g.stopClock()
				w := g.worker(newQueue())
				id := w.hold()
				g.at(at.Add(g.staleAfter() + time.Second))
				w.push()
				return bytes.Equal(w.pop().Id, id)
			}},
	}
}

// takenJob is a job as a worker gets it.
func (g *gallery) takenJob() *mediav1.Job {
	w := g.worker(newQueue())
	w.push()
	return w.pop()
}

func uploadAbilities() []mediaAbility {
	return []mediaAbility{
		{Ability{Capability: StoresUploadID, Choice: true, BuildsOn: []Capability{UploadsServed}, Operations: keys(uploadsCreate),
			Says: "an upload has the id that its request gives, so that the request may be sent again",
			Fix:  "store @upload_id as the id, and return it for an upload that is there as well"},
			func(g *gallery) bool {
				given := newUUID()
				return bytes.Equal(ask(g, g.media.Uploads.Create, &mediav1.CreateUploadRequest{UploadId: given}).UploadId, given)
			}},
		{Ability{Capability: ExpiresUploads, Choice: true, BuildsOn: []Capability{UploadsServed}, Operations: keys(uploadsExpire),
			Says: "uploads that nobody claims are deleted after a while", Fix: "give uploads.expire_query, and keep the time of creation"},
			func(g *gallery) bool {
				_, err := g.media.Uploads.Expire(g.ctx, &mediav1.ExpireUploadsRequest{Before: timestamppb.New(longAgo())})
				return configured(g.t, err)
			}},
	}
}

func claimAbilities() []mediaAbility {
	served := []Capability{VariantsServed}
	exclusive := []Capability{VariantsServed, ExclusiveClaims}
	stops := []Capability{VariantsServed, ExclusiveClaims, ClockStops}
	return []mediaAbility{
		{Ability{Capability: ExclusiveClaims, BuildsOn: served, Operations: keys(variantsClaim), Says: "of those who want to generate a variant one is given the right to",
			Fix: "keep claims in a table whose primary key is @key, and insert unless there is one that is not stale"},
			func(g *gallery) bool {
				v := g.generation()
				v.claim()
				return v.claim().Outcome != mediav1.ClaimVariantResponse_CLAIMED
			}},
		{Ability{Capability: TellsClaimHeld, Choice: true, BuildsOn: exclusive, Operations: keys(variantsHeartbeat),
			Says: "one who generates a variant learns that the claim was lost, where the number of rows is known",
			Fix:  "let the query report the rows that it changed: as an UPDATE, or in a column affected"},
			func(g *gallery) bool { return !g.generation().beat() }},
		{Ability{Capability: TellsClaimed, Choice: true, BuildsOn: exclusive, Operations: keys(variantsClaimed), Says: "those who wait for a variant learn early that its generation failed",
			Fix: "give variants.claimed_query"},
			func(g *gallery) bool { return g.generation().abandoned() }},
		{Ability{Capability: StaleClaimsFreed, BuildsOn: stops, Operations: keys(variantsClaim, variantsExpireClaims),
			Says: "a claim whose last heartbeat is at or before @stale_before counts as free",
			Fix:  "keep @now in a column of the claim, and give expire_claims_query, or let claim_query take over what is stale"},
			func(g *gallery) bool {
				v, at := g.generation(), g.stopClock()
				v.claim()
				g.at(at.Add(g.claimStaleAfter() + time.Second))
				return v.claim().Outcome == mediav1.ClaimVariantResponse_CLAIMED
			}},
		{Ability{Capability: ExpiresClaims, Choice: true, BuildsOn: append(stops, TellsClaimHeld, StaleClaimsFreed), Operations: keys(variantsExpireClaims),
			Says: "stale claims are deleted whenever somebody claims a variant, so that those who wait are told",
			Fix:  "give variants.expire_claims_query"},
			func(g *gallery) bool {
				v, at := g.generation(), g.stopClock()
				v.claim()
				g.at(at.Add(g.claimStaleAfter() + time.Second))
				g.generation().claim()
				return !v.beat()
			}},
	}
}
