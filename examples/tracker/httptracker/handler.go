// Package httptracker speaks the HTTP tracker protocol: announces and scrapes as query strings,
// answers as bencoded dictionaries (BEP 3, 7, 21, 23, 48 and the hash lengths of BEP 52). It must
// not know the storage: it turns requests into those of package announce, and its answers back.
package httptracker

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/anacrolix/torrent/bencode"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
	"github.com/mortise-storage/mortise/examples/tracker/hostmetrics"
)

// Tracker is what the handler needs of announce.Tracker.
type Tracker interface {
	Announce(context.Context, announce.Request) (announce.Reply, error)
	Scrape(context.Context, [][]byte) ([]announce.Swarm, error)
	Ping(context.Context) error
}

// Options of the handler.
type Options struct {
	// Interval is how often clients are told to announce. MinInterval is how often they may;
	// default Interval.
	Interval, MinInterval time.Duration
	Addresses             AddressRules
	Metrics               *hostmetrics.Requests
	Logger                *slog.Logger
}

type handler struct {
	tracker Tracker
	options Options
}

// New returns the handler of /announce, /scrape and /health.
func New(tracker Tracker, o Options) http.Handler {
	if o.MinInterval <= 0 {
		o.MinInterval = o.Interval
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := &handler{tracker: tracker, options: o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /announce", h.measured("announce", h.announce))
	mux.HandleFunc("GET /scrape", h.measured("scrape", h.scrape))
	mux.HandleFunc("GET /health", h.health)
	return mux
}

// measured answers a request with what answer returns, and counts it. A failure is told in the
// dictionary with status 200: clients show the text of a failure reason, and of nothing else.
func (h *handler) measured(kind string, answer func(*http.Request, parameters) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		p, err := parseQuery(r.URL.RawQuery)
		var body []byte
		if err == nil {
			body, err = answer(r, p)
		}
		outcome := hostmetrics.Answered
		if err != nil {
			body, outcome = h.failure(r, kind, err)
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // a client that has gone needs no answer
		h.options.Metrics.Observe("http", kind, outcome, time.Since(begin))
	}
}

func (h *handler) announce(r *http.Request, p parameters) ([]byte, error) {
	request, port, form, err := parseAnnounce(p)
	if err != nil {
		return nil, err
	}
	if request.Addresses, err = h.options.Addresses.addresses(r, p, port); err != nil {
		return nil, err
	}
	request.UserAgent = userAgent(r)
	reply, err := h.tracker.Announce(r.Context(), request)
	if err != nil {
		return nil, err
	}
	return encodeAnnounce(reply, h.options.Interval, h.options.MinInterval, form)
}

func (h *handler) scrape(r *http.Request, p parameters) ([]byte, error) {
	hashes, err := parseScrape(p)
	if err != nil {
		return nil, err
	}
	swarms, err := h.tracker.Scrape(r.Context(), hashes)
	if err != nil {
		return nil, err
	}
	return encodeScrape(hashes, swarms)
}

// health says 200 if the storage answers and 503 if not, for load balancers.
func (h *handler) health(w http.ResponseWriter, r *http.Request) {
	if err := h.tracker.Ping(r.Context()); err != nil {
		h.options.Logger.Warn("health: the storage does not answer", "error", err)
		http.Error(w, "storage unavailable", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte("ok\n"))
}

// failure encodes an error as BEP 3 wants it, and logs what the client is not told.
func (h *handler) failure(r *http.Request, kind string, err error) ([]byte, hostmetrics.Outcome) {
	text, blame := announce.ClientText(err)
	outcome := hostmetrics.Refused
	if !blame {
		outcome = hostmetrics.Failed
		if r.Context().Err() == nil {
			h.options.Logger.Error("an HTTP request failed", "kind", kind, "error", err)
		}
	}
	return bencode.MustMarshal(failureReply{text}), outcome
}

// userAgent returns what the client calls itself, bounded, and only if a database can store it.
func userAgent(r *http.Request) string {
	const longest = 200
	agent := r.UserAgent()
	for i, c := range []byte(agent) {
		if i == longest || c < ' ' || c > '~' {
			return agent[:i]
		}
	}
	return agent
}
