package sqltext

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/storage/problem"
)

// The rules that findings name.
const (
	RuleInvalidText       = "invalid-text"        // not UTF-8, or U+0000 or U+FFFD in it
	RuleUnterminated      = "unterminated"        // a literal, quoted identifier or comment without end
	RuleUnbalanced        = "unbalanced"          // parentheses or brackets
	RuleEmpty             = "empty-query"         // nothing but spaces, comments, semicolons
	RuleSeveralStatements = "several-statements"  // more than one statement
	RuleTransaction       = "transaction-control" // BEGIN, COMMIT and the like
	RuleUnknownParameter  = "unknown-parameter"   // @name that the operation does not declare
	RuleAmbiguous         = "ambiguous-at"        // @ can be read as operator and as parameter
	RuleTouching          = "parameter-touches"   // a parameter with letters right behind it
	RuleColonParameter    = "colon-parameter"     // :name instead of @name
	RuleStrayDollar       = "stray-dollar"        // $ that is neither $n nor a quote
	RulePosition          = "position-range"      // $n beyond the declared parameters, or $0
	RuleMixed             = "mixed-parameters"    // @name and $n in one query
	RuleUnusedIdentity    = "unused-identity"     // a declared identity parameter is not used
)

// A Finding is something that an operator should know about a query's text.
type Finding struct {
	Severity problem.Severity
	Rule     string // one of the Rule constants
	Offset   int    // byte offset in the source
	Message  string // what is wrong
	Fix      string // what to do
}

// findings collects what is found in one text.
type findings []Finding

func (f *findings) error(rule string, offset int, message, fix string) {
	*f = append(*f, Finding{problem.Error, rule, offset, message, fix})
}

func (f *findings) warning(rule string, offset int, message, fix string) {
	*f = append(*f, Finding{problem.Warning, rule, offset, message, fix})
}

// fatal reports whether one of the findings keeps the text from being used.
func (f findings) fatal() bool {
	for _, one := range f {
		if one.Severity == problem.Error {
			return true
		}
	}
	return false
}

// sorted orders the findings by their place.
func (f findings) sorted() []Finding {
	sort.SliceStable(f, func(i, j int) bool { return f[i].Offset < f[j].Offset })
	return f
}

// checkCharacters finds the first character that must not be in a query. The driver would cut the
// statement off at a byte that is not UTF-8 (a DELETE may lose its WHERE), the server refuses U+0000,
// and U+FFFD stands where some program already lost a character.
func checkCharacters(source string) findings {
	var found findings
	for i := 0; i < len(source); {
		r, width := utf8.DecodeRuneInString(source[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			found.error(RuleInvalidText, i, "the text is not valid UTF-8 here", "save the file as UTF-8")
		case r == utf8.RuneError:
			found.error(RuleInvalidText, i, "there is a replacement character (U+FFFD) here: a program lost what was written",
				"restore the original character and save the file as UTF-8")
		case r == 0:
			found.error(RuleInvalidText, i, "there is a character U+0000 here, which no server takes", "delete it")
		}
		if found != nil {
			return found
		}
		i += width
	}
	return nil
}

// quoteList returns names as a sentence part, each with prefix before it: "@a, @b".
func quoteList(prefix string, declared []Parameter) string {
	names := make([]string, len(declared))
	for i, p := range declared {
		names[i] = prefix + p.Name
	}
	return strings.Join(names, ", ")
}
