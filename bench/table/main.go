// Command table makes a readable table of what the benchmarks of package bench print:
//
//	go test -bench . -count 5 ./bench | go run ./bench/table
//
// Several runs, one after the other in the input, count as one with more samples. A row is one method
// with one number of callers; times are medians in microseconds per iteration. With --markdown it is
// a table for a document, with --json everything that was found.
//
// It knows the names that the benchmarks have, and Go's benchmark format; nothing of the API.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

func main() {
	colour := term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
	err := run(os.Args[1:], os.Stdin, os.Stdout, colour)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// run reads benchmarks and prints their table. It fails after printing if the input tells of a failed
// benchmark, so that nobody takes the rest for the whole.
func run(args []string, in io.Reader, out io.Writer, colour bool) error {
	flags := flag.NewFlagSet("table", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print JSON")
	asMarkdown := flags.Bool("markdown", false, "print a Markdown table")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || (*asJSON && *asMarkdown) {
		return errors.New("usage: table [--json | --markdown] <output of go test -bench")
	}
	found, err := parse(in)
	if err != nil {
		return err
	}
	if len(found.results) == 0 {
		return errors.New("there is no benchmark in the input; give it the output of: go test -bench . ./bench")
	}
	s := summarise(found)
	switch {
	case *asJSON:
		err = s.writeJSON(out)
	case *asMarkdown:
		err = s.writeMarkdown(out)
	default:
		err = s.writeText(out, colour)
	}
	if err == nil && len(found.failed) > 0 {
		err = fmt.Errorf("these benchmarks failed, and are missing above or incomplete: %v", found.failed)
	}
	return err
}
