package server

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// filesField is the field of a form that holds files, as often as there are files.
const filesField = "images[]"

// The codes of uploads.
const (
	noFiles     host.Code = "validate-no-files"
	fileCount   host.Code = "validate-file-count"
	invalidForm host.Code = "invalid-form"
	slowBody    host.Code = "stream-too-slow"
)

type uploadedFile struct {
	File        string          `json:"file"`
	DeleteToken string          `json:"delete_token"`
	Details     picture.Details `json:"details"`
}

type uploadedBody struct {
	Message string         `json:"msg"`
	Files   []uploadedFile `json:"files"`
}

type backgroundedFile struct {
	UploadID uuid.UUID `json:"upload_id"`
}

type backgroundedBody struct {
	Message string             `json:"msg"`
	Uploads []backgroundedFile `json:"uploads"`
}

func uploadedAnswer(uploads ...host.Uploaded) uploadedBody {
	body := uploadedBody{Message: "ok"}
	for _, up := range uploads {
		body.Files = append(body.Files, uploadedFile{up.Alias, up.DeleteToken, up.Details})
	}
	return body
}

func (s *server) upload(w http.ResponseWriter, r *http.Request) error {
	return s.ingest(w, r, func(o host.IngestOptions, _ *multipart.Part) (host.IngestOptions, error) { return o, nil })
}

// importFiles gives each file the name that it is sent with.
func (s *server) importFiles(w http.ResponseWriter, r *http.Request) error {
	return s.ingest(w, r, func(o host.IngestOptions, part *multipart.Part) (host.IngestOptions, error) {
		// A client may send a path of its own machine.
		o.Alias = path.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
		if part.FileName() == "" {
			return o, refuse(http.StatusBadRequest, host.InvalidAlias, "an imported file needs a file name")
		}
		return o, nil
	})
}

// ingest takes in every file of a form. If one of them fails none stays: jobs remove what was stored.
func (s *server) ingest(w http.ResponseWriter, r *http.Request, named func(host.IngestOptions, *multipart.Part) (host.IngestOptions, error)) error {
	options, err := uploadOptions(r, s.host.Limits())
	if err != nil {
		return err
	}
	var done []host.Uploaded
	err = s.eachFile(w, r, func(part *multipart.Part) error {
		o, err := named(options, part)
		if err != nil {
			return err
		}
		up, err := s.host.Ingest(r.Context(), part, o)
		if err == nil {
			done = append(done, up)
		}
		return err
	})
	if err != nil {
		for _, up := range done {
			s.discarded(r.Context(), s.host.Discard(r.Context(), up))
		}
		return err
	}
	s.send(w, r, http.StatusCreated, uploadedAnswer(done...))
	return nil
}

func (s *server) uploadBackgrounded(w http.ResponseWriter, r *http.Request) error {
	options, err := uploadOptions(r, s.host.Limits())
	if err != nil {
		return err
	}
	body := backgroundedBody{Message: "ok"}
	err = s.eachFile(w, r, func(part *multipart.Part) error {
		id, err := s.host.Background(r.Context(), part, options)
		if err == nil {
			body.Uploads = append(body.Uploads, backgroundedFile{id})
		}
		return err
	})
	if err != nil {
		for _, upload := range body.Uploads {
			s.discarded(r.Context(), s.host.DiscardUpload(r.Context(), upload.UploadID))
		}
		return err
	}
	s.send(w, r, http.StatusAccepted, body)
	return nil
}

// discarded logs when the files of a failed request could not be given up.
func (s *server) discarded(ctx context.Context, err error) {
	if err != nil {
		s.log.ErrorContext(ctx, "a file of a failed request stays", "error", err)
	}
}

// eachFile hands out the files of a form one after the other, as they come in.
func (s *server) eachFile(w http.ResponseWriter, r *http.Request, take func(*multipart.Part) error) error {
	body, err := s.timed(w, r)
	if err != nil {
		return err
	}
	defer body.release()
	form, err := r.MultipartReader()
	if err != nil {
		return refuse(http.StatusBadRequest, invalidForm, "the body is no multipart form")
	}
	for count := 0; ; count++ {
		part, err := form.NextPart()
		switch {
		// The end of the form is io.EOF itself; a form that breaks off has it wrapped.
		case err == io.EOF && count == 0:
			return refuse(http.StatusBadRequest, noFiles, "the form has no file in %s", filesField)
		case err == io.EOF:
			return nil
		case body.tooSlow:
			return errSlowBody
		case err != nil:
			return refuse(http.StatusBadRequest, invalidForm, "the form cannot be read to its end")
		case part.FormName() != filesField:
			return refuse(http.StatusBadRequest, invalidForm, "the form may have %s and no other field", filesField)
		case count == s.maxFiles:
			return refuse(http.StatusBadRequest, fileCount, "one request may have at most %d files", s.maxFiles)
		}
		if err := take(part); err != nil {
			return err
		}
	}
}

var errSlowBody = &host.Error{Code: slowBody, Message: "the body came too slowly"}

// A timedBody is a request's body that must come within a time.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	tooSlow bool
}

// timed gives the body of a request its time.
func (s *server) timed(w http.ResponseWriter, r *http.Request) (*timedBody, error) {
	body := &timedBody{ReadCloser: r.Body, control: http.NewResponseController(w)}
	if err := body.control.SetReadDeadline(time.Now().Add(s.bodyTimeout)); err != nil {
		return nil, err
	}
	r.Body = body
	return body, nil
}

// Read fails with errSlowBody when the time is over.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.tooSlow = true
		err = errSlowBody
	}
	return n, err
}

// release lets the connection be used for further requests.
func (b *timedBody) release() {
	if !b.tooSlow {
		_ = b.control.SetReadDeadline(time.Time{}) // if it fails the connection is of no more use anyway
	}
}

func (s *server) claim(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(r.URL.Query().Get("upload_id"))
	if err != nil {
		return refuse(http.StatusBadRequest, invalidQuery, "upload_id must be a UUID")
	}
	up, err := s.host.ClaimUpload(r.Context(), id)
	var failed *host.FailedUpload
	switch {
	case host.CodeOf(err) == host.NotReady:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case errors.As(err, &failed):
		return withStatus(err, failed.Failure.Code, http.StatusUnprocessableEntity)
	case err != nil:
		return err
	}
	s.send(w, r, http.StatusOK, uploadedAnswer(up))
	return nil
}

func (s *server) download(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	background, err := flag(query, "backgrounded")
	if err != nil {
		return err
	}
	options, err := uploadOptions(r, s.host.Limits(), "url", "backgrounded")
	if err != nil {
		return err
	}
	if background {
		id, err := s.host.DownloadBackground(r.Context(), query.Get("url"), options)
		if err != nil {
			return withStatus(err, host.TooLarge, http.StatusBadRequest)
		}
		s.send(w, r, http.StatusAccepted, backgroundedBody{"ok", []backgroundedFile{{id}}})
		return nil
	}
	up, err := s.host.Download(r.Context(), query.Get("url"), options)
	if err != nil {
		return withStatus(err, host.TooLarge, http.StatusBadRequest)
	}
	s.send(w, r, http.StatusCreated, uploadedAnswer(up))
	return nil
}
