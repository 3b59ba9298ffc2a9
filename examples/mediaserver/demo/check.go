package demo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	_ "image/gif" // to decode variants with
	_ "image/jpeg"
	_ "image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	_ "golang.org/x/image/webp"
)

// A Check is something that must hold in the end.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says how much was looked at, or what is wrong: the first few things.
	Detail string `json:"detail"`

	mu     sync.Mutex
	faults int
}

// newCheck adds a check, which fails until it is passed.
func (d *demo) newCheck(name string) *Check {
	c := &Check{Name: name, Detail: "it was not reached"}
	d.result.Checks = append(d.result.Checks, c)
	return c
}

// shownFaults is how many faults of one check are told.
const shownFaults = 3

// failf notes a fault. It may be called by several goroutines.
func (c *Check) failf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.faults++; {
	case c.faults == 1:
		c.Detail = fmt.Sprintf(format, args...)
	case c.faults <= shownFaults:
		c.Detail += "; " + fmt.Sprintf(format, args...)
	case c.faults == shownFaults+1:
		c.Detail += "; and more"
	}
}

// passf says that everything was looked at, and what that was.
func (c *Check) passf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults == 0 {
		c.OK, c.Detail = true, fmt.Sprintf(format, args...)
	}
}

// checkEverything compares what the clients know with the tables, and the tables with the files.
func (d *demo) checkEverything(ctx context.Context) error {
	originals, err := d.tables.originals(ctx)
	if err != nil {
		return err
	}
	variants, err := d.tables.variants(ctx)
	if err != nil {
		return err
	}
	d.checkOriginals(originals)
	d.checkVariants(originals, variants)
	if err := d.checkFiles(ctx); err != nil {
		return err
	}
	left := d.newCheck("no job, no claim of a variant and no upload is left over")
	for _, table := range []string{"media_jobs", "media_variant_claims", "media_uploads"} {
		if n := d.result.Rows[table]; n != 0 {
			left.failf("%d rows in %s", n, table)
		}
	}
	left.passf("3 tables are empty")
	d.paper.step(d.begin, "compared the tables with what the clients know, and the files with the tables")
	return nil
}

// checkOriginals sees that every content is stored once, under all its aliases and no others, in a file
// that has the SHA-256 of what was sent.
func (d *demo) checkOriginals(originals []original) {
	check := d.newCheck("every content is stored once, with all its aliases and no others, in a file with its SHA-256")
	want := map[[sha256.Size]byte][]string{}
	for _, i := range d.kept() {
		want[i.sha] = append(want[i.sha], i.uploaded.File)
	}
	aliases := 0
	for _, o := range originals {
		sum, err := d.sumOf(o.Identifier)
		if err != nil {
			check.failf("%v", err)
			continue
		}
		expected := slices.Sorted(slices.Values(want[sum]))
		if !slices.Equal(expected, o.Aliases) {
			check.failf("the content of %s has the aliases %q instead of %q", o.Identifier, o.Aliases, expected)
		}
		delete(want, sum)
		aliases += len(o.Aliases)
	}
	if len(want) > 0 {
		check.failf("%d contents are not stored", len(want))
	}
	check.passf("%d contents, %d aliases", len(originals), aliases)
}

func (d *demo) sumOf(identifier string) (sum [sha256.Size]byte, err error) {
	content, err := os.ReadFile(filepath.Join(d.files, filepath.FromSlash(identifier)))
	return sha256.Sum256(content), err
}

// checkVariants sees that every variant of every content is stored once, and that its file is a picture
// with the right dimensions.
func (d *demo) checkVariants(originals []original, variants []storedVariant) {
	check := d.newCheck("every variant is stored once, and its file can be decoded and has the right dimensions")
	contents := map[string]*item{}
	for _, o := range originals {
		sum, err := d.sumOf(o.Identifier)
		if err != nil {
			continue // told by another check
		}
		for _, i := range d.corpus {
			if i.sha == sum {
				contents[string(o.Hash)] = i
			}
		}
	}
	found := map[string]bool{}
	for _, v := range variants {
		item := contents[string(v.Hash)]
		recipe, known := recipeOf(v.Variant)
		if item == nil || !known || found[string(v.Hash)+v.Variant] {
			check.failf("variant %s was not asked for, or is there twice", v.Variant)
			continue
		}
		found[string(v.Hash)+v.Variant] = true
		if err := d.checkDimensions(v.Identifier, item, recipe); err != nil {
			check.failf("%s of %s: %v", v.Variant, item.name, err)
		}
	}
	if want := len(originals) * len(recipes); len(found) != want {
		check.failf("there are %d variants instead of %d", len(found), want)
	}
	check.passf("%d variants", len(found))
}

func (d *demo) checkDimensions(identifier string, i *item, r recipe) error {
	file, err := os.Open(filepath.Join(d.files, filepath.FromSlash(identifier)))
	if err != nil {
		return err
	}
	defer file.Close()
	decoded, _, err := image.Decode(file)
	if err != nil {
		return err
	}
	width, height := r.fits(i.width, i.height)
	got := decoded.Bounds().Size()
	// The shorter side is rounded, which need not be done in the same way.
	if abs(got.X-width) > 1 || abs(got.Y-height) > 1 || max(got.X, got.Y) != max(width, height) {
		return fmt.Errorf("it has %d×%d pixels instead of %d×%d", got.X, got.Y, width, height)
	}
	return nil
}

func abs(n int) int { return max(n, -n) }

// checkFiles sees that every file belongs to a row, every row has its file, and details are known of
// exactly those files.
func (d *demo) checkFiles(ctx context.Context) error {
	check := d.newCheck("every row has its file and its details, and every file and all details have their row")
	referred, described, err := d.tables.identifiers(ctx)
	if err != nil {
		return err
	}
	stored, err := d.storedFiles()
	if err != nil {
		return err
	}
	rows, details := counted(referred), counted(described)
	for _, identifier := range slices.Sorted(maps.Keys(rows)) {
		if rows[identifier] > 1 {
			check.failf("%s is named by %d rows", identifier, rows[identifier])
		}
		if !stored[identifier] {
			check.failf("%s is missing", identifier)
		}
		if details[identifier] == 0 {
			check.failf("%s has no details", identifier)
		}
	}
	for _, identifier := range slices.Sorted(maps.Keys(details)) {
		if rows[identifier] == 0 {
			check.failf("there are details of %s, which no row names", identifier)
		}
	}
	d.checkOrphans(check, rows, stored)
	check.passf("%d files", len(stored))
	return nil
}

// checkOrphans looks for files that no row names. A worker that is killed after it stored a file and
// before it recorded it leaves one behind for each of its loops at most: nobody could know its name. More
// than that is a fault.
func (d *demo) checkOrphans(check *Check, rows map[string]int, stored map[string]bool) {
	var orphans []string
	for _, identifier := range slices.Sorted(maps.Keys(stored)) {
		if rows[identifier] == 0 {
			orphans = append(orphans, identifier)
		}
	}
	d.result.Killed.Unrecorded = len(orphans)
	if len(orphans) > len(d.result.Killed.Returned) {
		check.failf("%d files belong to no row, the first is %s", len(orphans), orphans[0])
	}
}

// storedFiles lists the identifiers of the files that are there.
func (d *demo) storedFiles() (map[string]bool, error) {
	stored := map[string]bool{}
	err := filepath.WalkDir(d.files, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(d.files, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name == incoming:
			return fs.SkipDir
		case entry.Type().IsRegular():
			stored[filepath.ToSlash(name)] = true
		}
		return nil
	})
	return stored, err
}

// incoming is where the file store keeps what is not complete.
const incoming = "incoming"

// counted says how often each text occurs.
func counted(all []string) map[string]int {
	counts := map[string]int{}
	for _, one := range all {
		counts[one]++
	}
	return counts
}
