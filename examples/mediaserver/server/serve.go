package server

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
)

// Files never change under their name: a week, and no questions in between.
const cacheControl = "public, max-age=604800, immutable"

func (s *server) original(w http.ResponseWriter, r *http.Request) error {
	source, err := sourceOf(r)
	if err != nil {
		return err
	}
	file, err := s.host.Find(r.Context(), source)
	if host.CodeOf(err) == host.AliasNotFound {
		return s.notFound(w, r, func(replacement host.File) (host.File, error) { return replacement, nil })
	}
	if err != nil {
		return err
	}
	return s.sendFile(w, r, file)
}

// headOriginal fetches nothing.
func (s *server) headOriginal(w http.ResponseWriter, r *http.Request) error {
	source, err := sourceOf(r)
	if err != nil {
		return err
	}
	file, err := s.host.Known(r.Context(), source, true)
	if host.CodeOf(err) == host.AliasNotFound {
		return errEmpty404
	}
	if err != nil {
		return err
	}
	return s.sendFile(w, r, file)
}

const (
	processPrefix      = "process."
	backgroundedPrefix = "process_backgrounded."
)

// process serves a variant, or has one generated without waiting for it: the names of both are not
// whole parts of a path, so that the router cannot tell them apart.
func (s *server) process(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("process")
	if extension, ok := strings.CutPrefix(name, backgroundedPrefix); ok {
		return s.processBackgrounded(w, r, extension)
	}
	extension, ok := strings.CutPrefix(name, processPrefix)
	if !ok {
		return methods(nil).refuse(w, r)
	}
	source, p, err := processOf(r, extension)
	if err != nil {
		return err
	}
	file, err := s.host.Variant(r.Context(), source, p)
	if host.CodeOf(err) == host.AliasNotFound {
		return s.notFound(w, r, func(replacement host.File) (host.File, error) {
			return s.host.Variant(r.Context(), host.Source{Alias: replacement.Alias}, p)
		})
	}
	if err != nil {
		return err
	}
	return s.sendFile(w, r, file)
}

// headProcess generates nothing.
func (s *server) headProcess(w http.ResponseWriter, r *http.Request) error {
	extension, ok := strings.CutPrefix(r.PathValue("process"), processPrefix)
	if !ok {
		return methods(nil).refuse(w, r)
	}
	source, p, err := processOf(r, extension)
	if err != nil {
		return err
	}
	file, err := s.host.ExistingVariant(r.Context(), source, p, false)
	if code := host.CodeOf(err); code == host.AliasNotFound || code == host.ProxyNotFound {
		return errEmpty404
	}
	if err != nil {
		return err
	}
	return s.sendFile(w, r, file)
}

func (s *server) processBackgrounded(w http.ResponseWriter, r *http.Request, extension string) error {
	source, p, err := processOf(r, extension)
	if err != nil {
		return err
	}
	if err := s.host.VariantBehind(r.Context(), source, p); err != nil {
		return withStatus(err, host.AliasNotFound, http.StatusBadRequest)
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// sendFile sends a file: whole, one range of it, or only that it has not changed.
func (s *server) sendFile(w http.ResponseWriter, r *http.Request, file host.File) error {
	content, err := s.host.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	size, err := content.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if !rangeFits(r, size) {
		w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		return refuse(http.StatusRequestedRangeNotSatisfiable, "range-not-satisfiable", "the file has no such range of bytes")
	}
	header := w.Header()
	header.Set("Content-Type", file.Details.ContentType)
	header.Set("Cache-Control", cacheControl)
	header.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", file.Details.CreatedAt, content)
	return nil
}

// rangeFits says whether the range of bytes that a request asks for, if any, is one range within the
// file. ServeContent answers what is not in plain text, and several ranges in several parts. A range
// under a condition is left to it; one in other units is to be ignored (RFC 9110, 14.2).
func rangeFits(r *http.Request, size int64) bool {
	text, inBytes := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if !inBytes {
		r.Header.Del("Range")
		return true
	}
	if r.Header.Get("If-Range") != "" {
		return true
	}
	first, last, ok := strings.Cut(strings.TrimSpace(text), "-")
	if !ok {
		return false
	}
	if first == "" { // the last bytes
		length, err := strconv.ParseUint(last, 10, 63)
		return err == nil && length > 0 && size > 0
	}
	from, err := strconv.ParseUint(first, 10, 63)
	if err != nil || int64(from) >= size {
		return false
	}
	if last == "" {
		return true
	}
	to, err := strconv.ParseUint(last, 10, 63)
	return err == nil && to >= from
}

// notFound answers a request for a file that does not exist: with the configured image in its place, as
// shown makes it, or with nothing.
func (s *server) notFound(w http.ResponseWriter, r *http.Request, shown func(host.File) (host.File, error)) error {
	file, err := s.host.NotFound(r.Context())
	if err == nil {
		file, err = shown(file)
	}
	if host.CodeOf(err) == host.AliasNotFound {
		return errEmpty404
	}
	if err != nil {
		return err
	}
	content, err := s.host.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", file.Details.ContentType)
	header.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	header.Set("Cache-Control", "no-store") // the name may be taken at any time
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusNotFound)
	if _, err := io.Copy(w, content); err != nil {
		return errors.Join(errBrokeOff, err)
	}
	return nil
}

var errBrokeOff = errors.New("the image in place of a missing one was not sent whole")
