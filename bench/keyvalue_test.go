package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
)

// BenchmarkDataPut replaces a value of 32 bytes under a key of 20.
func BenchmarkDataPut(b *testing.B) { bench(b, taskNamed("DataPut")) }

// BenchmarkDataLoad reads a value.
func BenchmarkDataLoad(b *testing.B) { bench(b, taskNamed("DataLoad")) }

// BenchmarkDataContains asks for two keys of which one is there: an admission by both hashes of a
// hybrid torrent.
func BenchmarkDataContains(b *testing.B) { bench(b, taskNamed("DataContains")) }

// BenchmarkDataDelete stores a value and deletes it: two calls.
func BenchmarkDataDelete(b *testing.B) { bench(b, taskNamed("DataDelete")) }

const dataContext = "mortise bench"

var dataValue = bytes.Repeat([]byte("value--."), 4)

// dataKey is a key as hosts have it, an info hash. There is one for each client of a way.
func dataKey(way string, client int) []byte {
	return infoHash("data "+way, client)
}

var unknownKey = dataKey("nobody's", 0)

// dataKeys are the keys of all ways; the first half of each way's is stored, the second passes.
func (e *environment) dataKeys() map[string][][]byte {
	all := map[string][][]byte{}
	for _, way := range allWays {
		for k := range 2 * e.settings.clients[staying] {
			all[way] = append(all[way], dataKey(way, k))
		}
	}
	return all
}

// key returns the caller's next key, one that is stored or one that is not.
func (c *caller) key(stored bool) []byte {
	all := c.env.keys[c.way]
	half := len(all) / 2
	own := half / c.of
	c.turn++
	k := c.id*own + c.turn%own
	if !stored {
		k += half
	}
	return all[k]
}

// loadData stores the keys that are read, once.
func (e *environment) loadData(ctx context.Context) (err error) {
	e.dataLoaded.Do(func() {
		for _, way := range allWays {
			for _, key := range e.keys[way][:len(e.keys[way])/2] {
				err = errors.Join(err, e.ways[wayInProcess].dataPut(ctx, key, dataValue))
			}
		}
	})
	return err
}

var dataTasks = []task{
	{name: "DataPut", methods: []string{"Data.Put"}, prepare: loadData, run: func(ctx context.Context, w way, c *caller) error {
		return w.dataPut(ctx, c.key(true), dataValue)
	}},
	{name: "DataLoad", methods: []string{"Data.Load"}, prepare: loadData, run: func(ctx context.Context, w way, c *caller) error {
		value, err := w.dataLoad(ctx, c.key(true))
		if err == nil && !bytes.Equal(value, dataValue) {
			err = fmt.Errorf("a value of %d bytes came back; %d were stored", len(value), len(dataValue))
		}
		return err
	}},
	{name: "DataContains", methods: []string{"Data.Contains"}, prepare: loadData, run: func(ctx context.Context, w way, c *caller) error {
		found, err := w.dataContains(ctx, [][]byte{c.key(true), unknownKey})
		if err == nil && found != 1 {
			err = fmt.Errorf("%d keys were found, not 1", found)
		}
		return err
	}},
	{name: "DataDelete", methods: []string{"Data.Delete"}, run: func(ctx context.Context, w way, c *caller) error {
		key := c.key(false)
		if err := w.dataPut(ctx, key, dataValue); err != nil {
			return err
		}
		n, err := w.dataDelete(ctx, key)
		if err != nil {
			return err
		}
		return n.mustBe(1, "Delete")
	}},
}

func loadData(ctx context.Context, e *environment) error { return e.loadData(ctx) }
