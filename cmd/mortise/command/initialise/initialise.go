// Package initialise is the command that applies a schema.
package initialise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage"
)

const defaultSchemaName = "the default schema"

// New makes the command.
func New() *cobra.Command {
	var in command.Input
	var file string
	var dry bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Apply a schema to the database",
		Long: "Apply a schema to the database that the configuration names. It is sent as one script; nothing\n" +
			"of it is applied if a part fails, unless the script itself says otherwise.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, name := mortise.Schema, defaultSchemaName
			if file != "" {
				var err error
				if schema, err = command.ReadSchema(file); err != nil {
					return err
				}
				name = file
			}
			if dry {
				fmt.Fprint(cmd.OutOrStdout(), schema)
				return nil
			}
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error {
				return applySchema(ctx, in, schema, name, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	in.Flags(cmd)
	cmd.Flags().StringVar(&file, "schema", "", "the schema's file (default: the one for the default queries)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only print what would be applied")
	return cmd
}

func applySchema(ctx context.Context, in command.Input, schema, name string, stdout, stderr io.Writer) error {
	l, err := in.Load(ctx)
	if err != nil {
		return err
	}
	if l.Problems.Err() != nil {
		terminal.PrintProblems(stderr, l.Problems)
		return command.Found()
	}
	logger := mortise.NewLogger(stderr, slog.LevelError)
	s, err := storage.Open(ctx, l.Config.Storage, storage.Options{Contract: l.Contract, Logger: logger, Quiet: true})
	if err != nil {
		return command.Failed(err)
	}
	defer s.Close()
	if err := s.Apply(ctx, schema); err != nil {
		return command.Failed(schemaError(err, schema, name))
	}
	_, _, target := s.About()
	fmt.Fprintf(stdout, "applied %s (%s)\n", name, target)
	return nil
}

// schemaError adds the line to what the server says about a script.
func schemaError(err error, schema, name string) error {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return err
	}
	at := name
	if before := []rune(schema); said.Position > 0 && int(said.Position) <= len(before) {
		at = fmt.Sprintf("%s:%d", name, 1+strings.Count(string(before[:said.Position-1]), "\n"))
	}
	return fmt.Errorf("%s: %s (SQLSTATE %s)", at, said.Message, said.Code)
}
