package files

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Put stores what r yields under a new identifier with the given extension ("png" or ".png";
// empty for none). It returns only when the file is on disk under its final name, and leaves
// nothing behind if it fails.
//
// Content of more than limit bytes fails with ErrTooLarge; 0 or less means no limit. A done ctx
// fails the call at the next read of r: a reader that may block for ever must know ctx itself.
func (s *Store) Put(ctx context.Context, r io.Reader, extension string, limit int64) (Stored, error) {
	extension, err := cleanExtension(extension)
	if err != nil {
		return Stored{}, err
	}
	file, temporary, err := s.create()
	if err != nil {
		return Stored{}, fmt.Errorf("beginning a file in the store: %w", err)
	}
	stored, err := receive(ctx, file, r, limit)
	// The file is closed in any case, and its error counts: some file systems report here that
	// the content could not be written.
	err = errors.Join(err, file.Close())
	if err == nil {
		stored.Identifier, err = newIdentifier(extension)
	}
	if err == nil {
		err = s.publish(temporary, stored.Identifier)
	}
	if err != nil {
		return Stored{}, errors.Join(err, ignoreMissing(s.root.Remove(temporary)))
	}
	return stored, nil
}

// create opens a new file in the folder of unfinished writes.
func (s *Store) create() (*os.File, string, error) {
	temporary := path.Join(incoming, rand.Text())
	file, err := s.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	return file, temporary, err
}

// receive copies the content into the file, hashing on the way, and brings it to disk.
func receive(ctx context.Context, file *os.File, r io.Reader, limit int64) (Stored, error) {
	source := io.Reader(contextReader{ctx, r})
	if limit > 0 {
		source = io.LimitReader(source, limit+1) // one more tells "exactly" from "more"
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, hash), source)
	if err != nil {
		return Stored{}, fmt.Errorf("writing a file to the store: %w", err)
	}
	if limit > 0 && size > limit {
		return Stored{}, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	if err := file.Sync(); err != nil {
		return Stored{}, fmt.Errorf("bringing a file of the store to disk: %w", err)
	}
	stored := Stored{Size: size}
	hash.Sum(stored.SHA256[:0])
	return stored, nil
}

// publish gives a complete file its final name, and brings the name to disk.
func (s *Store) publish(temporary, identifier string) error {
	folder := path.Dir(identifier)
	var err error
	// A removal may take the folder away, empty as it is, between making and using it. That needs
	// the removal of the last file of the same 65 seconds at this very moment, each time anew.
	for range 10 {
		if err = s.root.MkdirAll(folder, folderMode); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			break
		}
		if err = s.root.Rename(temporary, identifier); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("giving a file of the store its name: %w", err)
	}
	if err := s.syncFolders(folder); err != nil {
		return errors.Join(fmt.Errorf("bringing the name of a stored file to disk: %w", err), s.Remove(identifier))
	}
	return nil
}

// syncFolders brings the entries of a folder and of all above it to disk, since any of them may
// be new: a file whose folder is lost in a power failure is lost too.
func (s *Store) syncFolders(folder string) error {
	for {
		if err := s.syncFolder(folder); err != nil {
			return err
		}
		if folder == "." {
			return nil
		}
		folder = path.Dir(folder)
	}
}

func (s *Store) syncFolder(folder string) error {
	handle, err := s.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}

// contextReader fails once its context is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
