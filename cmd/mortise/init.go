package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage"
)

const defaultSchemaName = "the default schema"

func newInit() *cobra.Command {
	var in input
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
				if schema, err = readSchema(file); err != nil {
					return err
				}
				name = file
			}
			if dry {
				fmt.Fprint(cmd.OutOrStdout(), schema)
				return nil
			}
			return withSignals(func(ctx context.Context) error {
				return applySchema(ctx, in, schema, name, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	in.flags(cmd)
	cmd.Flags().StringVar(&file, "schema", "", "the schema's file (default: the one for the default queries)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only print what would be applied")
	return cmd
}

func readSchema(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", misused("schema: %w", err)
	}
	return string(text), nil
}

func applySchema(ctx context.Context, in input, schema, name string, stdout, stderr io.Writer) error {
	l, err := in.load(ctx)
	if err != nil {
		return err
	}
	if l.problems.Err() != nil {
		printProblems(stderr, l.problems)
		return &exit{status: exitProblems}
	}
	logger := mortise.NewLogger(stderr, slog.LevelError)
	s, err := storage.Open(ctx, l.config.Storage, storage.Options{Contract: l.contract, Logger: logger, Quiet: true})
	if err != nil {
		return failed(err)
	}
	defer s.Close()
	if err := s.Apply(ctx, schema); err != nil {
		return failed(schemaError(err, schema, name))
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
