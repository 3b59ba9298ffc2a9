// Package reload is the command that has a running server take up its operator's file, or go back to
// the query set before.
package reload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage/fault"
)

// New makes the command.
func New() *cobra.Command {
	var r reloader
	cmd := &cobra.Command{
		Use:   "reload --address ADDRESS",
		Short: "Have a running server take up its query file, or go back to the set before",
		Long: "Ask a server that was started with `mortise serve --listen` to put its query file into effect as it\n" +
			"is now. The file is checked against the database first; one with problems changes nothing. With\n" +
			"--rollback the query set that was in use before comes back.\n\n" +
			"A plugin that a host has started takes up its file by itself when it changes, and on SIGHUP.\n\n" +
			"The exit status is 0 if what was asked for is in use now, 1 if not, 2 for wrong usage.",
		Example: "  mortise reload --address unix:///run/mortise/mortise.sock\n" +
			"  mortise reload --address unix:///run/mortise/mortise.sock --rollback",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error {
				return r.run(ctx, cmd.OutOrStdout())
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.server.Address, "address", "", "where the server listens: unix:///path/to/socket or tcp://host:port")
	flags.StringVar(&r.server.CertFile, "tls-cert", "", "PEM file with this client's certificate, for mutual TLS")
	flags.StringVar(&r.server.KeyFile, "tls-key", "", "PEM file with the certificate's key")
	flags.StringVar(&r.server.CAFile, "tls-ca", "", "PEM file with the authorities that the server's certificate must come from")
	flags.BoolVar(&r.server.Insecure, "insecure", false, "talk to tcp:// without TLS")
	flags.BoolVar(&r.rollback, "rollback", false, "go back to the query set before")
	flags.BoolVar(&r.json, "json", false, "print JSON")
	flags.DurationVar(&r.timeout, "timeout", time.Minute, "how long it may take")
	for _, name := range []string{"tls-cert", "tls-key", "tls-ca"} {
		_ = cmd.MarkFlagFilename(name, "pem", "crt", "key")
	}
	return cmd
}

// A reloader is the command's flags.
type reloader struct {
	server         server
	rollback, json bool
	timeout        time.Duration
}

func (r *reloader) run(ctx context.Context, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	conn, err := r.server.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	response, err := pluginv1.NewPluginClient(conn).Reload(ctx, &pluginv1.ReloadRequest{Rollback: r.rollback})
	if err != nil {
		return r.explain(err)
	}
	if r.json {
		err = printJSON(stdout, response)
	} else {
		err = printReport(stdout, response)
	}
	switch {
	case err != nil:
		return command.Failed(err)
	case !response.GetApplied():
		return command.Found()
	}
	return nil
}

// explain says what an error of the call means here.
func (r *reloader) explain(err error) error {
	text := status.Convert(err).Message()
	switch {
	case fault.ReasonOf(err) != "": // the server's own words
		return command.Failed(errors.New(text))
	case status.Code(err) == codes.Unavailable:
		return command.Failed(fmt.Errorf("no server answers on %s; is `mortise serve --listen %s` running? (%s)", r.server.Address, r.server.Address, text))
	case status.Code(err) == codes.Unimplemented:
		return command.Failed(fmt.Errorf("what listens on %s cannot reload: it is an older release, or no Mortise", r.server.Address))
	case status.Code(err) == codes.DeadlineExceeded:
		return command.Failed(fmt.Errorf("the server did not answer within %s; its log says how the reload ended", r.timeout))
	}
	return command.Failed(errors.New(text))
}
