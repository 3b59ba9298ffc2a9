package mortise

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// A reading is what the operator's file and the files that it includes held at one moment.
type reading struct {
	// config is nil if the file cannot be read, or is no YAML.
	config   *Config
	problems problem.List
	// stamps are those of all files that were looked at.
	stamps stamps
	// content stands for what is in the files, and which of them are missing.
	content string
}

// steadyTries is how often files are read again that changed while they were read.
const steadyTries = 5

// readFiles loads the operator's file. If one of the files changes meanwhile it is read again, so that
// a reading is not put together from the old form of one file and the new one of another. further are
// files that are looked at as well, if the file is too broken to tell what it includes.
func readFiles(path string, contract *operation.Contract, further []string) *reading {
	r := &reading{stamps: stampsOf(append([]string{path}, further...))}
	for range steadyTries {
		r.config, r.problems = LoadWith(path, contract)
		files := append([]string{path}, further...)
		if r.config != nil {
			files = r.config.Files
		}
		hash, content := digest(files)
		if r.content = content; r.config != nil {
			r.config.Storage.Hash = hash
		}
		now := stampsOf(files)
		if maps.Equal(now, r.stamps) {
			break
		}
		r.stamps = now
	}
	return r
}

// files are the paths of all files, the operator's own and those that it includes.
func (r *reading) files() []string { return slices.Sorted(maps.Keys(r.stamps)) }

// digest returns the hash of the files' content, one after the other, as `cat ... | sha256sum` would;
// and a text that also tells which file holds what.
func digest(files []string) (hash, content string) {
	all := sha256.New()
	seen := map[string]bool{}
	for _, file := range files {
		if seen[file] {
			continue
		}
		seen[file] = true
		one := sha256.New()
		if err := copyFile(io.MultiWriter(all, one), file); err != nil {
			content += file + " is missing\n"
			continue
		}
		content += fmt.Sprintf("%s %x\n", file, one.Sum(nil))
	}
	return hex.EncodeToString(all.Sum(nil)), content
}

// copyFile reads only plain files: a pipe would block.
func copyFile(w io.Writer, path string) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return os.ErrNotExist
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read, so closing cannot lose anything
	_, err = io.Copy(w, f)
	return err
}

// stamps tell versions of several files apart.
type stamps map[string]fileStamp

func stampsOf(files []string) stamps {
	all := make(stamps, len(files))
	for _, file := range files {
		all[file] = stampOf(file)
	}
	return all
}

// again are the stamps of the same files now.
func (s stamps) again() stamps {
	now := make(stamps, len(s))
	for file := range s {
		now[file] = stampOf(file)
	}
	return now
}
