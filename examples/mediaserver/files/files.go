// Package files keeps files in a folder of the local disk and names them by identifier: a relative
// path made from a time-ordered UUID, unique for ever, which is what the storage records for each
// file. A file appears under its identifier only when it is complete and on disk, and never changes
// after that.
//
// The package must not know what the files are (pictures, variants), who refers to them, or that
// there is a database: whoever stores a file and then fails to record it removes it again.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"
)

// ErrTooLarge is returned (wrapped) by Put for content beyond its limit.
var ErrTooLarge = errors.New("the file is too large")

// ErrIdentifier is returned (wrapped) for a string that is no identifier of this layout, such as
// a path out of the folder. It is also an fs.ErrNotExist: no such file can exist here.
var ErrIdentifier = fmt.Errorf("not an identifier of this store: %w", fs.ErrNotExist)

const (
	// incoming is the folder of unfinished writes. Its name has more than two characters, so that
	// no identifier can name it.
	incoming = "incoming"
	// leftoverAge is when an unfinished write counts as abandoned: far beyond the longest upload.
	leftoverAge = 24 * time.Hour

	folderMode = 0o750
	fileMode   = 0o640
)

// Store is a folder of files. All its methods may be called at the same time, also by several
// processes on the same folder.
type Store struct {
	// root confines every access to the folder, symbolic links included.
	root *os.Root
}

// Stored describes a file that was put.
type Stored struct {
	// Identifier names the file from now on.
	Identifier string
	// Size in bytes.
	Size   int64
	SHA256 [32]byte
}

// Open opens the store in the folder dir, which is created if it is missing, and removes what was
// left by writes that began more than a day ago and were never finished.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("the folder of the file store cannot be created: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of the file store cannot be opened: %w", err)
	}
	s := &Store{root: root}
	if err := s.prepare(time.Now().Add(-leftoverAge)); err != nil {
		root.Close()
		return nil, fmt.Errorf("the folder of the file store cannot be prepared: %w", err)
	}
	return s, nil
}

// Close gives back the handle on the folder. Files opened before stay readable.
func (s *Store) Close() error { return s.root.Close() }

// prepare creates the folder of unfinished writes and removes those last written before the limit.
func (s *Store) prepare(before time.Time) error {
	if err := s.root.MkdirAll(incoming, folderMode); err != nil {
		return err
	}
	entries, err := fs.ReadDir(s.root.FS(), incoming)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // finished by its writer, or removed by another process, meanwhile
		}
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && info.ModTime().Before(before) {
			if err := ignoreMissing(s.root.Remove(path.Join(incoming, entry.Name()))); err != nil {
				return err
			}
		}
	}
	return nil
}

// Open opens a file for reading. The error is an fs.ErrNotExist if there is none of that
// identifier, or if it is no identifier at all.
func (s *Store) Open(identifier string) (*os.File, error) {
	if !Valid(identifier) {
		return nil, ErrIdentifier
	}
	file, err := s.root.Open(identifier)
	if err != nil {
		return nil, fmt.Errorf("opening a stored file: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrIdentifier
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Remove removes a file; one that is missing is no error, since removals are repeated after
// failures. Open files stay readable until they are closed.
func (s *Store) Remove(identifier string) error {
	if !Valid(identifier) {
		return ErrIdentifier
	}
	if err := ignoreMissing(s.root.Remove(identifier)); err != nil {
		return fmt.Errorf("removing a stored file: %w", err)
	}
	// Folders that became empty go too; the first that is not empty ends it.
	for folder := path.Dir(identifier); folder != "."; folder = path.Dir(folder) {
		if s.root.Remove(folder) != nil {
			break
		}
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
