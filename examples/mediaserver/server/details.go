package server

import (
	"net/http"
	"strings"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
)

func (s *server) originalDetails(w http.ResponseWriter, r *http.Request) error {
	source, err := sourceOf(r)
	if err != nil {
		return err
	}
	file, err := s.host.Known(r.Context(), source, true)
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, file.Details)
	return nil
}

func (s *server) processDetails(w http.ResponseWriter, r *http.Request) error {
	extension, ok := strings.CutPrefix(r.PathValue("process"), processPrefix)
	if !ok {
		return methods(nil).refuse(w, r)
	}
	source, p, err := processOf(r, extension)
	if err != nil {
		return err
	}
	details, err := s.host.VariantDetails(r.Context(), source, p)
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, details)
	return nil
}

func (s *server) blurhash(w http.ResponseWriter, r *http.Request) error {
	source, err := sourceOf(r)
	if err != nil {
		return err
	}
	file, err := s.host.Find(r.Context(), source)
	if err != nil {
		return err
	}
	text, err := s.host.Blurhash(r.Context(), file)
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, struct {
		Message  string `json:"msg"`
		Blurhash string `json:"blurhash"`
	}{"ok", text})
	return nil
}

func (s *server) remove(w http.ResponseWriter, r *http.Request) error {
	if err := s.host.Delete(r.Context(), r.PathValue("alias"), r.PathValue("token")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) healthz(w http.ResponseWriter, r *http.Request) error {
	if err := s.host.Check(r.Context()); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}

// okBody is the answer of what has nothing to tell.
type okBody struct {
	Message string `json:"msg"`
}

var ok = okBody{"ok"}

// namesBody lists aliases.
type namesBody struct {
	Message string   `json:"msg"`
	Aliases []string `json:"aliases"`
}

// internalDelete answers an unknown alias with an empty 404.
func (s *server) internalDelete(w http.ResponseWriter, r *http.Request) error {
	source, err := sourceOf(r)
	if err != nil {
		return err
	}
	err = s.host.DeleteBehind(r.Context(), source)
	if host.CodeOf(err) == host.AliasNotFound {
		return errEmpty404
	}
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, ok)
	return nil
}
