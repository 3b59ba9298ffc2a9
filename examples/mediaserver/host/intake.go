package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/mortise-storage/mortise/examples/mediaserver/files"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// An intake is a stored file that was looked at, and is not recorded yet.
type intake struct {
	files.Stored
	details   picture.Details
	extension string
	hash      []byte
}

// IncompleteFile is the code of a file whose source broke off.
const IncompleteFile Code = "incomplete-file"

// sniffLength is how much of a file says what it claims to be.
const sniffLength = 512

// put brings content into the file store. The extension of its identifier is only for those who look
// into the folder: what the file is, Inspect says.
func (h *Host) put(ctx context.Context, r io.Reader, limit int64) (files.Stored, error) {
	source := &watched{r: r}
	buffered := bufio.NewReaderSize(source, 64<<10)
	head, _ := buffered.Peek(sniffLength) // an error comes back at the next read
	stored, err := h.store.Put(ctx, buffered, sniffedExtension(head), limit)
	switch {
	case err == nil:
		return stored, nil
	case CodeOf(source.err) != "":
		return files.Stored{}, source.err
	case source.err != nil && ctx.Err() == nil:
		return files.Stored{}, &Error{Code: IncompleteFile, Message: "the file could not be read to its end", Cause: source.err}
	case errors.Is(err, files.ErrTooLarge):
		return files.Stored{}, &Error{Code: TooLarge, Message: fmt.Sprintf("the file has more than %d bytes", limit), Cause: err}
	}
	return files.Stored{}, storeFailure(err)
}

// watched remembers the error of a source, to tell it from errors of the place that it is copied to.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

func sniffedExtension(head []byte) string {
	switch http.DetectContentType(head) {
	case "image/png":
		return "png"
	case "image/jpeg":
		return "jpg"
	case "image/gif":
		return "gif"
	case "image/webp":
		return "webp"
	}
	return ""
}

// examine finds out what a stored file is, and whether it is within the limits.
func (h *Host) examine(ctx context.Context, stored files.Stored, limits picture.Limits) (intake, error) {
	in := intake{Stored: stored}
	file, err := h.store.Open(stored.Identifier)
	if err != nil {
		return in, storeFailure(err)
	}
	defer file.Close()
	err = h.work(ctx, func() (err error) {
		in.details, in.extension, err = picture.Inspect(file, limits)
		return err
	})
	if err != nil {
		return in, err
	}
	in.details.CreatedAt = h.now()
	in.hash, err = hashOf(stored, in.details)
	return in, err
}

// processed runs a process on a stored file and stores what comes out.
func (h *Host) processed(ctx context.Context, identifier string, p picture.Process) (intake, error) {
	source, err := h.store.Open(identifier)
	if err != nil {
		return intake{}, storeFailure(err)
	}
	defer source.Close()
	reader, writer := io.Pipe()
	var details picture.Details
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		err := h.work(ctx, func() (err error) {
			details, err = p.Run(ctx, source, writer)
			return err
		})
		writer.CloseWithError(err) // nil is the end of the file
	}()
	stored, err := h.store.Put(ctx, reader, p.Extension(), 0)
	reader.CloseWithError(errors.New("the file cannot be stored")) // lets Run go if it still writes
	<-ran
	if err != nil {
		return intake{}, err // that of Run, or that of the store
	}
	details.CreatedAt = h.now()
	in := intake{Stored: stored, details: details, extension: p.Extension()}
	if in.hash, err = hashOf(stored, details); err != nil {
		h.drop(ctx, stored.Identifier)
		return intake{}, err
	}
	return in, nil
}

// prepared examines a stored file and, if there are operations, applies them: then the outcome, in the
// file's own format, is another file, and replaced is true. The file itself stays where it is.
func (h *Host) prepared(ctx context.Context, stored files.Stored, limits picture.Limits, operations []picture.KeyValue) (in intake, replaced bool, err error) {
	in, err = h.examine(ctx, stored, limits)
	if err != nil || len(operations) == 0 {
		return in, false, err
	}
	p, err := picture.ParseProcess(operations, in.extension)
	if err != nil {
		return intake{}, false, err
	}
	in, err = h.processed(ctx, stored.Identifier, p)
	return in, err == nil, err
}

// drop removes a file that nothing refers to. If that fails the file stays, as a leftover.
func (h *Host) drop(ctx context.Context, identifier string) {
	if err := h.store.Remove(identifier); err != nil {
		h.log.WarnContext(ctx, "a file that nothing refers to could not be removed", "identifier", identifier, "error", err)
	}
}

// now is the time in the precision that the repo keeps.
func (h *Host) now() time.Time { return h.options.Clock().UTC().Truncate(time.Microsecond) }

// encodeDetails writes details as they are recorded.
func encodeDetails(d picture.Details) (string, error) {
	text, err := json.Marshal(d)
	return string(text), err
}

// decodeDetails reads recorded details.
func decodeDetails(text string) (picture.Details, error) {
	var d picture.Details
	if err := json.Unmarshal([]byte(text), &d); err != nil || d.ContentType == "" {
		return picture.Details{}, &Error{Code: BadDetails, Message: "the recorded details cannot be read", Cause: err}
	}
	return d, nil
}
