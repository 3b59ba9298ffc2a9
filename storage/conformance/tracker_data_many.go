package conformance

import (
	"bytes"
	"fmt"
	"slices"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// dataManyCases are about many keys, and many callers.
func dataManyCases() []shelfCase {
	const (
		ordered = "the answers are in the order of the keys"
		once    = "a repeated key counts once, with its last value"
		own     = "calls that share a round trip or a statement have their own effect and their own answer"
		racing  = "racing calls neither fail nor mix"
	)
	return []shelfCase{
		{name: "Contains answers in order", on: keys(dataGet), says: ordered,
			run: func(d *shelf) {
				a, b, c := random(20), random(20), random(20)
				d.put(entry(a, []byte("value")), bare(b), entry(c, nil))
				no := random(20)
				d.contains([]bool{false, true, true, false, true, true, false}, no, a, b, random(20), c, a, no)
			}},
		{name: "Contains of nothing is nothing", on: keys(dataGet), says: "no keys, no answers, no error",
			run: func(d *shelf) { d.contains(nil) }},
		{name: "data.add stores many entries", on: keys(dataAdd, dataGet, dataDel), says: "what is stored under a context and key is loaded again",
			run: func(d *shelf) {
				all, want := someKeys(400), make([]bool, 400)
				var entries []*trackerv1.Entry
				for i, key := range all {
					entries, want[i] = append(entries, entry(key, key[:i%20])), true
				}
				d.put(entries...)
				d.contains(want, all...)
				d.holds(all[7], all[7][:7])
				d.holds(all[399], all[399][:19])
				d.delete(all[:399]...)
				d.contains([]bool{false, false, true}, all[0], all[398], all[399])
			}},
		{name: "data.add stores the last value of a repeated key", on: keys(dataAdd), says: once,
			run: func(d *shelf) {
				key, other := random(20), random(20)
				d.put(entry(key, []byte("first")), entry(other, []byte("other")), entry(key, []byte("second")), entry(key, []byte("third")))
				d.holds(key, []byte("third"))
				d.holds(other, []byte("other"))
				none := random(20)
				d.put(entry(none, []byte("first")), bare(none))
				d.holds(none, nil)
			}},
		{name: "data.add serves many callers at once", on: keys(dataAdd), says: own,
			run: func(d *shelf) {
				all := someKeys(32)
				report(d.t, "Put", together(len(all), func(i int) error {
					return d.of(fmt.Sprint(d.context, i%3)).tryPut(entry(all[i], all[i][:i%20]))
				}))
				for i, key := range all {
					d.of(fmt.Sprint(d.context, i%3)).holds(key, key[:i%20])
					d.of(fmt.Sprint(d.context, (i+1)%3)).lacks(key)
				}
			}},
		{name: "data.get gives every caller his own answer", on: keys(dataGet), says: own,
			run: func(d *shelf) {
				all := someKeys(32)
				for i := 0; i < len(all); i += 2 {
					d.put(entry(all[i], all[i]))
				}
				report(d.t, "Load", together(len(all), func(i int) error {
					err := d.tryHolds(all[i], all[i])
					if i%2 == 1 {
						if err == nil {
							return fmt.Errorf("a key that does not exist is found")
						}
						return nil
					}
					return err
				}))
			}},
		{name: "data.del serves many callers at once", on: keys(dataDel), says: own,
			run: func(d *shelf) {
				all := someKeys(33)
				for _, key := range all {
					d.put(entry(key, nil))
				}
				report(d.t, "Delete", together(16, func(i int) error {
					_, err := d.client().Delete(d.ctx, &trackerv1.DeleteRequest{Context: d.context, Key: [][]byte{all[2*i+1], all[2*i], random(20)}})
					return err
				}))
				want := make([]bool, len(all))
				want[32] = true
				d.contains(want, all...)
			}},
		{name: "data.add of one key by many callers leaves one value", on: keys(dataAdd), says: racing,
			run: func(d *shelf) {
				key := random(20)
				report(d.t, "Put of one key", together(24, func(i int) error { return d.tryPut(entry(key, bytes.Repeat([]byte{byte(i)}, i+1))) }))
				got, err := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: d.context, Key: key})
				if err != nil {
					d.t.Fatalf("Load: %v", err)
				}
				if len(got.Value) == 0 || !bytes.Equal(got.Value, bytes.Repeat(got.Value[:1], int(got.Value[0])+1)) {
					d.t.Errorf("the value %s is none of those that were stored", brief(got.Value))
				}
				d.delete(key)
				d.lacks(key)
			}},
		{name: "data.add of the same keys by many callers is all or nothing", on: keys(dataAdd), says: "Put is all or nothing, whatever order the keys are given in: the values of one call are kept together",
			run: func(d *shelf) {
				all := someKeys(12)
				report(d.t, "Put of the same keys in another order", together(16, func(i int) error {
					var entries []*trackerv1.Entry
					for k := range all {
						entries = append(entries, entry(all[(k+i)%len(all)], []byte{byte(i)}))
					}
					if i%2 == 0 {
						slices.Reverse(entries)
					}
					return d.tryPut(entries...)
				}))
				first, err := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: d.context, Key: all[0]})
				if err != nil {
					d.t.Fatalf("Load: %v", err)
				}
				for _, key := range all {
					d.holds(key, first.Value)
				}
			}},
	}
}
