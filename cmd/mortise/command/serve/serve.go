// Package serve is the command that a host starts.
package serve

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
)

const explanation = `This is Mortise, a storage plugin. It is not meant to be started like this: a host, the program
whose data it keeps, starts it by itself and talks to it.

  To use it with a host      tell the host where this program is, and the path of the query file
  To serve any host          mortise serve --config FILE --listen unix:///run/mortise/mortise.sock
  To try a query file        mortise check --config FILE
`

// New makes the command. version is what hosts are told.
func New(version string) *cobra.Command {
	var in command.Input
	var listen mortise.ListenOptions
	var reattach bool
	var schema string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the storage: to the host that starts it, or to any host with --listen",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := serveOptions(cmd.Context(), in, schema, version)
			if err != nil {
				return err
			}
			if listen.Address == "" {
				return servedHost(mortise.Serve(context.Background(), options))
			}
			listen.ServeOptions = options
			listen.Ready = func(address, line string) {
				fmt.Fprintf(os.Stderr, "listening on %s\n", address)
				if reattach {
					fmt.Fprintf(os.Stderr, "go-plugin reattach: %s\n", line)
				}
			}
			return served(mortise.ServeListen(context.Background(), listen))
		},
	}
	in.Flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&schema, "schema", "", "the schema that an embedded server is given, instead of the default one")
	flags.StringVar(&listen.Address, "listen", "", "serve plain gRPC on unix:///path/to/socket or tcp://host:port")
	flags.StringVar(&listen.CertFile, "tls-cert", "", "PEM file with the server's certificate, for mutual TLS")
	flags.StringVar(&listen.KeyFile, "tls-key", "", "PEM file with the certificate's key")
	flags.StringVar(&listen.ClientCAFile, "tls-client-ca", "", "PEM file with the authorities whose clients are let in")
	flags.BoolVar(&listen.Insecure, "insecure", false, "allow TCP without TLS, on a loopback address")
	flags.BoolVar(&reattach, "debug-reattach", false, "print what a go-plugin host needs to attach to this process")
	return cmd
}

func serveOptions(ctx context.Context, in command.Input, schemaFile, version string) (mortise.ServeOptions, error) {
	options := mortise.ServeOptions{ConfigFile: in.Config, Version: version}
	if ctx == nil {
		ctx = context.Background()
	}
	var err error
	if options.Contracts, err = mortise.CompileContract(ctx, in.Folders, in.Contracts...); err != nil {
		return options, command.Failed(err)
	}
	if schemaFile != "" {
		if options.Schema, err = command.ReadSchema(schemaFile); err != nil {
			return options, err
		}
	}
	return options, nil
}

// servedHost makes an exit of the result of Serve, which has logged it.
func servedHost(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mortise.ErrNoHost):
		if os.Getenv(mortise.Handshake.MagicCookieKey) != "" {
			return &command.Exit{Status: command.Usage, Err: err}
		}
		fmt.Fprint(os.Stderr, explanation)
		return &command.Exit{Status: command.Usage}
	}
	return command.Found()
}

func served(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mortise.ErrOptions):
		return &command.Exit{Status: command.Usage}
	}
	return command.Found()
}
