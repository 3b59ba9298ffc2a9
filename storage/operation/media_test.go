package operation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/operation"
)

// The media contract as it is written down for operators, in its order. A scalar's column has no name
// there. Times are optional wherever the service's clock stands in for them.
var mediaContract = []struct {
	key        string
	parameters string
	columns    string
	result     annotation.Result
	required   bool
	retry      annotation.Retry
}{
	{"health.check", "value:bytes", "", annotation.Result_NONE, false, annotation.Retry_IDEMPOTENT},
	{"hashes.size", "", ":int", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"hashes.create", "hash:bytes identifier:text created_at:time", "", annotation.Result_AFFECTED, true, annotation.Retry_RESOLVED},
	{"hashes.update_identifier", "hash:bytes identifier:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"hashes.identifier", "hash:bytes", ":text", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"hashes.relate_motion_identifier", "hash:bytes identifier:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"hashes.motion_identifier", "hash:bytes", ":text", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"hashes.relate_blurhash", "hash:bytes blurhash:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"hashes.blurhash", "hash:bytes", ":text", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"hashes.get", "hash:bytes", "identifier:text motion_identifier:text? blurhash:text? created_at:time", annotation.Result_ROW, false, annotation.Retry_IDEMPOTENT},
	{"hashes.cleanup", "hash:bytes", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"hashes.bound", "hash:bytes", ":time", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"hashes.bound_by_date", "before:time", "hash:bytes created_at:time", annotation.Result_ROW, true, annotation.Retry_IDEMPOTENT},
	{"hashes.first_page", "limit:int", "hash:bytes created_at:time", annotation.Result_ROWS, true, annotation.Retry_IDEMPOTENT},
	{"hashes.page", "created_at:time hash:bytes limit:int", "hash:bytes created_at:time", annotation.Result_ROWS, true, annotation.Retry_IDEMPOTENT},
	{"hashes.prev", "created_at:time hash:bytes limit:int", ":bytes", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"hashes.page_by_hash", "hash:bytes limit:int", "hash:bytes created_at:time", annotation.Result_ROWS, false, annotation.Retry_IDEMPOTENT},
	{"hashes.prev_by_hash", "hash:bytes limit:int", ":bytes", annotation.Result_SCALAR, false, annotation.Retry_IDEMPOTENT},
	{"hashes.describe", "hashes:bytes[]", "hash:bytes alias:text? identifier:text? details:json?", annotation.Result_ROWS, false, annotation.Retry_IDEMPOTENT},
	{"aliases.create", "alias:text delete_token:text hash:bytes", "", annotation.Result_AFFECTED, true, annotation.Retry_RESOLVED},
	{"aliases.delete_token", "alias:text", ":text", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"aliases.hash", "alias:text", ":bytes", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"aliases.for_hash", "hash:bytes", "alias:text", annotation.Result_ROWS, true, annotation.Retry_IDEMPOTENT},
	{"aliases.cleanup", "alias:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"aliases.resolve", "alias:text", "hash:bytes identifier:text? details:json?", annotation.Result_ROW, false, annotation.Retry_IDEMPOTENT},
	{"aliases.siblings", "alias:text", "alias:text", annotation.Result_ROWS, false, annotation.Retry_IDEMPOTENT},
	// The contract lets the second answer be resolved; taking an equal token makes that needless.
	{"aliases.relate_delete_token", "alias:text delete_token:text", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"aliases.relate_hash", "alias:text hash:bytes", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"aliases.remove", "hash:bytes alias:text", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"variants.relate_identifier", "hash:bytes variant:text identifier:text now:time", "", annotation.Result_AFFECTED, true, annotation.Retry_RESOLVED},
	{"variants.identifier", "hash:bytes variant:text", ":text", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"variants.for_hash", "hash:bytes", "variant:text identifier:text", annotation.Result_ROWS, true, annotation.Retry_IDEMPOTENT},
	{"variants.remove", "hash:bytes variant:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"variants.remove_all", "hash:bytes", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"variants.resolve", "alias:text variant:text accessed:time?", "hash:bytes identifier:text? details:json? touched:bool?", annotation.Result_ROW, false, annotation.Retry_IDEMPOTENT},
	{"variants.claim", "key:text now:time stale_before:time hash:bytes variant:text", "", annotation.Result_AFFECTED, true, annotation.Retry_NEVER},
	{"variants.expire_claims", "stale_before:time", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"variants.heartbeat", "key:text now:time hash:bytes variant:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"variants.release", "key:text hash:bytes variant:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"variants.claimed", "key:text stale_before:time hash:bytes variant:text", ":bool", annotation.Result_SCALAR, false, annotation.Retry_IDEMPOTENT},
	{"variants.listen", "", "", annotation.Result_NONE, false, annotation.Retry_IDEMPOTENT},
	{"variants.notify", "key:text hash:bytes variant:text", "", annotation.Result_NONE, false, annotation.Retry_IDEMPOTENT},
	{"details.relate", "identifier:text details:json", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"details.get", "identifier:text", ":json", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"details.cleanup", "identifier:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"settings.set", "key:text value:bytes", "", annotation.Result_NONE, true, annotation.Retry_IDEMPOTENT},
	{"settings.get", "key:text", ":bytes", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"settings.remove", "key:text", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"queue.length", "", ":int", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"queue.push", "queue:text job:json unique_key:text? job_id:uuid retry:int now:time", ":uuid", annotation.Result_SCALAR, true, annotation.Retry_RESOLVED},
	{"queue.requeue_stale", "stale_before:time now:time", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"queue.claim", "queue:text worker:uuid now:time", "id:uuid job:json retry:int? queue_time:time?", annotation.Result_ROW, true, annotation.Retry_IDEMPOTENT},
	{"queue.heartbeat", "queue:text worker:uuid job_id:uuid now:time", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"queue.complete", "queue:text worker:uuid job_id:uuid", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"queue.fail", "queue:text worker:uuid job_id:uuid now:time", ":int", annotation.Result_SCALAR, true, annotation.Retry_RESOLVED},
	{"queue.discard_exhausted", "job_id:uuid", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"queue.requeue_in_progress", "queue:text? worker:uuid?", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"queue.ack_worker", "queue:text worker:uuid", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"queue.listen", "", "", annotation.Result_NONE, false, annotation.Retry_IDEMPOTENT},
	{"queue.notify", "queue:text job_id:uuid payload:text", "", annotation.Result_NONE, false, annotation.Retry_IDEMPOTENT},
	{"uploads.create", "upload_id:uuid now:time", ":uuid", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"uploads.result", "upload_id:uuid", "result:json?", annotation.Result_ROW, true, annotation.Retry_IDEMPOTENT},
	{"uploads.complete", "upload_id:uuid result:json now:time", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"uploads.claim", "upload_id:uuid", "", annotation.Result_AFFECTED, true, annotation.Retry_RESOLVED},
	{"uploads.listen", "", "", annotation.Result_NONE, false, annotation.Retry_IDEMPOTENT},
	{"uploads.notify", "upload_id:uuid", "", annotation.Result_NONE, false, annotation.Retry_IDEMPOTENT},
	{"proxies.relate_url", "url:text alias:text now:time", "", annotation.Result_AFFECTED, true, annotation.Retry_RESOLVED},
	{"proxies.related", "url:text", ":text", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"proxies.remove", "alias:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"proxies.resolve", "url:text accessed:time?", "alias:text hash:bytes? identifier:text? details:json? touched:bool?", annotation.Result_ROW, false, annotation.Retry_IDEMPOTENT},
	{"alias_access.accessed", "alias:text accessed:time", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"alias_access.accessed_at", "alias:text", ":time", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"alias_access.older", "before:time after_accessed:time? after_alias:text? limit:int", "alias:text accessed:time", annotation.Result_ROWS, true, annotation.Retry_IDEMPOTENT},
	{"alias_access.remove", "alias:text", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"variant_access.accessed", "hash:bytes variant:text accessed:time", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"variant_access.accessed_at", "hash:bytes variant:text", ":time", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"variant_access.contains", "hash:bytes variant:text", ":bool", annotation.Result_SCALAR, false, annotation.Retry_IDEMPOTENT},
	{"variant_access.older", "before:time after_accessed:time? after_hash:bytes? after_variant:text? limit:int", "hash:bytes variant:text accessed:time", annotation.Result_ROWS, true, annotation.Retry_IDEMPOTENT},
	{"variant_access.remove", "hash:bytes variant:text", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
	{"store_migration.is_continuing", "", ":bool", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"store_migration.mark_migrated", "old_identifier:text new_identifier:text", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"store_migration.is_migrated", "identifier:text", ":bool", annotation.Result_SCALAR, true, annotation.Retry_IDEMPOTENT},
	{"store_migration.clear", "", "", annotation.Result_AFFECTED, true, annotation.Retry_IDEMPOTENT},
	{"uploads.expire", "before:time", "", annotation.Result_AFFECTED, false, annotation.Retry_IDEMPOTENT},
}

func TestMediaContract(t *testing.T) {
	contract, err := operation.Load(mediav1.File_mortise_media_v1_media_proto)
	if err != nil {
		t.Fatal(err)
	}
	if len(contract.Operations()) != len(mediaContract) {
		t.Errorf("%d operations; expected %d", len(contract.Operations()), len(mediaContract))
	}
	for _, want := range mediaContract {
		op, ok := contract.Lookup("media." + want.key + "_query")
		if !ok {
			t.Errorf("%s is not declared", want.key)
			continue
		}
		if got := withoutOptionalTimes(parameters(op)); !slices.Equal(got, withoutOptionalTimes(strings.Fields(want.parameters))) {
			t.Errorf("%s has the parameters %q", want.key, got)
		}
		if got := withoutOptionalTimes(columns(op)); !fit(op, got, withoutOptionalTimes(strings.Fields(want.columns))) {
			t.Errorf("%s has the columns %q; expected %q", want.key, got, want.columns)
		}
		required := op.Spec.GetNeed() == annotation.Need_REQUIRED
		if result(op) != want.result || required != want.required || op.Spec.GetRetry() != want.retry {
			t.Errorf("%s: result %s, required %v, retry %s", want.key, op.Spec.GetResult(), required, op.Spec.GetRetry())
		}
		if without := op.Spec.GetWithout() != ""; without == required {
			t.Errorf("%s is required: %v, and says what happens without it: %v", want.key, required, without)
		}
	}
}

// result is the shape that the contract knows. aliases.create may return its token, so it is a row here.
func result(op *operation.Operation) annotation.Result {
	if op.Key == "media.aliases.create_query" {
		return annotation.Result_AFFECTED
	}
	return op.Spec.GetResult()
}

// fit says whether columns are those of the contract.
func fit(op *operation.Operation, got, want []string) bool {
	switch op.Spec.GetResult() {
	case annotation.Result_AFFECTED:
		return slices.Equal(got, []string{"affected:int?"}) && len(want) == 0
	case annotation.Result_SCALAR:
		return len(got) == 1 && len(want) == 1 && strings.HasSuffix(got[0], want[0])
	case annotation.Result_ROW, annotation.Result_ROWS:
		for _, column := range want { // a row may have more that is missing elsewhere
			if !slices.Contains(got, column) && !slices.Contains(got, column+"?") {
				return false
			}
		}
		return true
	}
	return len(got) == 0 && len(want) == 0
}

func withoutOptionalTimes(fields []string) []string {
	all := slices.Clone(fields)
	for i, field := range all {
		all[i] = strings.Replace(field, ":time?", ":time", 1)
	}
	return all
}

func TestMediaSettings(t *testing.T) {
	contract, err := operation.Load(mediav1.File_mortise_media_v1_media_proto)
	if err != nil {
		t.Fatal(err)
	}
	section, _ := contract.Section("media")
	want := map[string]string{"notifications": "auto", "hashes.batch_size": "1000", "hashes.page_limit": "1000", "alias_access.batch_size": "100",
		"variant_access.batch_size": "100", "queue.listen_channel": "", "queue.poll_interval": "1s", "queue.stale_after": "2m", "queue.retries": "5",
		"queue.heartbeat_interval": "5s", "uploads.listen_channel": "", "uploads.poll_interval": "1s", "uploads.expire_after": "24h",
		"uploads.expire_interval": "10m", "variants.listen_channel": "", "variants.poll_interval": "1s", "variants.stale_after": "2m",
		"variants.heartbeat_interval": "5s", "prometheus_reporting_interval": "0"}
	for _, s := range section.Settings {
		if value, ok := want[s.Key]; !ok || value != s.Spec.GetDefault() {
			t.Errorf("%s is %q by default", s.Key, s.Spec.GetDefault())
		}
		delete(want, s.Key)
	}
	if len(want) > 0 {
		t.Errorf("missing are %v", want)
	}
	for _, op := range section.Operations {
		limited := op.Timeout > 0
		if endless := op.Background() && op.Spec.GetTimeout() == ""; limited == endless {
			t.Errorf("%s has the limit %v", op.Key, op.Timeout)
		}
	}
}
