// Package docs is the command that prints the reference.
package docs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/api"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/reference"
	"github.com/mortise-storage/mortise/storage"
)

// The files of the reference, in the folder that --write and --check name.
const (
	referenceFile = "operations.md"
	schemaFile    = "queries.schema.json"
)

// New makes the command.
func New() *cobra.Command {
	var write, check string
	var schema bool
	cmd := &cobra.Command{
		Use:   "docs",
		Short: "Print the reference of operations, or the JSON Schema of the query file for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := documentation()
			if err != nil {
				return command.Failed(err)
			}
			switch {
			case write != "":
				return writeAll(write, files)
			case check != "":
				return checkAll(check, files)
			}
			name := referenceFile
			if schema {
				name = schemaFile
			}
			_, err = cmd.OutOrStdout().Write(files[name])
			return err
		},
	}
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema instead of the reference")
	cmd.Flags().StringVar(&write, "write", "", "write both files into this folder")
	cmd.Flags().StringVar(&check, "check", "", "fail if the files in this folder are not what would be written")
	cmd.MarkFlagsMutuallyExclusive("schema", "write", "check")
	return cmd
}

// documentation makes both files from the built-in contract.
func documentation() (map[string][]byte, error) {
	contract, err := storage.Contract()
	if err != nil {
		return nil, err
	}
	comments, err := reference.ReadComments(api.Sources)
	if err != nil {
		return nil, err
	}
	schema, err := reference.JSONSchema(contract, comments)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		referenceFile: []byte(reference.Markdown(contract, comments)),
		schemaFile:    append(schema, '\n'),
	}, nil
}

func writeAll(folder string, files map[string][]byte) error {
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return command.Failed(err)
		}
	}
	return nil
}

func checkAll(folder string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(folder, name)
		if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, content) {
			return command.Failed(fmt.Errorf("%s is stale: run make generate", path))
		}
	}
	return nil
}
