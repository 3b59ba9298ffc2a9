// Package server puts a tracker together: the sockets, the two protocols, the storage behind them
// and the page of metrics. It is given a connection to the plugin and must not know how the
// plugin was started.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/examples/tracker/announce"
	"github.com/mortise-storage/mortise/examples/tracker/hostmetrics"
	"github.com/mortise-storage/mortise/examples/tracker/httptracker"
	"github.com/mortise-storage/mortise/examples/tracker/udptracker"
)

// Options of a tracker.
type Options struct {
	// HTTP and UDP are the addresses to listen on, host:port each. An empty host is every address of
	// the machine, of both families; port 0 is one that is free.
	HTTP, UDP []string
	// Interval is how often clients are told to announce, MinInterval how often they may; default
	// 30 minutes, and Interval.
	Interval, MinInterval time.Duration
	Announce              announce.Options
	Addresses             httptracker.AddressRules
	Logger                *slog.Logger
}

// drain is how long requests in progress may take to end when the tracker is closed.
const drain = 15 * time.Second

// Server is a running tracker.
type Server struct {
	log       *slog.Logger
	http      *http.Server
	httpAddrs []netip.AddrPort
	udpAddrs  []netip.AddrPort
	stopUDP   context.CancelFunc
	serving   sync.WaitGroup
	failed    chan error
	closing   sync.Once
	closeErr  error
}

// Start opens all sockets and serves them until Close. conn leads to the plugin.
func Start(conn grpc.ClientConnInterface, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Interval <= 0 {
		o.Interval = 30 * time.Minute
	}
	o.Announce.Logger = o.Logger
	tracker := announce.New(announce.Clients{
		Swarms:   trackerv1.NewSwarmsClient(conn),
		Data:     trackerv1.NewDataClient(conn),
		Database: trackerv1.NewDatabaseClient(conn),
	}, o.Announce)
	registry := prometheus.NewRegistry()
	metrics := hostmetrics.NewRequests(registry)
	udp, err := udptracker.New(tracker, udptracker.Options{
		Interval: o.Interval, AddressFromPacket: o.Addresses.FromParameters, Metrics: metrics, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", httptracker.New(tracker, httptracker.Options{
		Interval: o.Interval, MinInterval: o.MinInterval, Addresses: o.Addresses, Metrics: metrics, Logger: o.Logger,
	}))
	mux.Handle("GET /metrics", hostmetrics.Page(registry, pluginv1.NewPluginClient(conn), o.Logger))
	sockets, err := listen(o.HTTP, o.UDP)
	if err != nil {
		return nil, err
	}
	return serve(sockets, mux, udp, o.Logger), nil
}

// serve begins to answer on open sockets.
func serve(sockets sockets, handler http.Handler, udp *udptracker.Server, log *slog.Logger) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		log:     log,
		stopUDP: cancel,
		failed:  make(chan error, len(sockets.tcp)+len(sockets.udp)),
		http: &http.Server{
			Handler: handler,
			// Clients announce once and go; slow ones must not hold connections for long.
			ReadHeaderTimeout: 10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       60 * time.Second,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
	for _, listener := range sockets.tcp {
		s.httpAddrs = append(s.httpAddrs, listener.Addr().(*net.TCPAddr).AddrPort())
		s.serving.Go(func() {
			if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				s.failed <- fmt.Errorf("HTTP on %s: %w", listener.Addr(), err)
			}
		})
	}
	for _, socket := range sockets.udp {
		s.udpAddrs = append(s.udpAddrs, socket.LocalAddr().(*net.UDPAddr).AddrPort())
		s.serving.Go(func() {
			if err := udp.Serve(ctx, socket); err != nil {
				s.failed <- fmt.Errorf("UDP on %s: %w", socket.LocalAddr(), err)
			}
		})
	}
	log.Info("tracker is ready", "http", s.httpAddrs, "udp", s.udpAddrs)
	return s
}

// HTTPAddrs returns the addresses that HTTP is served on.
func (s *Server) HTTPAddrs() []netip.AddrPort { return s.httpAddrs }

// UDPAddrs returns the addresses that UDP is served on.
func (s *Server) UDPAddrs() []netip.AddrPort { return s.udpAddrs }

// Failed delivers an error when a socket cannot be served any longer. The others go on.
func (s *Server) Failed() <-chan error { return s.failed }

// Close takes no new requests, waits for those in progress and closes the sockets.
func (s *Server) Close() error {
	s.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		s.stopUDP()
		if err := s.http.Shutdown(ctx); err != nil {
			s.closeErr = errors.Join(fmt.Errorf("requests were cut off: %w", err), s.http.Close())
		}
		s.serving.Wait()
	})
	return s.closeErr
}
