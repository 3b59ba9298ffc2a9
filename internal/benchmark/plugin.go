package benchmark

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage/workload"
)

// A Plugin says how the plugin is started.
type Plugin struct {
	// Program is the executable.
	Program string
	// Args are further arguments of `mortise serve`: the contracts beyond the built-in one.
	Args []string
}

// startPlugin starts the plugin as a host does, on a copy of the operator's file that leads to the
// database that is measured, and without the background work, which would come at times that have
// nothing to do with what is measured.
func (s *side) startPlugin(ctx context.Context, logger *slog.Logger) error {
	// The connection string goes by way of the environment, since it may hold a password.
	const variable = "MORTISE_BENCH_CONNECTION"
	edits := edits{connection: "${" + variable + "}", settings: map[string]map[string]string{}}
	for _, section := range s.contract.Sections() {
		edits.sections = append(edits.sections, section.Name)
		if domain, ok := workload.For(section.Name); ok && s.queries.Serves(section.Name) {
			edits.settings[section.Name] = domain.Quiet()
		}
	}
	text, err := edits.apply(s.set.Config.File)
	if err != nil {
		return fmt.Errorf("%s cannot be given to a plugin with another connection_string: %w; measure in-process", s.set.Config.File, err)
	}
	folder, err := os.MkdirTemp("", "mortise-bench-")
	if err != nil {
		return err
	}
	s.close = append(s.close, func() { _ = os.RemoveAll(folder) })
	file := filepath.Join(folder, filepath.Base(s.set.Config.File))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	host, err := mortise.Connect(ctx, mortise.ConnectOptions{Program: s.set.Plugin.Program, Config: file, Args: s.set.Plugin.Args,
		Env: []string{variable + "=" + s.set.ConnString}, Logger: logger})
	if err != nil {
		return err
	}
	s.close = append(s.close, host.Close)
	s.conn = host.Conn()
	info, err := host.Info(ctx)
	if err != nil {
		return err
	}
	if len(info.GetDomains()) == 0 {
		return errors.New("the plugin serves no domain")
	}
	return nil
}
