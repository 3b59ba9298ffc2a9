// Package host is what a media host does with the storage plugin: it ingests uploads, serves originals
// and variants, generates what is missing through the queue, deletes, and cleans up. It brings three
// parts together that do not know each other: the files on disk, the images in them, and the repo
// behind the plugin, which holds everything that is known about the files.
//
// It must not know how it is asked (package server does), how the plugin was started, or who runs its
// jobs: workers call Run.
package host

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"time"

	"google.golang.org/grpc"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/examples/mediaserver/files"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

// Options of a host. The zero value is usable: every default is the one of the contract.
type Options struct {
	// Limits of uploads; picture's defaults if nil. Requests can only tighten them.
	Limits *picture.Limits
	// ReadOnly makes the host call nothing that writes: no touches, no jobs, no recorded details.
	// Requests that need one fail with ReadOnly.
	ReadOnly bool
	// AllowedFetch are the networks that URLs may be fetched from. Nil allows every public address and
	// nothing else: no loopback, private, link-local or otherwise special one.
	AllowedFetch []netip.Prefix
	// FetchTimeout bounds a fetch of a URL, from the connection to the last byte; 30 seconds if 0.
	FetchTimeout time.Duration
	// ClaimWait is how long ClaimUpload waits for an upload; 10 seconds if 0.
	ClaimWait time.Duration
	// VariantWait is how long Variant waits for a generation; 35 seconds if 0.
	VariantWait time.Duration
	// GenerateTimeout bounds one generation; 2 minutes if 0.
	GenerateTimeout time.Duration
	// Retention is how long variants and proxied URLs stay that nobody asks for; 7 days if 0.
	Retention time.Duration
	// ImageWork is how many images are decoded or encoded at a time; the number of processors if 0.
	ImageWork int
	// Clock replaces the system's clock.
	Clock func() time.Time
	// Logger is slog's default if nil.
	Logger *slog.Logger
}

// Host joins a file store and a repo. All its methods may be called from any goroutine, and any
// number of hosts, in any number of processes, may share the store and the repo.
type Host struct {
	options Options
	limits  picture.Limits
	store   *files.Store
	log     *slog.Logger
	fetcher *http.Client
	// imageWork holds a token for each image that is worked on.
	imageWork chan struct{}

	repo     mediav1.RepoClient
	hashes   mediav1.HashesClient
	aliases  mediav1.AliasesClient
	variants mediav1.VariantsClient
	details  mediav1.DetailsClient
	settings mediav1.SettingsClient
	queue    mediav1.QueueClient
	uploads  mediav1.UploadsClient
	proxies  mediav1.ProxiesClient
	access   mediav1.AccessClient
}

// New makes a host. conn leads to the plugin; nothing is called yet.
func New(conn grpc.ClientConnInterface, store *files.Store, options Options) (*Host, error) {
	if conn == nil || store == nil {
		return nil, errors.New("a media host needs a connection to the plugin and a file store")
	}
	options = options.complete()
	h := &Host{
		options: options, limits: *options.Limits, store: store, log: options.Logger,
		imageWork: make(chan struct{}, options.ImageWork),
		repo:      mediav1.NewRepoClient(conn),
		hashes:    mediav1.NewHashesClient(conn),
		aliases:   mediav1.NewAliasesClient(conn),
		variants:  mediav1.NewVariantsClient(conn),
		details:   mediav1.NewDetailsClient(conn),
		settings:  mediav1.NewSettingsClient(conn),
		queue:     mediav1.NewQueueClient(conn),
		uploads:   mediav1.NewUploadsClient(conn),
		proxies:   mediav1.NewProxiesClient(conn),
		access:    mediav1.NewAccessClient(conn),
	}
	h.fetcher = newFetcher(options.AllowedFetch)
	return h, nil
}

// Close gives up idle connections to the servers that were fetched from. The file store and the
// plugin are the caller's to close.
func (h *Host) Close() { h.fetcher.CloseIdleConnections() }

func (o Options) complete() Options {
	if o.Limits == nil {
		limits := picture.DefaultLimits()
		o.Limits = &limits
	}
	defaults := []struct {
		value   *time.Duration
		without time.Duration
	}{
		{&o.FetchTimeout, 30 * time.Second},
		{&o.ClaimWait, 10 * time.Second},
		{&o.VariantWait, 35 * time.Second},
		{&o.GenerateTimeout, 2 * time.Minute},
		{&o.Retention, 7 * 24 * time.Hour},
	}
	for _, d := range defaults {
		if *d.value <= 0 {
			*d.value = d.without
		}
	}
	if o.ImageWork <= 0 {
		o.ImageWork = runtime.GOMAXPROCS(0)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Limits returns the limits of uploads that hold for everybody.
func (h *Host) Limits() picture.Limits { return h.limits }

// Check says whether repo and file store can be used: written to, unless the host is read-only.
func (h *Host) Check(ctx context.Context) error {
	if h.options.ReadOnly {
		_, err := h.setting(ctx, settingHealth)
		return err
	}
	if _, err := h.repo.Check(ctx, &mediav1.CheckRequest{}); err != nil {
		return repoFailure(err)
	}
	if err := h.store.Check(); err != nil {
		return storeFailure(err)
	}
	return nil
}

// writable is asked before anything is written.
func (h *Host) writable() error {
	if h.options.ReadOnly {
		return failure(ReadOnly, "this server is read-only")
	}
	return nil
}

// work runs f when one of the places for image work is free, or fails when ctx ends before.
func (h *Host) work(ctx context.Context, f func() error) error {
	select {
	case h.imageWork <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-h.imageWork }()
	return f()
}

// tidyTimeout bounds what is done behind the back of a request that has failed or gone.
const tidyTimeout = 10 * time.Second

// tidying returns a context for cleaning up, which must not end with the request.
func tidying(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
}
