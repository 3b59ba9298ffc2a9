package sqltext

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// corpusCase is one case of testdata/corpus.txt; its head describes the format.
type corpusCase struct {
	name     string
	line     int
	declared []Parameter
	source   string
	text     string
	compiles bool
	args     []string
	facts    []string
	findings []string // "severity rule line:column substring"
}

// readCorpus parses the corpus. A mistake in it fails the test.
func readCorpus(t testing.TB) []corpusCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	var cases []corpusCase
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if name, ok := strings.CutPrefix(line, "== "); ok {
			cases = append(cases, corpusCase{name: name, line: i + 1})
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || len(cases) == 0 {
			t.Fatalf("corpus.txt:%d: neither a field nor a comment", i+1)
		}
		value = strings.TrimPrefix(value, " ")
		var block []string
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|") {
			i++
			block = append(block, strings.TrimPrefix(strings.TrimPrefix(lines[i], "|"), " "))
		}
		if block != nil {
			value = strings.Join(block, "\n")
		}
		if err := cases[len(cases)-1].set(key, value); err != nil {
			t.Fatalf("corpus.txt:%d: %v", i+1, err)
		}
	}
	return cases
}

// set stores one field.
func (c *corpusCase) set(key, value string) error {
	if plain, ok := strings.CutSuffix(key, "-quoted"); ok {
		unquoted, err := strconv.Unquote(value)
		if err != nil {
			return err
		}
		key, value = plain, unquoted
	}
	switch key {
	case "params":
		for _, word := range strings.Fields(value) {
			name, identity := strings.CutSuffix(word, "!")
			c.declared = append(c.declared, Parameter{Name: name, Identity: identity})
		}
	case "sql":
		c.source = value
	case "text":
		c.text, c.compiles = value, true
		if value == "=" {
			c.text = c.source
		}
	case "args":
		c.args = strings.Fields(value)
	case "is":
		c.facts = strings.Fields(value)
	case "error", "warning":
		c.findings = append(c.findings, key+" "+value)
	default:
		return fmt.Errorf("unknown field %q", key)
	}
	return nil
}

func TestCorpus(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range readCorpus(t) {
		if seen[c.name] {
			t.Errorf("corpus.txt:%d: the name %q is there twice", c.line, c.name)
		}
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			compiled, found := Compile(c.source, c.declared)
			c.checkFindings(t, found)
			if !c.compiles {
				if compiled != nil {
					t.Errorf("corpus.txt:%d: compiled to %q, want an error", c.line, compiled.Text)
				}
				return
			}
			if compiled == nil {
				t.Fatalf("corpus.txt:%d: refused: %v", c.line, found)
			}
			c.checkCompiled(t, compiled)
			checkInvariants(t, c.source, c.declared)
		})
	}
	if len(seen) < 120 {
		t.Errorf("the corpus has %d cases only", len(seen))
	}
}

func (c corpusCase) checkCompiled(t *testing.T, compiled *Compiled) {
	t.Helper()
	if compiled.Text != c.text {
		t.Errorf("corpus.txt:%d:\n got %q\nwant %q", c.line, compiled.Text, c.text)
	}
	var args []string
	for _, i := range compiled.Args {
		args = append(args, c.declared[i].Name)
	}
	if !slices.Equal(args, c.args) {
		t.Errorf("corpus.txt:%d: args %v, want %v", c.line, args, c.args)
	}
	facts := map[string]bool{
		"single-row": compiled.SingleRowInsert, "not-single-row": !compiled.SingleRowInsert,
		"returning": compiled.HasReturning, "not-returning": !compiled.HasReturning,
		"no-command": compiled.Command == "", compiled.Command: true, compiled.Style.String(): true,
	}
	for _, fact := range c.facts {
		if !facts[fact] {
			t.Errorf("corpus.txt:%d: is not %q: %+v", c.line, fact, compiled)
		}
	}
}

func (c corpusCase) checkFindings(t *testing.T, found []Finding) {
	t.Helper()
	var got []string
	for i, f := range found {
		line, column := LineColumn(c.source, f.Offset)
		one := fmt.Sprintf("%s %s %d:%d ", f.Severity, f.Rule, line, column)
		text := f.Message + "; " + f.Fix
		if i < len(c.findings) && strings.HasPrefix(c.findings[i], one) && strings.Contains(text, c.findings[i][len(one):]) {
			text = c.findings[i][len(one):]
		}
		got = append(got, one+text)
		if f.Message == "" || f.Fix == "" {
			t.Errorf("corpus.txt:%d: a finding without message or fix: %+v", c.line, f)
		}
	}
	if !slices.Equal(got, c.findings) {
		t.Errorf("corpus.txt:%d: findings\n got %s\nwant %s", c.line, strings.Join(got, "\n     "), strings.Join(c.findings, "\n     "))
	}
}
