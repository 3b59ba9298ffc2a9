package mortise_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/fault"
)

// tinyQueries answers a mark.
const tinyQueries = `connection_string: "DSN"
tracker:
  data:
    get_query: |
      SELECT 'MARK'::bytea AS value WHERE @context::text <> '' AND @key::bytea IS NOT NULL
    add_query: |
      INSERT INTO tracker_kv (context, name, value) VALUES (@context, @key, @value)
    del_query: |
      DELETE FROM tracker_kv WHERE context = @context AND name = ANY (@key)
`

const getText = "SELECT 'MARK'::bytea AS value WHERE @context::text <> '' AND @key::bytea IS NOT NULL\n"

func tiny(dsn, mark string) string {
	return strings.NewReplacer("DSN", dsn, "MARK", mark).Replace(tinyQueries)
}

// A desk is a served file in a folder.
type desk struct {
	t    *testing.T
	dir  string
	path string
	log  *record
	w    *mortise.Watched
	data trackerv1.DataClient
}

// newDesk serves dir/queries.yaml.
func newDesk(t *testing.T, dir string) *desk {
	t.Helper()
	d := &desk{t: t, dir: dir, path: filepath.Join(dir, "queries.yaml"), log: new(record)}
	var err error
	if d.w, err = mortise.OpenWatched(limited(t), mortise.ServeOptions{ConfigFile: d.path, Logger: d.log.logger()}); err != nil {
		t.Fatalf("%v: %s", err, d.log.text())
	}
	t.Cleanup(d.w.Close)
	d.data = trackerv1.NewDataClient(d.w.Storage().Conn())
	return d
}

// expect checks what is in use, and whether it answers.
func (d *desk) expect(when string, generation int64, mark string) {
	d.t.Helper()
	answer, err := d.data.Load(limited(d.t), &trackerv1.LoadRequest{Context: "c", Key: []byte("k")})
	if err != nil || string(answer.GetValue()) != mark {
		d.t.Errorf("%s the answer is %q, %v; want %q", when, answer.GetValue(), err, mark)
	}
	if got := d.w.Storage().Revision().Generation; got != generation {
		d.t.Errorf("%s generation %d is in use, want %d", when, got, generation)
	}
}

func (d *desk) reload(want storage.Outcome) storage.Attempt {
	d.t.Helper()
	a, err := d.w.Reload(limited(d.t))
	if err != nil || a.Outcome != want {
		d.t.Errorf("the reload ended %v, %v; want %s", a, err, want)
	}
	return a
}

func (d *desk) rollback(want storage.Outcome) {
	d.t.Helper()
	if a, err := d.w.Rollback(limited(d.t)); err != nil || a.Outcome != want {
		d.t.Errorf("the rollback ended %v, %v; want %s", a, err, want)
	}
}

func (d *desk) look() { d.w.Look(limited(d.t)) }

var longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// aged writes a file whose time is that of all others.
func aged(t *testing.T, path, text string) {
	t.Helper()
	writeFile(t, path, text)
	if err := os.Chtimes(path, longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// swapLink exchanges a symbolic link in one step, as Kubernetes does with a volume's ..data.
func swapLink(t *testing.T, link, target string) {
	t.Helper()
	must(t, os.Symlink(target, link+"_tmp"))
	must(t, os.Rename(link+"_tmp", link))
}

// Each way in which files are replaced is seen, with their size and time staying the same.
func TestChangesOfFilesAreSeen(t *testing.T) {
	dsn := newDatabase(t)
	including := strings.Replace(tiny(dsn, ""), "|\n      SELECT ''::bytea AS value WHERE @context::text <> '' AND @key::bytea IS NOT NULL\n", "!file get.sql\n", 1)
	included := func(mark string) string { return strings.Replace(getText, "MARK", mark, 1) }
	for name, c := range map[string]struct {
		begin, change func(t *testing.T, dir string)
	}{
		"renamed over": {
			func(t *testing.T, dir string) { aged(t, dir+"/queries.yaml", tiny(dsn, "old")) },
			func(t *testing.T, dir string) {
				aged(t, dir+"/queries.yaml.new", tiny(dsn, "new"))
				must(t, os.Rename(dir+"/queries.yaml.new", dir+"/queries.yaml"))
			}},
		"written in place": {
			func(t *testing.T, dir string) { aged(t, dir+"/queries.yaml", tiny(dsn, "old")) },
			func(t *testing.T, dir string) { aged(t, dir+"/queries.yaml", tiny(dsn, "new")) }},
		"a link of a mounted volume": {
			func(t *testing.T, dir string) {
				must(t, os.Mkdir(dir+"/..1", 0o755))
				aged(t, dir+"/..1/queries.yaml", tiny(dsn, "old"))
				must(t, os.Symlink("..1", dir+"/..data"))
				must(t, os.Symlink("..data/queries.yaml", dir+"/queries.yaml"))
			},
			func(t *testing.T, dir string) {
				must(t, os.Mkdir(dir+"/..2", 0o755))
				aged(t, dir+"/..2/queries.yaml", tiny(dsn, "new"))
				swapLink(t, dir+"/..data", "..2")
				must(t, os.RemoveAll(dir+"/..1"))
			}},
		"an included file": {
			func(t *testing.T, dir string) {
				aged(t, dir+"/queries.yaml", including)
				aged(t, dir+"/get.sql", included("old"))
			},
			func(t *testing.T, dir string) {
				aged(t, dir+"/get.sql.new", included("new"))
				must(t, os.Rename(dir+"/get.sql.new", dir+"/get.sql"))
			}},
		"an included file that is a link": {
			func(t *testing.T, dir string) {
				aged(t, dir+"/queries.yaml", including)
				aged(t, dir+"/get1.sql", included("old"))
				must(t, os.Symlink("get1.sql", dir+"/get.sql"))
			},
			func(t *testing.T, dir string) {
				aged(t, dir+"/get2.sql", included("new"))
				swapLink(t, dir+"/get.sql", "get2.sql")
			}},
		"a file that is included now": {
			func(t *testing.T, dir string) { aged(t, dir+"/queries.yaml", tiny(dsn, "old")) },
			func(t *testing.T, dir string) {
				aged(t, dir+"/get.sql", included("new"))
				aged(t, dir+"/queries.yaml", including)
			}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.begin(t, dir)
			d := newDesk(t, dir)
			d.look()
			d.expect("before", 1, "old")
			c.change(t, dir)
			d.look()
			d.expect("after the change", 2, "new")
			d.look()
			d.expect("later", 2, "new")
		})
	}
}

// A file that is touched, written again or gone for a while is no reason to reload.
func TestNothingChanged(t *testing.T) {
	dsn := newDatabase(t)
	d := newDesk(t, filepath.Dir(writeConfig(t, tiny(dsn, "old"))))
	for name, do := range map[string]func(){
		"touched":      func() { must(t, os.Chtimes(d.path, time.Now(), longAgo)) },
		"saved again":  func() { writeFile(t, d.path, tiny(dsn, "old")) },
		"renamed over": func() { replaceFile(t, d.path, tiny(dsn, "old")) },
	} {
		do()
		d.look()
		d.expect(name, 1, "old")
	}
	must(t, os.Rename(d.path, d.path+".old"))
	d.look()
	d.expect("while it is gone", 1, "old")
	must(t, os.Rename(d.path+".old", d.path))
	d.look()
	d.expect("when it is back", 1, "old")
	if a := d.w.Storage().LastReload(); a.Outcome != "" {
		t.Errorf("there was a reload: %v", a)
	}
	if a := d.reload(storage.Unchanged); a.InUse.Generation != 1 {
		t.Errorf("asked for, it made %v", a.InUse)
	}
}

// An included file that is missing is told; when it is there again all is well.
func TestIncludedFileIsMissing(t *testing.T) {
	dsn := newDatabase(t)
	path := writeConfig(t, strings.Replace(tiny(dsn, "old"), "|\n      SELECT 'old'", "!file get.sql\n    # SELECT 'old'", 1))
	sql := filepath.Join(filepath.Dir(path), "get.sql")
	writeFile(t, sql, strings.Replace(getText, "MARK", "old", 1))
	d := newDesk(t, filepath.Dir(path))
	must(t, os.Remove(sql))
	d.look()
	d.expect("without the included file", 1, "old")
	expectParts(t, "the note", d.w.Storage().LastReload().Note(), "get.sql does not exist", path+":4:")
	writeFile(t, sql, strings.Replace(getText, "MARK", "new", 1))
	d.look()
	d.expect("with another one", 2, "new")
	if note := d.w.Storage().LastReload().Note(); note != "" {
		t.Errorf("the note is %q", note)
	}
}

// Rollbacks lead back set by set. The file they lead away from is left alone until it changes, or a
// reload is asked for.
func TestRollback(t *testing.T) {
	dsn := newDatabase(t)
	d := newDesk(t, filepath.Dir(writeConfig(t, tiny(dsn, "one"))))
	if _, err := d.w.Rollback(limited(t)); fault.ReasonOf(err) != fault.Precondition {
		t.Errorf("from the first set: %v", err)
	}
	for _, mark := range []string{"two", "three"} {
		replaceFile(t, d.path, tiny(dsn, mark))
		d.look()
	}
	d.expect("before", 3, "three")
	d.rollback(storage.RolledBack)
	d.expect("after a rollback", 4, "two")
	d.look()
	must(t, os.Chtimes(d.path, longAgo, longAgo))
	d.look()
	d.expect("with the file as it was", 4, "two")
	d.rollback(storage.RolledBack)
	d.expect("after a second rollback", 5, "one")
	if _, err := d.w.Rollback(limited(t)); fault.ReasonOf(err) != fault.Precondition {
		t.Errorf("from the first set: %v", err)
	}
	d.reload(storage.Applied)
	d.expect("after a reload", 6, "three")
	d.rollback(storage.RolledBack)
	d.expect("after a rollback", 7, "one")
	replaceFile(t, d.path, tiny(dsn, "four"))
	d.look()
	d.expect("with a new file", 8, "four")

	// A set that does not fit the tables any more does not come back.
	replaceFile(t, d.path, strings.Replace(tiny(dsn, "five"), "AS value", "AS value FROM fleeting", 1))
	mustExec(t, dsn, "CREATE TABLE fleeting (x int); INSERT INTO fleeting VALUES (1)")
	d.look()
	d.expect("with a table of its own", 9, "five")
	replaceFile(t, d.path, tiny(dsn, "six"))
	d.look()
	mustExec(t, dsn, "DROP TABLE fleeting")
	d.rollback(storage.Rejected)
	d.expect("after a rollback that cannot be", 10, "six")
	expectParts(t, "the note", d.w.Storage().LastReload().Note(), `relation "fleeting" does not exist`, "generation 10 stays in use")
}

// What a file says beside its queries follows both ways.
func TestRollbackOfTheLogLevel(t *testing.T) {
	dsn := newDatabase(t)
	path := writeConfig(t, tiny(dsn, "old"))
	var out lockedBuilder
	level := new(slog.LevelVar)
	w, err := mortise.OpenWatchedAt(limited(t), mortise.ServeOptions{ConfigFile: path, Logger: mortise.NewLogger(&out, level)}, level)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	replaceFile(t, path, tiny(dsn, "new")+"log_level: error\n")
	w.Look(limited(t))
	before := out.text()
	if _, err := w.Reload(limited(t)); err != nil || out.text() != before {
		t.Errorf("%v; at the level error it logs %s", err, strings.TrimPrefix(out.text(), before))
	}
	if _, err := w.Rollback(limited(t)); err != nil {
		t.Fatal(err)
	}
	expectParts(t, "the log at the level info again", strings.TrimPrefix(out.text(), before), "the set before is in use again")
}

// A file that changes while the database is away is taken up when it is back.
func TestReloadWhileTheDatabaseIsAway(t *testing.T) {
	server, folder := ownServer(t)
	dsn := server.ConnString()
	d := newDesk(t, filepath.Dir(writeConfig(t, tiny(dsn, "old"))))
	mustStop(t, server)
	replaceFile(t, d.path, tiny(dsn, "new"))
	d.look()
	a := d.w.Storage().LastReload()
	if a.Outcome != storage.Failed || a.InUse.Generation != 1 {
		t.Errorf("without a database: %+v", a)
	}
	expectParts(t, "the note", a.Note(), "the queries cannot be checked")
	if asked := d.reload(storage.Failed); !asked.FailingSince.Equal(a.FailingSince) {
		t.Errorf("failing since %s, want %s", asked.FailingSince, a.FailingSince)
	}
	startServer(t, folder)
	eventually(t, "the file to be taken up", func() bool {
		d.look()
		return d.w.Storage().Revision().Generation == 2
	})
	d.expect("with the database", 2, "new")
	d.look()
	d.expect("later", 2, "new")
	// The server ends before the desk is closed; its connections are gone then.
}

// Requests at the same time do not get into each other's way: the file is taken over once, and everyone
// is told what is in use.
func TestReloadsAtOnce(t *testing.T) {
	dsn := newDatabase(t)
	d := newDesk(t, filepath.Dir(writeConfig(t, tiny(dsn, "old"))))
	replaceFile(t, d.path, tiny(dsn, "new"))
	var all sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[storage.Outcome]int{}
	for range 16 {
		all.Go(func() {
			a, err := d.w.Reload(limited(t))
			mu.Lock()
			defer mu.Unlock()
			outcomes[a.Outcome]++
			if err != nil || a.InUse.Generation != 2 {
				t.Errorf("%v, %v", a, err)
			}
		})
		all.Go(d.look)
	}
	all.Wait()
	d.expect("after them", 2, "new")
	if outcomes[storage.Applied]+outcomes[storage.Unchanged] != 16 || outcomes[storage.Applied] > 1 {
		t.Errorf("outcomes: %v", outcomes)
	}
}
