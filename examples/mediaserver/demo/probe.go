package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// probes is how often each kind of request is made to count its round trips.
const probes = 5

// Trips is what one request of a kind costs.
type Trips struct {
	Kind string `json:"kind"`
	// RoundTrips to the database, counted between plugin and database.
	RoundTrips float64 `json:"round_trips"`
	// Operations are the operator's queries that took part, as the plugin's metrics name them, with how
	// often each did.
	Operations map[string]float64 `json:"operations"`
}

// countRoundTrips starts one more server, whose plugin reaches the database through a wire that counts,
// and asks it one thing after the other.
func (d *demo) countRoundTrips(ctx context.Context) (err error) {
	folder, port, err := embeddedSocket(d.dataDir())
	if err != nil {
		return err
	}
	w, err := newWire(folder, port)
	if err != nil {
		return err
	}
	// The plugin goes first: without its database it would complain until it ends.
	defer func() { err = errors.Join(err, w.close()) }()
	c, err := d.start("server 3", dsn(w.folder, port), "unused", "serve", "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer c.end(stopGrace)
	url, err := c.ready(ctx)
	if err != nil {
		return err
	}
	p := &prober{demo: d, wire: w, url: url}
	if err := p.run(ctx); err != nil {
		return err
	}
	d.paper.step(d.begin, "counted round trips at a server of its own, %d requests of each kind", probes)
	return nil
}

// prober makes requests one after the other.
type prober struct {
	*demo
	wire  *wire
	url   string
	files []uploaded
}

func (p *prober) run(ctx context.Context) error {
	known := p.kept()[0].uploaded.File
	var pictures [][]byte
	for i := range 2 * probes {
		data, err := sample.Sample(sample.PNG, uint64(5000+i), 64, 48)
		if err != nil {
			return err
		}
		pictures = append(pictures, data)
	}
	fresh, waiting := pictures[:probes], pictures[probes:]
	var ids []string
	get := func(address string) func(context.Context, int) error {
		return func(ctx context.Context, _ int) error {
			_, err := p.client.get(ctx, "", address)
			return err
		}
	}
	upload := func(ctx context.Context, i int) error {
		file, err := p.client.uploadAs(ctx, "", p.url, "probe.png", fresh[i])
		p.files = append(p.files, file)
		return err
	}
	for _, kind := range []struct {
		name string
		ask  func(context.Context, int) error
	}{
		{"", get(p.url + "/image/blurhash?alias=" + known)}, // computed once
		{kindOriginal, get(originalURL(p.url, known))},
		{kindVariant, get(recipes[0].url(p.url, known))},
		{kindDetails, get(p.url + "/image/details/original?alias=" + known)},
		{kindBlurhash, get(p.url + "/image/blurhash?alias=" + known)},
		{kindUpload, upload},
		{kindAnotherName, upload},
		{kindBackground, func(ctx context.Context, i int) error {
			id, err := p.client.background(ctx, p.url, "probe.png", waiting[i])
			ids = append(ids, id)
			return err
		}},
		{kindClaim, func(ctx context.Context, i int) error {
			file, err := p.client.claim(ctx, p.url, ids[i])
			p.files = append(p.files, file)
			return err
		}},
		{"delete, other aliases left", p.deleteFile},
		{"delete, the last alias", func(ctx context.Context, i int) error { return p.deleteFile(ctx, i+probes) }},
	} {
		if kind.name == kindClaim { // not to count waiting
			if err := p.ingested(ctx); err != nil {
				return err
			}
		}
		if err := p.probe(ctx, kind.name, kind.ask); err != nil {
			return err
		}
	}
	// What is left of the probes goes too, so that the accounts stay simple.
	for i := 2 * probes; i < len(p.files); i++ {
		if err := p.deleteFile(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// ingested waits until every upload in the background has its result.
func (p *prober) ingested(ctx context.Context) error {
	return wait(ctx, "the probes to be taken in", func() (bool, error) {
		open, err := collect[int64](ctx, p.tables, "SELECT count(*) FROM media_uploads WHERE result IS NULL")
		return err == nil && open[0] == 0, err
	})
}

func (p *prober) deleteFile(ctx context.Context, i int) error {
	return p.client.delete(ctx, p.url, p.files[i].DeleteToken, p.files[i].File)
}

// probe makes the requests of a kind and notes what each cost.
func (p *prober) probe(ctx context.Context, kind string, ask func(context.Context, int) error) error {
	if err := p.still(ctx); err != nil {
		return err
	}
	before, err := p.client.operations(ctx, p.url)
	if err != nil {
		return err
	}
	trips := p.wire.trips.Load()
	for i := range probes {
		if err := ask(ctx, i); err != nil {
			return fmt.Errorf("counting round trips of %q: %w", kind, err)
		}
	}
	made := p.wire.trips.Load() - trips
	after, err := p.client.operations(ctx, p.url)
	if err != nil || kind == "" {
		return err
	}
	t := Trips{Kind: kind, RoundTrips: float64(made) / probes, Operations: map[string]float64{}}
	for op, n := range after {
		if n > before[op] {
			t.Operations[op] = float64(n-before[op]) / probes
		}
	}
	p.result.Trips = append(p.result.Trips, t)
	return nil
}

// still waits until the plugin does nothing by itself.
func (p *prober) still(ctx context.Context) error {
	const quiet = 4
	last, looks := int64(-1), 0
	return wait(ctx, "the plugin to be still", func() (bool, error) {
		if now := p.wire.trips.Load(); now != last {
			last, looks = now, 0
		}
		looks++
		return looks > quiet, nil
	})
}

// lines lists the operations, in lines that are not too long for a terminal.
func (t Trips) lines() []string {
	const longest = 64
	lines := []string{""}
	for _, name := range slices.Sorted(maps.Keys(t.Operations)) {
		if n := t.Operations[name]; n != 1 {
			name += fmt.Sprintf(" ×%.3g", n)
		}
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = name
		case len(*last)+len(name) < longest:
			*last += ", " + name
		default:
			*last += ","
			lines = append(lines, name)
		}
	}
	return lines
}
