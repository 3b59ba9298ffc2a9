package bench

import (
	"errors"
	"io"
	"os"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/benchmark"
	"github.com/mortise-storage/mortise/internal/benchmark/page"
)

// outputs are the files of the report, opened before the work, so that a wrong name costs no time.
type outputs struct{ json, html *os.File }

func (b *bench) openOutputs() (*outputs, error) {
	o := &outputs{}
	var err error
	if b.json != "" && b.json != "-" {
		if o.json, err = os.Create(b.json); err != nil {
			return nil, command.Misused("--json: %w", err)
		}
	}
	if b.html != "" {
		if o.html, err = os.Create(b.html); err != nil {
			o.discard()
			return nil, command.Misused("--html: %w", err)
		}
	}
	return o, nil
}

// discard removes files that stay empty.
func (o *outputs) discard() {
	for _, file := range []*os.File{o.json, o.html} {
		if file != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}
}

func (o *outputs) write(b *bench, report *benchmark.Report) error {
	var err error
	if b.json == "-" {
		err = report.JSON(b.stdout)
	} else {
		err = report.Print(b.stdout)
	}
	for _, output := range []struct {
		file  *os.File
		write func(io.Writer) error
	}{{o.json, report.JSON}, {o.html, func(w io.Writer) error { return page.Write(w, report) }}} {
		if output.file != nil {
			err = errors.Join(err, output.write(output.file), output.file.Close())
		}
	}
	return err
}
