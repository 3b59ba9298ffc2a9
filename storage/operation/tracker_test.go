package operation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/operation"
)

// The tracker's contract as it is written down for operators: the order of parameters is that of $1,
// $2, ... and must never change, because queries are written by it.
var trackerContract = []struct {
	key        string
	parameters string // base parameters, then a bar, then the optional ones
	columns    string
	result     annotation.Result
	required   bool
	extends    string
	maxRows    int64
	retry      annotation.Retry
	empty      annotation.Empty
}{
	{key: "announce.query", required: true, result: annotation.Result_ROWS, retry: annotation.Retry_IDEMPOTENT,
		parameters: "info_hash:bytes is_seeder:bool is_v6:bool count:int | alive_since:time? peer_id:bytes? address:addr? port:int? " + hostValues,
		columns:    "peer_id:bytes address:addr port:int"},
	{key: "announce.mixed_query", result: annotation.Result_ROWS, retry: annotation.Retry_IDEMPOTENT,
		parameters: "info_hash:bytes for_seeder:bool is_v6:bool count:int | alive_since:time? peer_id:bytes? address:addr? port:int? " + hostValues,
		columns:    "peer_id:bytes address:addr port:int"},
	{key: "peer.add_query", required: true, result: annotation.Result_AFFECTED, maxRows: 1, retry: annotation.Retry_IDEMPOTENT,
		parameters: "info_hash:bytes peer_id:bytes address:addr port:int is_seeder:bool is_v6:bool created:time? | " + hostValues, columns: "affected:int?"},
	{key: "peer.del_query", required: true, result: annotation.Result_AFFECTED, maxRows: 1, retry: annotation.Retry_RESOLVED, empty: annotation.Empty_NOT_FOUND,
		parameters: "info_hash:bytes peer_id:bytes address:addr port:int is_seeder:bool | created:time? is_v6:bool " + hostValues, columns: "affected:int?"},
	{key: "peer.graduate_query", required: true, result: annotation.Result_AFFECTED, maxRows: 1, retry: annotation.Retry_RESOLVED,
		parameters: "info_hash:bytes peer_id:bytes address:addr port:int | created:time? is_v6:bool " + hostValues, columns: "affected:int?"},
	{key: "peer.count_query", required: true, result: annotation.Result_ROW, retry: annotation.Retry_IDEMPOTENT,
		parameters: "| alive_since:time?", columns: "seeders:int leechers:int"},
	{key: "peer.by_info_hash_clause", required: true, result: annotation.Result_ROW, extends: "peer.count_query", retry: annotation.Retry_IDEMPOTENT,
		parameters: "info_hash:bytes | alive_since:time?", columns: "seeders:int leechers:int"},
	{key: "peer.by_family_clause", result: annotation.Result_ROW, extends: "peer.by_info_hash_clause", retry: annotation.Retry_IDEMPOTENT,
		parameters: "info_hash:bytes is_v6:bool | alive_since:time?", columns: "seeders:int leechers:int"},
	{key: "peer.scrape_query", result: annotation.Result_ROWS, retry: annotation.Retry_IDEMPOTENT,
		parameters: "info_hashes:bytes[] | alive_since:time?", columns: "info_hash:bytes seeders:int leechers:int downloads:int"},
	{key: "downloads.get_query", result: annotation.Result_SCALAR, retry: annotation.Retry_IDEMPOTENT,
		parameters: "info_hash:bytes |", columns: "downloads:int"},
	{key: "downloads.inc_query", result: annotation.Result_NONE, maxRows: 1, retry: annotation.Retry_NEVER,
		parameters: "info_hash:bytes | " + hostValues},
	{key: "data.add_query", required: true, result: annotation.Result_AFFECTED, maxRows: 1, retry: annotation.Retry_IDEMPOTENT,
		parameters: "context:text key:bytes value:bytes? |", columns: "affected:int?"},
	{key: "data.get_query", required: true, result: annotation.Result_SCALAR, retry: annotation.Retry_IDEMPOTENT, empty: annotation.Empty_NOT_FOUND,
		parameters: "context:text key:bytes |", columns: "value:bytes?"},
	{key: "data.del_query", required: true, result: annotation.Result_AFFECTED, retry: annotation.Retry_IDEMPOTENT,
		parameters: "context:text key:bytes[] |", columns: "affected:int?"},
	{key: "ping_query", result: annotation.Result_NONE, retry: annotation.Retry_IDEMPOTENT, parameters: "|"},
	{key: "gc_query", result: annotation.Result_AFFECTED, retry: annotation.Retry_IDEMPOTENT,
		parameters: "created:time? | limit:int? lifetime:int?", columns: "affected:int?"},
	{key: "info_hash_count_query", result: annotation.Result_SCALAR, retry: annotation.Retry_IDEMPOTENT, parameters: "|", columns: "info_hashes:int"},
}

const hostValues = "event:text? uploaded:int? downloaded:int? left:int? user_key:text? user_agent:text?"

func TestTrackerContract(t *testing.T) {
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	if len(contract.Operations()) != len(trackerContract) {
		t.Errorf("%d operations; expected %d", len(contract.Operations()), len(trackerContract))
	}
	for _, want := range trackerContract {
		op, ok := contract.Lookup("tracker." + want.key)
		if !ok {
			t.Errorf("%s is not declared", want.key)
			continue
		}
		if got := parameters(op); !slices.Equal(got, strings.Fields(strings.Replace(want.parameters, "|", "", 1))) {
			t.Errorf("%s has the parameters %q", want.key, got)
		}
		if got := columns(op); !slices.Equal(got, strings.Fields(want.columns)) {
			t.Errorf("%s has the columns %q", want.key, got)
		}
		extends := ""
		if op.Extends != nil {
			extends = strings.TrimPrefix(op.Extends.Key, "tracker.")
		}
		required := op.Spec.GetNeed() == annotation.Need_REQUIRED
		if op.Spec.GetResult() != want.result || required != want.required || extends != want.extends || op.Spec.GetMaxRows() != want.maxRows ||
			op.Spec.GetRetry() != want.retry || op.Spec.GetEmpty() != want.empty {
			t.Errorf("%s: result %s, required %v, extends %q, at most %d rows, retry %s, empty %s", want.key, op.Spec.GetResult(), required, extends,
				op.Spec.GetMaxRows(), op.Spec.GetRetry(), op.Spec.GetEmpty())
		}
	}
}

// The part of a key that chooses rows is marked, so that a query that forgets it is told of; the lists
// of peers skip bad rows; nothing else does.
func TestTrackerContractMarks(t *testing.T) {
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	identity := map[string]string{
		"announce.query": "info_hash is_seeder count", "announce.mixed_query": "info_hash for_seeder count",
		"peer.add_query": "info_hash peer_id address port", "peer.del_query": "info_hash peer_id address port is_seeder",
		"peer.graduate_query": "info_hash peer_id address port", "peer.by_info_hash_clause": "info_hash", "peer.by_family_clause": "info_hash is_v6",
		"peer.scrape_query": "info_hashes", "downloads.get_query": "info_hash", "downloads.inc_query": "info_hash",
		"data.add_query": "context key", "data.get_query": "context key", "data.del_query": "context key",
	}
	for _, op := range contract.Operations() {
		key := strings.TrimPrefix(op.Key, "tracker.")
		var marked []string
		for _, p := range op.Parameters {
			if p.Identity() {
				marked = append(marked, p.Name)
			}
		}
		if !slices.Equal(marked, strings.Fields(identity[key])) {
			t.Errorf("%s is identified by %q", key, marked)
		}
		skips := op.Spec.GetBadRows() == annotation.BadRows_SKIP
		if rows := op.Spec.GetResult() == annotation.Result_ROWS; skips != rows {
			t.Errorf("%s: bad rows are skipped: %v", key, skips)
		}
	}
	if len(contract.Services()) != 3 || contract.Method("/mortise.tracker.v1.Operations/GC") == nil {
		t.Errorf("services %q", names(contract.Services()))
	}
}

func TestTrackerSettings(t *testing.T) {
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	section, _ := contract.Section("tracker")
	want := map[string]string{"peer_lifetime": "30m", "gc_interval": "3m", "gc_limit": "10000", "prometheus_reporting_interval": "0",
		"downloads.count_on": "completed", "metrics_prefix": "mochi"}
	for _, s := range section.Settings {
		if want[s.Key] != s.Spec.GetDefault() {
			t.Errorf("%s is %q by default", s.Key, s.Spec.GetDefault())
		}
		delete(want, s.Key)
	}
	if len(want) > 0 {
		t.Errorf("missing are %v", want)
	}
	if _, ok := section.NewSettings().(*trackerv1.Settings); !ok {
		t.Errorf("settings are a %T", section.NewSettings())
	}
}
