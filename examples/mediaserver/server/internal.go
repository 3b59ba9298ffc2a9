package server

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

const (
	defaultPage = 20
	maxJSONBody = 64 << 10
)

func (s *server) purge(w http.ResponseWriter, r *http.Request) error {
	source, err := sourceOf(r)
	if err != nil {
		return err
	}
	aliases, err := s.host.Purge(r.Context(), source)
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, namesBody{"ok", aliases})
	return nil
}

func (s *server) aliases(w http.ResponseWriter, r *http.Request) error {
	source, err := sourceOf(r)
	if err != nil {
		return err
	}
	aliases, err := s.host.Aliases(r.Context(), source)
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, namesBody{"ok", aliases})
	return nil
}

func (s *server) identifier(w http.ResponseWriter, r *http.Request) error {
	source, err := sourceOf(r)
	if err != nil {
		return err
	}
	identifier, err := s.host.Identifier(r.Context(), source)
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, struct {
		Message    string `json:"msg"`
		Identifier string `json:"identifier"`
	}{"ok", identifier})
	return nil
}

func (s *server) removeVariants(w http.ResponseWriter, r *http.Request) error {
	if err := s.host.RemoveVariants(r.Context()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) setNotFound(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Alias string          `json:"alias"`
		Proxy json.RawMessage `json:"proxy"`
	}
	timed, err := s.timed(w, r)
	if err != nil {
		return err
	}
	defer timed.release()
	err = json.NewDecoder(http.MaxBytesReader(w, timed, maxJSONBody)).Decode(&body)
	switch {
	case timed.tooSlow:
		return errSlowBody
	case err != nil:
		return refuse(http.StatusBadRequest, "invalid-body", `the body must be {"alias": "<alias>"}`)
	case body.Proxy != nil:
		return refuse(http.StatusBadRequest, "proxy-not-allowed", "an image that is fetched may go away: upload it, and name its alias")
	}
	if err := s.host.SetNotFound(r.Context(), body.Alias); err != nil {
		return err
	}
	s.send(w, r, http.StatusCreated, ok)
	return nil
}

type hashesBody struct {
	Message string   `json:"msg"`
	Page    pageBody `json:"page"`
}

type pageBody struct {
	Limit   int64      `json:"limit"`
	Current string     `json:"current,omitempty"`
	Prev    string     `json:"prev,omitempty"`
	Next    string     `json:"next,omitempty"`
	Hashes  []hashBody `json:"hashes"`
}

type hashBody struct {
	Hex     string           `json:"hex"`
	Aliases []string         `json:"aliases"`
	Details *picture.Details `json:"details"`
}

func (s *server) hashes(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit := int64(defaultPage)
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.ParseInt(text, 10, 64); err != nil || limit < 1 {
			return refuse(http.StatusBadRequest, invalidQuery, "limit must be a number above 0")
		}
	}
	page, err := s.page(r, limit)
	if err != nil {
		return err
	}
	body := pageBody{Limit: page.Limit, Current: page.Current, Prev: page.Prev, Next: page.Next, Hashes: []hashBody{}}
	for _, d := range page.Hashes {
		body.Hashes = append(body.Hashes, hashBody{hex.EncodeToString(d.Hash), d.Aliases, d.Details})
	}
	s.send(w, r, http.StatusOK, hashesBody{"ok", body})
	return nil
}

// page reads where the page begins: at a slug, or before a time.
func (s *server) page(r *http.Request, limit int64) (host.Page, error) {
	query := r.URL.Query()
	if !query.Has("timestamp") {
		return s.host.HashPage(r.Context(), query.Get("slug"), limit)
	}
	before, err := time.Parse(time.RFC3339Nano, query.Get("timestamp"))
	if err != nil || query.Has("slug") {
		return host.Page{}, refuse(http.StatusBadRequest, invalidQuery, "timestamp must be a time as in RFC 3339, and slug be left out")
	}
	return s.host.HashPageBefore(r.Context(), before, limit)
}

func (s *server) pruneMissing(w http.ResponseWriter, r *http.Request) error {
	force, err := flag(r.URL.Query(), "force")
	if err != nil {
		return err
	}
	state, err := s.host.PruneMissing(r.Context(), force)
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, struct {
		Complete bool  `json:"complete"`
		Progress int64 `json:"progress"`
		Total    int64 `json:"total"`
	}{state.Complete, state.Progress, state.Total})
	return nil
}
