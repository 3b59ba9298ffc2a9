//go:build unix && !aix && !solaris

package embedded

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usualFolders are where packagers put the server's programs; of one pattern the newest version is
// looked at first.
var usualFolders = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // PostgreSQL's own RPM packages
	"/usr/lib/postgresql*/bin",                           // openSUSE
	"/usr/libexec/postgresql*",                           // Alpine
	"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew on ARM
	"/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
	"/opt/local/lib/postgresql*/bin",                     // MacPorts
	"/usr/local/pgsql/bin",                               // built from source
}

// versionTimeout bounds the call of "postgres --version" and "pg_config --bindir".
const versionTimeout = 10 * time.Second

// An installation is a folder with the programs of one PostgreSQL version.
type installation struct {
	dir     string
	version string // as printed: "15.18", "18beta1"
	major   int
}

func (i installation) program(name string) string { return filepath.Join(i.dir, name) }

// FindBinaries returns the folder that holds initdb and postgres and their version, such as
// "15.18". It looks into $MORTISE_PG_BIN and nowhere else if that is set; otherwise into PATH, the
// folder that pg_config names, and the usual folders. The error wraps ErrNotInstalled and says
// what to install.
func FindBinaries() (dir, version string, err error) {
	found, err := findInstallation(0)
	if err != nil {
		return "", "", fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	return found.dir, found.version, nil
}

// findInstallation returns the first usable installation, of major version want unless that is 0.
func findInstallation(want int) (installation, error) {
	folders, where := searchFolders(), "PATH, pg_config --bindir and the usual folders"
	chosen := os.Getenv(BinariesVariable)
	if chosen != "" {
		folders, where = slices.Values([]string{chosen}), "the folder that "+BinariesVariable+" names"
	}
	var passed []string
	for dir := range folders {
		found, err := inspect(dir)
		switch {
		case err != nil && chosen != "":
			return installation{}, fmt.Errorf("%w in the folder that %s names: %w; correct it, or unset it to have the usual folders searched",
				ErrNotInstalled, BinariesVariable, err)
		case err != nil:
			continue
		case found.major >= OldestMajor && (want == 0 || want == found.major):
			return found, nil
		}
		if have := found.version + " in " + found.dir; !slices.Contains(passed, have) {
			passed = append(passed, have)
		}
	}
	return installation{}, notInstalled(want, where, passed)
}

// notInstalled says what was looked for, what was found instead, and how to install it.
func notInstalled(want int, where string, passed []string) error {
	need := fmt.Sprintf("version %d or later", OldestMajor)
	pkg := "postgresql"
	if want != 0 {
		need = fmt.Sprintf("version %d, which made the data folder", want)
		pkg = fmt.Sprintf("postgresql-%d", want)
	}
	have := ""
	if len(passed) > 0 {
		have = "; found only " + strings.Join(passed, ", ")
	}
	how := "run `make postgresql`, or install it with `apt install postgresql`, `dnf install postgresql-server` or `brew install postgresql`"
	if want != 0 {
		how = fmt.Sprintf("install that version (for example `apt install %s`), or move the data to a new folder with pg_upgrade", pkg)
	}
	return fmt.Errorf("%w: need the programs initdb and postgres, %s (looked in %s%s); %s, or set %s to their folder",
		ErrNotInstalled, need, where, have, how, BinariesVariable)
}

// searchFolders yields the folders to look into, best first, each once.
func searchFolders() iter.Seq[string] {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		offer := func(dir string) bool {
			if dir == "" || !filepath.IsAbs(dir) || seen[dir] {
				return true
			}
			seen[dir] = true
			return yield(dir)
		}
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			if !offer(dir) {
				return
			}
		}
		if !offer(configuredFolder()) {
			return
		}
		for _, pattern := range usualFolders {
			for _, dir := range newestFirst(pattern) {
				if !offer(dir) {
					return
				}
			}
		}
	}
}

// configuredFolder asks pg_config, which often is in PATH where the server is not.
func configuredFolder() string {
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

var digits = regexp.MustCompile(`[0-9]+`)

// newestFirst expands the pattern and sorts by the last number in the path: 15 before 9.
func newestFirst(pattern string) []string {
	dirs, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	number := func(dir string) int {
		all := digits.FindAllString(dir, -1)
		if len(all) == 0 {
			return 0
		}
		n, _ := strconv.Atoi(all[len(all)-1]) // only digits; an absurdly long number counts as 0
		return n
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
	return dirs
}

// inspect reads the version of the programs in dir. Links in dir lead to the folder they point to,
// so that the libraries and files beside the programs are found.
func inspect(dir string) (installation, error) {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return installation{}, err
		}
	}
	if real, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb")); err == nil {
		if _, err := exec.LookPath(filepath.Join(filepath.Dir(real), "postgres")); err == nil {
			dir = filepath.Dir(real)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	defer cancel()
	program := filepath.Join(dir, "postgres")
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return installation{}, fmt.Errorf("%s --version: %w", program, err)
	}
	version, major, err := parseVersion(string(out))
	if err != nil {
		return installation{}, fmt.Errorf("%s --version: %w", program, err)
	}
	return installation{dir: dir, version: version, major: major}, nil
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (([0-9]+)[0-9.]*(?:(?:devel|alpha|beta|rc)[0-9]*)?)`)

// parseVersion reads a line like "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
func parseVersion(line string) (version string, major int, err error) {
	m := versionLine.FindStringSubmatch(line)
	if m == nil {
		return "", 0, fmt.Errorf("no version in %q", strings.TrimSpace(line))
	}
	major, err = strconv.Atoi(m[2])
	return m[1], major, err
}
