package demo

import (
	"bytes"
	"crypto/sha256"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// accounts is a demo with one picture, one variant of each recipe, and their files.
func accounts(t *testing.T) (*demo, []original, []storedVariant) {
	t.Helper()
	d := &demo{files: t.TempDir()}
	picture := func(width, height int) []byte {
		var file bytes.Buffer
		if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	put := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(d.files, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	content := picture(300, 200)
	put("original", content)
	one := &item{name: "one", sha: sha256.Sum256(content), width: 300, height: 200, uploaded: uploaded{File: "alias"}}
	d.corpus = []*item{one}
	var variants []storedVariant
	for i, r := range recipes {
		name := "variant" + string(rune('0'+i))
		put(name, picture(r.fits(300, 200)))
		variants = append(variants, storedVariant{Hash: []byte("hash"), Variant: r.stored, Identifier: name})
	}
	return d, []original{{Hash: []byte("hash"), Identifier: "original", Aliases: []string{"alias"}}}, variants
}

// The demo's checks pass what is right, and notice what is not.
func TestChecks(t *testing.T) {
	for name, spoil := range map[string]func(d *demo, o *[]original, v *[]storedVariant){
		"":                        func(*demo, *[]original, *[]storedVariant) {},
		"has the aliases":         func(_ *demo, o *[]original, _ *[]storedVariant) { (*o)[0].Aliases = []string{"alias", "other"} },
		"1 contents are not":      func(_ *demo, o *[]original, _ *[]storedVariant) { *o = nil },
		"no such file":            func(_ *demo, o *[]original, _ *[]storedVariant) { (*o)[0].Identifier = "lost" },
		"was not asked for":       func(_ *demo, _ *[]original, v *[]storedVariant) { (*v)[0].Variant = "other" },
		"or is there twice":       func(_ *demo, _ *[]original, v *[]storedVariant) { *v = append(*v, (*v)[0]) },
		"variants instead of":     func(_ *demo, _ *[]original, v *[]storedVariant) { *v = (*v)[1:] },
		"160×107":                 func(_ *demo, _ *[]original, v *[]storedVariant) { (*v)[0].Identifier = (*v)[1].Identifier },
		"unknown format":          func(d *demo, _ *[]original, v *[]storedVariant) { spoilFile(d, (*v)[0].Identifier) },
		"content of original has": func(d *demo, _ *[]original, _ *[]storedVariant) { spoilFile(d, "original") },
	} {
		t.Run(name, func(t *testing.T) {
			d, originals, variants := accounts(t)
			spoil(d, &originals, &variants)
			d.checkOriginals(originals)
			d.checkVariants(originals, variants)
			var told string
			good := true
			for _, check := range d.result.Checks {
				good = good && check.OK
				told += check.Detail + "\n"
			}
			if good != (name == "") || !strings.Contains(told, name) {
				t.Errorf("good %v: %s", good, told)
			}
		})
	}
}

func spoilFile(d *demo, name string) {
	_ = os.WriteFile(filepath.Join(d.files, name), []byte("spoilt"), 0o600)
}

// A file that nobody refers to is a fault, unless the killed worker can have left it.
func TestOrphans(t *testing.T) {
	for _, tt := range []struct {
		returned, orphans int
		ok                bool
	}{{0, 0, true}, {0, 1, false}, {1, 1, true}, {1, 2, false}} {
		d := &demo{}
		d.result.Killed.Returned = make([]Returned, tt.returned)
		stored := map[string]bool{"known": true}
		for i := range tt.orphans {
			stored[string(rune('a'+i))] = true
		}
		check := d.newCheck("files")
		d.checkOrphans(check, map[string]int{"known": 1}, stored)
		check.passf("fine")
		if check.OK != tt.ok || d.result.Killed.Unrecorded != tt.orphans {
			t.Errorf("%d orphans after %d jobs: %v, %s", tt.orphans, tt.returned, check.OK, check.Detail)
		}
	}
}

// A check is failed as long as it was not passed, tells its first faults, and cannot be passed after one.
func TestCheck(t *testing.T) {
	d := &demo{}
	c := d.newCheck("something")
	if c.OK || len(d.result.Checks) != 1 {
		t.Error("it is good from the beginning")
	}
	for i := range 5 {
		c.failf("fault %d", i)
	}
	c.passf("all is well")
	if want := "fault 0; fault 1; fault 2; and more"; c.OK || c.Detail != want {
		t.Errorf("%v, %q; want %q", c.OK, c.Detail, want)
	}
}

func TestInSquare(t *testing.T) {
	for _, tt := range []struct{ width, height, side, wantWidth, wantHeight int }{
		{300, 200, 160, 160, 107},
		{200, 300, 160, 107, 160},
		{100, 50, 160, 100, 50},
		{160, 160, 160, 160, 160},
		{10_000, 1, 96, 96, 1},
	} {
		if width, height := inSquare(tt.side)(tt.width, tt.height); width != tt.wantWidth || height != tt.wantHeight {
			t.Errorf("%d×%d in %d is %d×%d, want %d×%d", tt.width, tt.height, tt.side, width, height, tt.wantWidth, tt.wantHeight)
		}
	}
}

func TestLatencies(t *testing.T) {
	m := newMeter()
	for i := range 100 {
		m.add("a", time.Duration(100-i)*time.Millisecond)
	}
	m.add("b", time.Second)
	m.add("", time.Hour)
	got := m.latencies()
	want := []Latency{{"a", 100, 50, 99, 100}, {"b", 1, 1000, 1000, 1000}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
}
