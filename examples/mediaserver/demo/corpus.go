package demo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// An item is a file that a client uploads, and what became of it.
type item struct {
	name string
	data []byte
	sha  [sha256.Size]byte
	// width and height of the picture, as displayed.
	width, height int
	// refused is the code with which it must be refused; empty for a good picture.
	refused string
	// server is the one that it is uploaded to, background whether a worker takes it in.
	server     int
	background bool
	// again says that another item has the same content.
	again bool

	// What the server answered.
	uploaded uploaded
	err      error
	deleted  bool
}

// accepted says whether the item should be there now.
func (i *item) accepted() bool { return i.err == nil && i.refused == "" && !i.deleted }

// everySameth picture is uploaded a second time.
const everySameth = 6

// makeCorpus paints n different pictures in all formats and sizes from small to middling, repeats some,
// and adds files that have to be refused.
func makeCorpus(ctx context.Context, n int) ([]*item, error) {
	painted := make([]*item, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				painted[i], err = paint(i)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []*item
	for i, good := range painted {
		all = append(all, good)
		if i%everySameth == 0 {
			twin := *good
			twin.name, twin.again = "again-"+good.name, true
			all = append(all, &twin)
		}
	}
	bad, err := badItems()
	if err != nil {
		return nil, err
	}
	all = append(all, bad...)
	for i, item := range all {
		item.background, item.server = i%2 == 1, i/2%servers
	}
	return all, nil
}

// paint makes one of the good pictures.
func paint(i int) (*item, error) {
	kinds := sample.Kinds()
	kind := kinds[i%len(kinds)]
	width, height := 120+(i*53)%260, 90+(i*37)%190
	data, err := sample.Sample(kind, uint64(i+1), width, height)
	if err != nil {
		return nil, fmt.Errorf("painting a picture: %w", err)
	}
	good := newItem(fmt.Sprintf("picture-%02d.%s", i+1, kind.Extension()), data)
	good.width, good.height = width, height
	return good, nil
}

// badItems are files that no server should take.
func badItems() ([]*item, error) {
	whole := map[sample.Kind][]byte{}
	for _, kind := range []sample.Kind{sample.PNG, sample.JPEG, sample.AnimatedGIF} {
		data, err := sample.Sample(kind, 1000, 200, 150)
		if err != nil {
			return nil, err
		}
		whole[kind] = data
	}
	wide, err := sample.Sample(sample.PNG, 1001, picture.DefaultLimits().MaxWidth+1, 1)
	if err != nil {
		return nil, err
	}
	half := func(kind sample.Kind) []byte { return whole[kind][:len(whole[kind])/2] }
	var bad []*item
	for _, b := range []struct {
		name    string
		data    []byte
		refused string
	}{
		{"half-a-picture.png", half(sample.PNG), picture.CodeDamaged},
		{"half-a-picture.jpg", half(sample.JPEG), picture.CodeDamaged},
		{"half-an-animation.gif", half(sample.AnimatedGIF), picture.CodeDamaged},
		{"notes.txt", []byte("This is no picture, whatever its sender says.\n"), picture.CodeUnsupported},
		{"too-wide.png", wide, picture.CodeWidth},
	} {
		item := newItem(b.name, b.data)
		item.refused = b.refused
		bad = append(bad, item)
	}
	return bad, nil
}

func newItem(name string, data []byte) *item {
	return &item{name: name, data: data, sha: sha256.Sum256(data)}
}

// describeCorpus counts what is uploaded.
func (d *demo) describeCorpus() string {
	var different, again, bad int
	var size int64
	for _, item := range d.corpus {
		size += int64(len(item.data))
		switch {
		case item.refused != "":
			bad++
		case item.again:
			again++
		default:
			different++
		}
	}
	return fmt.Sprintf("%d different pictures, %d of them twice, and %d files that are none or damaged: %.1f MB",
		different, again, bad, float64(size)/1e6)
}

// kept lists the items that should be there now.
func (d *demo) kept() []*item {
	var kept []*item
	for _, item := range d.corpus {
		if item.accepted() {
			kept = append(kept, item)
		}
	}
	return kept
}
