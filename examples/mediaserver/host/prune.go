package host

import (
	"context"
	"encoding/binary"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// The settings in which a host remembers things. Those of a prune tell how far it has got: queued is
// the number of hashes that were looked at, eight bytes, big endian; an empty value of complete means
// that a prune is under way.
const (
	settingNotFound      = "404-alias"
	settingHealth        = "health-value"
	settingPruneStarted  = "prune-missing-started"
	settingPruneQueued   = "prune-missing-queued"
	settingPruneComplete = "prune-missing-complete"
)

// Pruning is how far the search for missing files has got.
type Pruning struct {
	Complete bool
	// Progress is how many hashes were looked at, Total how many there are.
	Progress, Total int64
}

// PruneMissing tells how the search for hashes whose files are missing is doing. The first call begins
// it, and each one with force begins it anew; a worker does it, and removes what it finds.
func (h *Host) PruneMissing(ctx context.Context, force bool) (Pruning, error) {
	started, err := h.setting(ctx, settingPruneStarted)
	if err != nil {
		return Pruning{}, err
	}
	if force || started == nil {
		if err := h.push(ctx, payload{Kind: jobPrune}.job(CleanupQueue, keyPrune)); err != nil {
			return Pruning{}, err
		}
	}
	complete, err := h.setting(ctx, settingPruneComplete)
	if err != nil {
		return Pruning{}, err
	}
	queued, err := h.setting(ctx, settingPruneQueued)
	if err != nil {
		return Pruning{}, err
	}
	count, err := h.hashes.Count(ctx, &mediav1.CountRequest{})
	if err != nil {
		return Pruning{}, repoFailure(err)
	}
	state := Pruning{Complete: len(complete) > 0, Total: count.GetSize()}
	if len(queued) == 8 {
		state.Progress = int64(binary.BigEndian.Uint64(queued))
	}
	return state, nil
}

// setting returns a value; nil if there is none.
func (h *Host) setting(ctx context.Context, key string) ([]byte, error) {
	found, err := h.settings.Get(ctx, &mediav1.SettingRequest{Key: key})
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, repoFailure(err)
	}
	return append([]byte{}, found.GetValue()...), nil
}

func (h *Host) set(ctx context.Context, key string, value []byte) error {
	_, err := h.settings.Set(ctx, &mediav1.SetRequest{Key: key, Value: value})
	return repoFailure(err)
}

// prune looks at all originals and has those purged whose file is missing: they cannot be served, and
// keep a new upload of the same file from being stored.
func (h *Host) prune(ctx context.Context) error {
	for _, mark := range []struct {
		key   string
		value []byte
	}{{settingPruneComplete, nil}, {settingPruneQueued, progress(0)}, {settingPruneStarted, []byte("1")}} {
		if err := h.set(ctx, mark.key, mark.value); err != nil {
			return err
		}
	}
	var seen int64
	err := h.eachBatch(ctx, func(batch []*mediav1.OrderedHash) error {
		if err := h.pruneBatch(ctx, batch); err != nil {
			return err
		}
		seen += int64(len(batch))
		return h.set(ctx, settingPruneQueued, progress(seen))
	})
	if err != nil {
		return err
	}
	return h.set(ctx, settingPruneComplete, []byte("1"))
}

func progress(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// maxDescribe is how many hashes one call of the repo describes.
const maxDescribe = 1000

func (h *Host) pruneBatch(ctx context.Context, batch []*mediav1.OrderedHash) error {
	for len(batch) > 0 {
		n := min(len(batch), maxDescribe)
		described, err := h.hashes.Describe(ctx, &mediav1.DescribeRequest{Hashes: hashesOf(batch[:n])})
		if err != nil {
			return repoFailure(err)
		}
		var jobs []*mediav1.NewJob
		for _, d := range described.GetHashes() {
			lost, err := h.lost(d.GetIdentifier())
			if err != nil {
				return err
			}
			if lost {
				jobs = append(jobs, purgeJob(d.GetHash()))
			}
		}
		if err := h.pushMany(ctx, jobs); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// lost says whether there is no file of an identifier.
func (h *Host) lost(identifier string) (bool, error) {
	content, err := h.store.Open(identifier)
	if missing(err) {
		return true, nil
	}
	if err != nil {
		return false, storeFailure(err)
	}
	return false, content.Close()
}

func hashesOf(batch []*mediav1.OrderedHash) [][]byte {
	hashes := make([][]byte, len(batch))
	for i, hash := range batch {
		hashes[i] = hash.GetHash()
	}
	return hashes
}
