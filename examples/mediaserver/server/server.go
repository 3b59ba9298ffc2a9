// Package server is the HTTP surface of a media host: every endpoint with its arguments, statuses and
// bodies. It turns requests into calls of package host and answers back, and holds nothing itself.
//
// It must not know the storage plugin, the file store, or how images are processed; nor does it listen:
// it is an http.Handler.
package server

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
)

// Options of the HTTP surface.
type Options struct {
	// APIKey opens /internal/. Empty: nothing opens it.
	APIKey string
	// MaxFiles is how many files one request may upload; 10 if 0. (pict-rs' default is 1, its
	// development configuration says 10, and its example client sends 8.)
	MaxFiles int
	// BodyTimeout is how long a request's body may take; 60 seconds if 0.
	BodyTimeout time.Duration
	// Page answers GET /; nil: there is none.
	Page http.Handler
	// Registerer gets the metrics; nil: there are none.
	Registerer prometheus.Registerer
	// Logger is slog's default if nil. No token, key, alias or URL is ever logged.
	Logger *slog.Logger
}

const (
	defaultMaxFiles    = 10
	defaultBodyTimeout = 60 * time.Second
)

type server struct {
	host        *host.Host
	log         *slog.Logger
	maxFiles    int
	bodyTimeout time.Duration
	// keyed is whether there is a key, key its digest: digests have the same length, so that the time of
	// a comparison tells nothing.
	keyed   bool
	key     [sha256.Size]byte
	metrics *requestMetrics
	mux     *http.ServeMux
}

// New returns the handler of all endpoints.
func New(h *host.Host, o Options) (http.Handler, error) {
	if h == nil {
		return nil, errors.New("the HTTP surface needs a media host")
	}
	s := &server{host: h, log: o.Logger, maxFiles: o.MaxFiles, bodyTimeout: o.BodyTimeout,
		keyed: o.APIKey != "", key: sha256.Sum256([]byte(o.APIKey)), mux: http.NewServeMux()}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.maxFiles <= 0 {
		s.maxFiles = defaultMaxFiles
	}
	if s.bodyTimeout <= 0 {
		s.bodyTimeout = defaultBodyTimeout
	}
	var err error
	if s.metrics, err = newRequestMetrics(o.Registerer); err != nil {
		return nil, err
	}
	s.publicRoutes()
	s.internalRoutes()
	if o.Page != nil {
		s.mux.Handle("GET /{$}", o.Page)
	}
	return s.mux, nil
}

func (s *server) publicRoutes() {
	s.route("/image", methods{http.MethodPost: s.upload})
	s.route("/image/backgrounded", methods{http.MethodPost: s.uploadBackgrounded})
	s.route("/image/backgrounded/claim", methods{http.MethodGet: s.claim})
	s.route("/image/download", methods{http.MethodGet: s.download})
	s.route("/image/original", methods{http.MethodGet: s.original, http.MethodHead: s.headOriginal})
	s.route("/image/original/{alias}", methods{http.MethodGet: s.original, http.MethodHead: s.headOriginal})
	s.route("/image/details/original", methods{http.MethodGet: s.originalDetails})
	s.route("/image/details/original/{alias}", methods{http.MethodGet: s.originalDetails})
	s.route("/image/details/{process}", methods{http.MethodGet: s.processDetails})
	s.route("/image/blurhash", methods{http.MethodGet: s.blurhash})
	s.route("/image/delete/{token}/{alias}", methods{http.MethodDelete: s.remove, http.MethodGet: s.remove})
	s.route("/image/{process}", methods{http.MethodGet: s.process, http.MethodHead: s.headProcess})
	s.route("/healthz", methods{http.MethodGet: s.healthz, http.MethodHead: s.healthz})
	s.route("/", nil)
}

func (s *server) internalRoutes() {
	for path, m := range map[string]methods{
		"/internal/import":        {http.MethodPost: s.importFiles},
		"/internal/delete":        {http.MethodPost: s.internalDelete},
		"/internal/purge":         {http.MethodPost: s.purge},
		"/internal/aliases":       {http.MethodGet: s.aliases},
		"/internal/identifier":    {http.MethodGet: s.identifier},
		"/internal/variants":      {http.MethodDelete: s.removeVariants},
		"/internal/set_not_found": {http.MethodPost: s.setNotFound},
		"/internal/hashes":        {http.MethodGet: s.hashes},
		"/internal/prune_missing": {http.MethodPost: s.pruneMissing},
		// /internal/export is among the rest: it is for repos that live in the host's own files.
		"/internal/": nil,
	} {
		s.route(path, m.guarded(s.authorized))
	}
}
