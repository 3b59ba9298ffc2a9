package picture

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Inspect says what a file is, or why it is refused: it checks the header against the limits, then
// decodes the file to its end, so that a damaged one is found. The extension is the file's own
// ("png", "jpg", "gif", "webp": without a dot, JPEG always jpg), whatever name it came with.
//
// The file is read from its beginning, wherever r stands; where r stands afterwards is undefined.
// CreatedAt is the current time. What is wrong with the file comes as an *Error; an error of r
// itself comes as it is.
func Inspect(r io.ReadSeeker, limits Limits) (details Details, extension string, err error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err != nil {
		return Details{}, "", fmt.Errorf("reading a picture: %w", err)
	}
	limit := int64(hardBytes)
	if limits.MaxBytes > 0 {
		limit = min(limit, limits.MaxBytes)
	}
	if size > limit {
		return Details{}, "", tooManyBytes(limit)
	}
	ctx := context.Background()
	data, err := readAll(ctx, r, limit)
	if err != nil {
		return Details{}, "", err
	}
	head, err := readHeader(data, limits)
	if err != nil {
		return Details{}, "", err
	}
	if err := head.decodeAll(ctx, data); err != nil {
		return Details{}, "", err
	}
	return head.details(time.Now()), head.format, nil
}

// readAll reads a file into memory.
func readAll(ctx context.Context, r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(contextReader{ctx, io.LimitReader(r, limit+1)})
	if err != nil {
		return nil, fmt.Errorf("reading a picture: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, tooManyBytes(limit)
	}
	return data, nil
}

func tooManyBytes(limit int64) error {
	return refuse(CodeFileSize, "the file has more than %d bytes", limit)
}

// contextReader fails once its context is done: it is how decoders, which know no context, are
// stopped.
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

// details of a file with this header. Times are kept to the microsecond, which is what storages keep.
func (h *header) details(now time.Time) Details {
	width, height := h.displayed()
	d := Details{
		Width:       width,
		Height:      height,
		ContentType: contentTypes[h.format],
		CreatedAt:   now.UTC().Truncate(time.Microsecond),
		Format:      h.kind(),
	}
	if d.Format == Animation {
		frames := h.frames
		d.Frames = &frames
	}
	return d
}
