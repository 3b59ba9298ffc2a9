package document

import (
	"errors"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/mortise-storage/mortise/storage/problem"
)

// parseYAML parses the one document of a file. The node is nil if there are problems.
func parseYAML(s *source) (*yaml.Node, problem.List) {
	decoder := yaml.NewDecoder(strings.NewReader(s.text))
	document, err := decode(decoder)
	switch {
	case errors.Is(err, io.EOF), err == nil && isNothing(document):
		return nil, problem.List{{Severity: problem.Error, Rule: "empty-file",
			Position: problem.Position{File: s.file}, Message: "the file holds only comments"}}
	case err != nil:
		return nil, problem.List{syntaxProblem(s, err)}
	}
	// A second document would be ignored silently, whatever it holds, so even a broken one counts.
	if second, err := decode(decoder); !errors.Is(err, io.EOF) {
		at := problem.Position{File: s.file}
		if err == nil {
			at = s.position(s.offset(second.Line, second.Column))
		}
		return nil, problem.List{{Severity: problem.Error, Rule: "several-documents", Position: at,
			Message: "a second YAML document starts here", Fix: "remove the line with --- and join what belongs together"}}
	}
	return document.Content[0], nil
}

// decode reads the next document. The parser is known to panic where its bookkeeping of comments
// fails; to the operator that is a file that cannot be read, not a crash.
func decode(decoder *yaml.Decoder) (node *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: the parser failed")
		}
	}()
	node = new(yaml.Node)
	err = decoder.Decode(node)
	return node, err
}

func isNothing(document *yaml.Node) bool {
	return len(document.Content) == 0 || document.Content[0].Tag == "!!null"
}

// explanation says in an operator's words what one of the parser's messages means.
type explanation struct {
	// scanner tells that the parser's line is the one to look at. In its other messages it is the
	// line where the enclosing group starts.
	scanner      bool
	message, fix string
}

const quoteFix = `put the value in quotes, or write it below the key with "key: |"`

var explanations = map[string]explanation{
	"mapping values are not allowed in this context": {true,
		`there is a ": " where no key can be, inside a value or on a line that is indented too deep`,
		"repair the indentation, or " + quoteFix},
	"found character that cannot start any token": {true,
		"an unquoted value cannot start with this character", quoteFix},
	"could not find expected ':'": {true,
		"this line is neither a key with its value nor a part of the text above it",
		`if it belongs to a text, write that text with "key: |"; an unquoted text ends at " #"`},
	"found unexpected end of stream":          {true, "a quote that is opened here is never closed", "close it, or " + quoteFix},
	"found unexpected document indicator":     {true, "a quote that is opened here is not closed before a line with --- or ...", "close it"},
	"found unknown escape character":          {true, "there is an unknown escape in this text in double quotes", `double each \, or use single quotes`},
	"did not find expected hexdecimal number": {true, "there is an incomplete escape in this text in double quotes", `double each \, or use single quotes`},
	"found invalid Unicode character escape code": {true,
		"there is an escape for no character in this text in double quotes", `double each \, or use single quotes`},
	"block sequence entries are not allowed in this context": {true,
		`a list item ("- ") cannot stand here`, "start it on a line of its own, or " + quoteFix},
	"did not find expected alphabetic or numeric character": {true,
		"an unquoted value that starts with * or & is taken for an alias or anchor", quoteFix},
	"did not find expected whitespace or line break": {true,
		"an unquoted value that starts with ! or % is taken for a tag or directive", quoteFix},
	"did not find expected comment or line break": {true,
		"there is text on the line of a | or >", "start the text on the next line, indented"},
	"found an indentation indicator equal to 0": {true, "the indentation after | or > cannot be 0", "leave the number out"},
	"did not find expected key": {false,
		"this line does not fit the group of keys that it is indented for",
		`give all keys of a group the same indentation, and close every quote; an unquoted text ends at " #"`},
	"did not find expected '-' indicator": {false,
		"this line does not fit the list that it is indented for", "give all items of a list the same indentation"},
	"did not find expected ',' or ']'":   {false, "a list in [ ] is not closed, or lacks a comma", quoteFix},
	"did not find expected ',' or '}'":   {false, "a group in { } is not closed, or lacks a comma", quoteFix},
	"did not find expected node content": {false, "there is no value where one must be", quoteFix},
	"found undefined tag handle":         {false, "a value starts with an unknown tag", quoteFix},
	"did not find expected <document start>": {false,
		"there is text behind the end of the document", "repair the indentation of this line"},
}

var (
	parserLine   = regexp.MustCompile(`^line (\d+): `)
	parserAnchor = regexp.MustCompile(`^unknown anchor '`)
)

// syntaxProblem turns the parser's error into a problem without ever repeating text of the file,
// which may be part of a password.
func syntaxProblem(s *source, err error) problem.Problem {
	p := problem.Problem{Severity: problem.Error, Rule: "yaml-syntax"}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := parserLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // the pattern allows digits only
	}
	reason := parserLine.ReplaceAllString(text, "")
	known, ok := explanations[reason]
	switch {
	case parserAnchor.MatchString(reason):
		known = explanation{false, "there is no anchor (&) of the name that this alias (*) gives", "if the * belongs to a text, put the value in quotes"}
	case !ok:
		known = explanation{false, "this is not valid YAML", "look at the indentation and quotes of this line and the ones above"}
	}
	if !known.scanner {
		line = failingLine(s, text)
	}
	p.Message, p.Fix = known.message, known.fix
	p.Position = problem.Position{File: s.file, Line: min(line, len(s.starts)), Column: guessColumn(s.lineText(line), reason)}
	if tab, column := tabIndentation(s, line, strings.Contains(reason, "a tab character")); tab > 0 {
		p.Rule, p.Message, p.Fix = "yaml-tab", "this line is indented with a tab, which YAML does not allow", "indent with spaces"
		p.Line, p.Column = tab, column
	}
	return p
}

// failingLine finds the first line with which the parser fails as it does on the whole file. Where
// the parser says only where the enclosing group starts, that is the line to repair.
func failingLine(s *source, text string) int {
	return 1 + sort.Search(len(s.starts)-1, func(i int) bool {
		decoder := yaml.NewDecoder(strings.NewReader(s.text[:s.starts[i+1]]))
		_, err := decode(decoder)
		return err != nil && strings.TrimPrefix(err.Error(), "yaml: ") == text
	})
}

// badStart matches what stands before a value's first character if YAML reserves that character.
var badStart = regexp.MustCompile("^([^#]*?(?:[:-][ \t]+|^[ \t]*))[@`%\t]")

// badColon matches up to the second ": " of a line, the one that cannot be a key's.
var badColon = regexp.MustCompile(`^(.*?:[ \t].*?):(?:[ \t]|$)`)

// guessColumn finds the column of the two most frequent mistakes; the parser does not tell it.
func guessColumn(line, reason string) int {
	var pattern *regexp.Regexp
	switch reason {
	case "found character that cannot start any token":
		pattern = badStart
	case "mapping values are not allowed in this context":
		pattern = badColon
	default:
		return 0
	}
	m := pattern.FindStringSubmatch(line)
	if m == nil {
		return 0
	}
	return len([]rune(m[1])) + 1
}

// tabIndentation returns the place of a tab in the indentation of a line, or with further, of the
// first such line from there on.
func tabIndentation(s *source, line int, further bool) (tabLine, column int) {
	for ; line <= len(s.starts); line++ {
		text := s.lineText(line)
		blanks := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if i := strings.IndexByte(blanks, '\t'); i >= 0 && len(blanks) < len(text) {
			return line, i + 1
		}
		if !further {
			break
		}
	}
	return 0, 0
}
