package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/mortise-storage/mortise"
)

// startPlugin starts the plugin as a host does, with the same file and database.
func (e *environment) startPlugin(ctx context.Context) (err error) {
	e.program = e.settings.plugin
	if e.program == "" {
		if e.program, err = buildPlugin(ctx, e.folder); err != nil {
			return err
		}
	}
	e.host, err = mortise.Connect(ctx, mortise.ConnectOptions{Program: e.program, Config: e.settings.config,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	e.ways[wayPlugin] = newAPI(e.host.Conn())
	return nil
}

// buildPlugin builds the program from this checkout, so that no old one is measured.
func buildPlugin(ctx context.Context, folder string) (string, error) {
	program := filepath.Join(folder, "mortise")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/mortise")
	build.Dir = ".."
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the plugin: %w\n%s", err, output)
	}
	return program, nil
}
