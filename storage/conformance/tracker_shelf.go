package conformance

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// A shelf is one context of a case's key-value data, and the steps that cases are made of. A step
// that fails where it must not ends the case.
type shelf struct {
	ctx     context.Context
	t       T
	tracker *Tracker
	context string
}

// newShelf returns a context that nobody knows.
func newShelf(ctx context.Context, t T, s *Tracker) *shelf {
	return &shelf{ctx: ctx, t: t, tracker: s, context: "conformance-" + hex.EncodeToString(random(8))}
}

func (d *shelf) of(context string) *shelf {
	other := *d
	other.context = context
	return &other
}

func (d *shelf) client() trackerv1.DataClient { return d.tracker.Data }

// entry makes an entry with a value; a nil value is an empty one.
func entry(key, value []byte) *trackerv1.Entry {
	if value == nil {
		value = []byte{}
	}
	return &trackerv1.Entry{Key: key, Value: value}
}

// bare makes an entry without a value.
func bare(key []byte) *trackerv1.Entry { return &trackerv1.Entry{Key: key} }

func (d *shelf) tryPut(entries ...*trackerv1.Entry) error {
	_, err := d.client().Put(d.ctx, &trackerv1.PutRequest{Context: d.context, Entries: entries})
	return err
}

func (d *shelf) put(entries ...*trackerv1.Entry) {
	d.t.Helper()
	if err := d.tryPut(entries...); err != nil {
		d.t.Fatalf("Put of %d entries: %v", len(entries), err)
	}
}

func (d *shelf) delete(keys ...[]byte) {
	d.t.Helper()
	if _, err := d.client().Delete(d.ctx, &trackerv1.DeleteRequest{Context: d.context, Key: keys}); err != nil {
		d.t.Fatalf("Delete of %d keys: %v", len(keys), err)
	}
}

// tryHolds checks that a key has this value; an empty value is not told from none.
func (d *shelf) tryHolds(key, value []byte) error {
	got, err := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: d.context, Key: key})
	if err != nil {
		return fmt.Errorf("loading: %w", err)
	}
	if !bytes.Equal(got.Value, value) {
		return fmt.Errorf("loading gives %s; it should be %s", brief(got.Value), brief(value))
	}
	return nil
}

func (d *shelf) holds(key, value []byte) {
	d.t.Helper()
	if err := d.tryHolds(key, value); err != nil {
		d.t.Errorf("key %s: %v", brief(key), err)
	}
	d.contains([]bool{true}, key)
}

// lacks checks that a key does not exist.
func (d *shelf) lacks(key []byte) {
	d.t.Helper()
	if _, err := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: d.context, Key: key}); status.Code(err) != codes.NotFound {
		d.t.Errorf("Load of key %s that should not exist: error %v; it should be NOT_FOUND", brief(key), err)
	}
	d.contains([]bool{false}, key)
}

func (d *shelf) contains(want []bool, keys ...[]byte) {
	d.t.Helper()
	got, err := d.client().Contains(d.ctx, &trackerv1.ContainsRequest{Context: d.context, Keys: keys})
	if err != nil {
		d.t.Fatalf("Contains of %d keys: %v", len(keys), err)
	}
	if len(got.Found) != len(want) {
		d.t.Fatalf("Contains of %d keys gives %d answers", len(want), len(got.Found))
	}
	for i := range want {
		if got.Found[i] != want[i] {
			d.t.Errorf("Contains, key %d of %d (%s): %v; it should be %v", i+1, len(want), brief(keys[i]), got.Found[i], want[i])
		}
	}
}

// brief shows the start of a byte string.
func brief(b []byte) string {
	if len(b) > 24 {
		return fmt.Sprintf("%q... (%d bytes)", b[:24], len(b))
	}
	return fmt.Sprintf("%q", b)
}
