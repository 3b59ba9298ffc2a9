package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shown are the command lines in the documents: after a prompt, or in code.
var shown = regexp.MustCompile("(?m)(?:^\\$ |`)mortise ([a-z][^`\n]*)")

// Every command line in the documents is one that the program understands.
func TestDocumentedCommandsExist(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	found := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range shown.FindAllStringSubmatch(string(text), -1) {
			found++
			understood(t, filepath.Base(file), match[1])
		}
	}
	if found < 20 {
		t.Errorf("only %d command lines were found", found)
	}
}

func understood(t *testing.T, file, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, "  #")
	words := strings.Fields(strings.NewReplacer("'", "", `"`, "").Replace(line))
	root := newRoot()
	root.InitDefaultCompletionCmd()
	command, rest, err := root.Find(words)
	if err != nil || !command.HasParent() {
		t.Errorf("%s: mortise %s: there is no such command", file, line)
		return
	}
	if err := command.ParseFlags(rest); err != nil {
		// A flag that is only named (`mortise check --config`) lacks its value.
		if !strings.Contains(err.Error(), "needs an argument") {
			t.Errorf("%s: mortise %s: %v", file, line, err)
		}
	}
}
