package conformance

import (
	"bytes"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func dataCases() []shelfCase {
	const (
		stores    = "what is stored under a context and key is loaded again, byte for byte"
		found     = "a key exists with or without a value"
		deletes   = "all listed keys of the context are deleted; missing keys are ignored"
		absent    = "loading a key that does not exist is NOT_FOUND"
		overwrite = "storing under an existing key replaces its value"
	)
	everything := keys(dataAdd, dataGet, dataDel)
	return []shelfCase{
		{name: "data.add stores a value", on: keys(dataAdd, dataGet), says: stores,
			run: func(d *shelf) { key := random(20); d.put(entry(key, []byte("value"))); d.holds(key, []byte("value")) }},
		{name: "data.get of an unknown key is not found", on: keys(dataGet), says: absent,
			run: func(d *shelf) {
				d.put(entry(random(20), []byte("value")))
				_, err := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: d.context, Key: random(20)})
				refused(d.t, "Load of an unknown key", err, codes.NotFound, fault.DoesNotExist)
				if key := fault.OperationOf(err); err != nil && key != dataGet {
					d.t.Errorf("the error is about %q; it should be about %s", key, dataGet)
				}
				d.lacks(random(20))
			}},
		{name: "data.get finds an empty value", on: keys(dataAdd, dataGet), says: found,
			run: func(d *shelf) { key := random(20); d.put(entry(key, nil)); d.holds(key, nil) }},
		{name: "data.get keeps an empty value from none", on: keys(dataAdd, dataGet), says: "an empty value is stored as empty, not as NULL",
			run: func(d *shelf) {
				key := random(20)
				d.put(entry(key, nil))
				got, err := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: d.context, Key: key})
				if err != nil || got.Value == nil {
					d.t.Errorf("Load of an empty value: value unset, or error %v", err)
				}
			}},
		{name: "data.get finds a key without a value", on: keys(dataAdd, dataGet), says: found,
			run: func(d *shelf) { key := random(20); d.put(bare(key)); d.holds(key, nil) }},
		{name: "data.get tells that a key has no value", on: keys(dataAdd, dataGet), says: "a value that is not given is NULL, and is loaded as none", needs: []Capability{KVNull},
			run: func(d *shelf) {
				key := random(20)
				d.put(bare(key))
				got, err := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: d.context, Key: key})
				if err != nil || got.Value != nil {
					d.t.Errorf("Load of a key without a value: %d bytes, error %v; there should be no value", len(got.GetValue()), err)
				}
			}},
		{name: "data.add keeps any bytes", on: everything, says: stores,
			run: func(d *shelf) {
				for what, start := range awkward {
					d.t.Logf("key and value with %s", what)
					key, value := slices.Concat(start, random(12)), slices.Concat(random(3), start, start)
					d.put(entry(key, value))
					d.holds(key, value)
					d.put(entry(value, key))
					d.holds(value, key)
					d.delete(key)
					d.lacks(key)
					d.holds(value, key)
				}
			}},
		{name: "data.add keeps a big value", on: keys(dataAdd, dataGet), says: stores,
			run: func(d *shelf) {
				key, value := random(20), random(1<<20)
				d.put(entry(key, value))
				d.holds(key, value)
			}},
		{name: "data.add replaces the value of an existing key", on: keys(dataAdd), says: overwrite, needs: []Capability{KVOverwrite},
			run: func(d *shelf) {
				key := random(20)
				d.put(entry(key, []byte("first")))
				d.put(entry(key, []byte("second")))
				d.holds(key, []byte("second"))
				d.put(bare(key))
				d.holds(key, nil)
				d.put(entry(key, []byte("third")))
				d.holds(key, []byte("third"))
			}},
		{name: "data.add under an existing key is no error", on: keys(dataAdd), says: "whether an existing key is overwritten is up to the query; it has one value either way",
			run: func(d *shelf) {
				key := random(20)
				d.put(entry(key, []byte("first")))
				d.put(entry(key, []byte("second")))
				if first := d.tryHolds(key, []byte("first")); first != nil {
					d.holds(key, []byte("second"))
				}
				d.delete(key)
				d.lacks(key)
			}},
		{name: "data.del deletes a key", on: keys(dataDel), says: deletes,
			run: func(d *shelf) {
				key, other := random(20), random(20)
				d.put(entry(key, []byte("one")), entry(other, []byte("two")))
				d.delete(key)
				d.lacks(key)
				d.holds(other, []byte("two"))
			}},
		{name: "data.del deletes all listed keys and no other", on: keys(dataDel), says: deletes,
			run: func(d *shelf) {
				all := someKeys(9)
				for _, key := range all {
					d.put(entry(key, key))
				}
				d.delete(all[0], random(20), all[3], all[3], all[8], nil)
				for i, key := range all {
					if i == 0 || i == 3 || i == 8 {
						d.lacks(key)
					} else {
						d.holds(key, key)
					}
				}
			}},
		{name: "data.del of missing keys is no error", on: keys(dataDel), says: deletes,
			run: func(d *shelf) { d.delete(random(20), random(32), nil); d.delete(random(1)) }},
		{name: "data.del of nothing deletes nothing", on: keys(dataDel), says: "an empty list of keys is answered without a query",
			run: func(d *shelf) { key := random(20); d.put(entry(key, nil)); d.delete(); d.holds(key, nil) }},
		{name: "data.del tells how many were there, or nothing", on: keys(dataDel), says: "a known number of rows is the number of rows",
			run: func(d *shelf) {
				all := someKeys(3)
				d.put(entry(all[0], nil), entry(all[1], nil))
				got, err := d.client().Delete(d.ctx, &trackerv1.DeleteRequest{Context: d.context, Key: all})
				if err != nil {
					d.t.Fatalf("Delete: %v", err)
				}
				if got.Affected != nil && *got.Affected != 2 {
					d.t.Errorf("deleting 2 existing keys of 3 affects %d rows", *got.Affected)
				}
			}},
		{name: "data.add stores a deleted key again", on: everything, says: stores,
			run: func(d *shelf) {
				key := random(20)
				d.put(entry(key, []byte("first")))
				d.delete(key)
				d.put(entry(key, []byte("second")))
				d.holds(key, []byte("second"))
			}},
		{name: "data.add of nothing stores nothing", on: keys(dataAdd), says: "no entries, no query, no error",
			run: func(d *shelf) { d.put() }},
	}
}

// someKeys returns n keys that nobody knows.
func someKeys(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = random(20)
	}
	return all
}

// dataKeyCases are about what is a key, and what is a context.
func dataKeyCases() []shelfCase {
	const exact = "contexts and keys are compared byte by byte, and both belong to the key"
	everything := keys(dataAdd, dataGet, dataDel)
	return []shelfCase{
		{name: "data.get keeps contexts apart", on: everything, says: exact,
			run: func(d *shelf) {
				key := random(20)
				for _, other := range []string{d.context + " ", d.context + "x", "C" + d.context[1:], d.context[:len(d.context)-1]} {
					d.of(other).put(entry(key, []byte(other)))
					d.lacks(key)
				}
				d.put(entry(key, []byte("own")))
				for _, other := range []string{d.context + " ", d.context + "x", "C" + d.context[1:], d.context[:len(d.context)-1]} {
					d.of(other).holds(key, []byte(other))
				}
				d.holds(key, []byte("own"))
				d.delete(key)
				d.lacks(key)
				d.of(d.context+" ").holds(key, []byte(d.context+" "))
			}},
		{name: "data.get keeps keys apart", on: everything, says: exact,
			run: func(d *shelf) {
				all := [][]byte{[]byte("key"), []byte("Key"), []byte("key "), []byte("key\x00"), []byte("ke"), {}, {0}, []byte(`\x6b6579`), []byte("%")}
				for i, key := range all {
					d.put(entry(key, []byte{byte(i)}))
				}
				for i, key := range all {
					d.holds(key, []byte{byte(i)})
				}
				d.delete([]byte("key"), []byte("%"))
				d.lacks([]byte("key"))
				d.lacks([]byte("%"))
				for i, key := range all[1 : len(all)-1] {
					d.holds(key, []byte{byte(i + 1)})
				}
			}},
		{name: "data.get takes an empty key", on: everything, says: "an empty key is a key like any other",
			run: func(d *shelf) {
				d.lacks(nil)
				d.put(entry(nil, []byte("value")))
				d.holds(nil, []byte("value"))
				d.delete(nil)
				d.lacks(nil)
			}},
		{name: "data.get takes an empty context", on: everything, says: "an empty context is a context like any other",
			run: func(d *shelf) {
				key, none := random(20), d.of("")
				none.put(entry(key, []byte("value")))
				none.holds(key, []byte("value"))
				d.lacks(key)
				none.delete(key)
				none.lacks(key)
			}},
		{name: "data.get takes any text as context", on: everything, says: "a context is any valid UTF-8 without NUL",
			run: func(d *shelf) {
				for _, text := range []string{`'; --"`, `\x41\`, "@context $1", "%_", "\t\n\r", "Übergröße 京都 🧲", "\u007f\u0080\u2028\uffff"} {
					v, key := d.of(d.context+text), random(20)
					v.put(entry(key, []byte(text)))
					v.holds(key, []byte(text))
					v.delete(key)
					v.lacks(key)
				}
			}},
		{name: "data refuses a context that is no text", on: everything, says: "a context that is not valid UTF-8, or has a NUL, is INVALID_ARGUMENT, and no query is sent",
			run: func(d *shelf) {
				// gRPC itself refuses to encode broken UTF-8, with INTERNAL; NUL it lets through.
				for what, text := range map[string]string{"a NUL": d.context + "\x00", "broken UTF-8": d.context + "\xff"} {
					v := d.of(text)
					_, load := d.client().Load(d.ctx, &trackerv1.LoadRequest{Context: text, Key: random(20)})
					_, contains := d.client().Contains(d.ctx, &trackerv1.ContainsRequest{Context: text, Keys: [][]byte{random(20)}})
					_, del := d.client().Delete(d.ctx, &trackerv1.DeleteRequest{Context: text, Key: [][]byte{random(20)}})
					for call, err := range map[string]error{"Put": v.tryPut(entry(random(20), nil)), "Load": load, "Contains": contains, "Delete": del} {
						if what == "broken UTF-8" && status.Code(err) == codes.Internal && fault.ReasonOf(err) == "" {
							continue
						}
						refused(d.t, call+" with "+what, err, codes.InvalidArgument, fault.InvalidArgument)
					}
				}
			}},
		{name: "data.add stores all entries or none", on: keys(dataAdd), says: "Put is all or nothing",
			run: func(d *shelf) {
				// Most indexes refuse a long key that cannot be compressed. Tables that take it have nothing to
				// refuse here.
				all := [][]byte{random(20), append(bytes.Repeat([]byte{0}, 4), random(1<<15)...), random(20), append(bytes.Repeat([]byte{0xff}, 4), random(1<<15)...), {0}, {0xff}}
				var entries []*trackerv1.Entry
				for _, key := range all {
					entries = append(entries, entry(key, []byte("value")))
				}
				err := d.tryPut(entries...)
				if err != nil {
					refused(d.t, "Put of a key that the table refuses", err, codes.FailedPrecondition, fault.Rejected)
				}
				stored := err == nil
				d.contains([]bool{stored, stored, stored, stored, stored, stored}, all...)
			}},
	}
}
