package files

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
)

// Identifiers yields the identifier of every file in the store, oldest first, and at most one
// error, which ends it. Files put or removed meanwhile may or may not be among them. Whatever else
// lies in the folder is passed over.
func (s *Store) Identifiers() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := fs.WalkDir(s.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && name != ".":
				return nil // removed meanwhile
			case err != nil:
				return err
			case entry.IsDir() && name == incoming:
				return fs.SkipDir
			case entry.Type().IsRegular() && Valid(name) && !yield(name, nil):
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield("", fmt.Errorf("listing the file store: %w", err))
		}
	}
}

// Check says whether a file can be written at this moment, by writing, syncing and removing one.
func (s *Store) Check() error {
	file, temporary, err := s.create()
	if err != nil {
		return fmt.Errorf("the file store cannot be written: %w", err)
	}
	_, err = file.WriteString("check\n")
	if err := errors.Join(err, file.Sync(), file.Close(), s.root.Remove(temporary)); err != nil {
		return fmt.Errorf("the file store cannot be written: %w", err)
	}
	return nil
}
