package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
	"github.com/mortise-storage/mortise/examples/tracker/server"
)

// serveCommand runs the tracker until it is told to stop.
func serveCommand() *cobra.Command {
	var (
		p        plugin
		o        server.Options
		proxies  []string
		families string
		debug    bool
	)
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the tracker",
		Args:  cobra.NoArgs,
	}
	p.flags(c)
	f := c.Flags()
	f.StringArrayVar(&o.HTTP, "http", []string{"127.0.0.1:6969"}, "`host:port` to serve HTTP on; may be repeated; no host is every address")
	f.StringArrayVar(&o.UDP, "udp", []string{"127.0.0.1:6969"}, "`host:port` to serve UDP on; may be repeated; no host is every address")
	f.DurationVar(&o.Interval, "interval", 30*time.Minute, "how often clients are told to announce; keep it below the storage's peer_lifetime")
	f.DurationVar(&o.MinInterval, "min-interval", 0, "how often clients may announce; 0 is --interval")
	f.StringVar(&families, "families", "mixed", "the peers that HTTP clients get: `mixed`, those of their own address family first, or own")
	f.BoolVar(&o.Announce.ApprovedOnly, "approved-only", false, "track only torrents that were approved (see `tracker approve`)")
	f.StringVar(&o.Announce.ApprovalContext, "approval-context", announce.DefaultApprovalContext, "the `context` of approved info hashes in the key-value data")
	f.BoolVar(&o.Addresses.FromParameters, "trust-client-address", false, "let clients name their own address; anybody can then name anybody")
	f.StringArrayVar(&proxies, "trusted-proxy", nil, "a `network` (CIDR) whose proxies are believed about the client's address; may be repeated")
	f.StringVar(&o.Addresses.ProxyHeader, "proxy-header", "X-Forwarded-For", "the `header` in which trusted proxies tell it")
	f.DurationVar(&o.Announce.Timeout, "timeout", 10*time.Second, "how long one request may take")
	f.BoolVar(&debug, "debug", false, "log more")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch families {
		case "mixed", "own":
			o.Announce.OwnFamilyOnly = families == "own"
		default:
			return fmt.Errorf("--families must be mixed or own")
		}
		for _, text := range proxies {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return fmt.Errorf("--trusted-proxy: %w", err)
			}
			o.Addresses.TrustedProxies = append(o.Addresses.TrustedProxies, prefix.Masked())
		}
		o.Logger = logger(slog.LevelInfo)
		if debug {
			o.Logger = logger(slog.LevelDebug)
		}
		return serve(c.Context(), p, o)
	}
	return c
}

// serve starts the plugin and the tracker, and ends them in reverse order: nobody is answered from
// a storage that has gone.
func serve(ctx context.Context, p plugin, o server.Options) error {
	host, err := p.connect(ctx, o.Logger)
	if err != nil {
		return err
	}
	defer host.Close()
	tracker, err := server.Start(host.Conn(), o)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		o.Logger.Info("stopping")
	case err = <-tracker.Failed():
	}
	return errors.Join(err, tracker.Close())
}
