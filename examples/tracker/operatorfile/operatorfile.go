// Package operatorfile gives an operator's file another place for the data of its embedded
// database, for runs that keep all their state in one folder. It must not know what else is in the
// file.
package operatorfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// DataDir is the folder in a state folder that the embedded database gets.
const DataDir = "postgres"

var (
	ownDataDir = regexp.MustCompile(`(?m)^data_dir[ \t]*:`)
	otherFile  = regexp.MustCompile(`(?m)^[^#\n]*:[ \t]*!file\b`)
)

// In writes the operator's file into a state folder, as mortise.yaml, with data_dir set to a folder
// beside it, and returns the new file's path. A file that has a data_dir of its own is left as it is,
// and its own path returned.
func In(state, file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the operator's file: %w", err)
	}
	if ownDataDir.Match(content) {
		return file, nil
	}
	if otherFile.Match(content) {
		return "", fmt.Errorf("%s takes queries from other files, so it must stay where it is: write data_dir into it instead of giving a state folder", file)
	}
	if state, err = filepath.Abs(state); err != nil {
		return "", err
	}
	if err := os.MkdirAll(state, 0o755); err != nil {
		return "", err
	}
	head := fmt.Sprintf("data_dir: %q # added to a copy of %s\n", filepath.Join(state, DataDir), file)
	path := filepath.Join(state, "mortise.yaml")
	return path, os.WriteFile(path, append([]byte(head), bytes.TrimPrefix(content, []byte("\ufeff"))...), 0o600)
}
