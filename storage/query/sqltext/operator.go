package sqltext

import "strings"

// operatorBytes are the characters that PostgreSQL makes operators of.
const operatorBytes = "~!@#^&|`?+-*/%<>="

func isOperatorByte(c byte) bool { return strings.IndexByte(operatorBytes, c) >= 0 }

// operatorLength returns the length of the operator at the start of s, by the rules of PostgreSQL's
// manual, "Operators" in the chapter on lexical structure: the longest run, up to a comment; + and -
// may end a longer operator only if it has a character that standard SQL's operators do not have.
func operatorLength(s string) int {
	n := 0
	for n < len(s) && isOperatorByte(s[n]) {
		if n > 0 && (strings.HasPrefix(s[n:], "--") || strings.HasPrefix(s[n:], "/*")) {
			break
		}
		n++
	}
	if strings.ContainsAny(s[:n], "~!@#^&|`?%") {
		return n
	}
	for n > 1 && (s[n-1] == '+' || s[n-1] == '-') {
		n--
	}
	return n
}

// endsInAt holds the known operators that end in @: PostgreSQL's own, then those of ltree, PGroonga
// and pgSphere. A name right behind them may be a column.
var endsInAt = wordSet(`
	@ @@ @@@ <@ ^@ @-@ ~@
	?@ ?<@ ^<@ &@ !@ !<@`)

// beforeParameter holds the operators that may touch a parameter on their right. Any operator can
// stand before a parameter with a space between; these are the ones that are in use, so that @ behind
// them is taken as the beginning of a name.
var beforeParameter = wordSet("" +
	// Comparison, arithmetic, bits, concatenation, named arguments.
	"= < > <= >= <> != => + - * / % ^ || & | # ~ << >> // |/ ||/ *= *<> *< *> *<= *>= " +
	// Patterns.
	"~* !~ !~* ~~ ~~* !~~ !~~* ^@ ~<~ ~<=~ ~>~ ~>=~ " +
	// Arrays, ranges, addresses, JSON, text search.
	"@> <@ && <<= >>= -|- &< &> -> ->> #> #>> #- ? ?| ?& @? @@ @@@ <-> " +
	// Geometry and PostGIS.
	"|>> <<| &<| |&> <^ >^ ?# ?- ?-| ?|| ~= ## &&& |=| ~== <#> <<->> <<#>> " +
	// pg_trgm, pgvector, ltree, citext and hstore have their remaining operators here.
	"<% %> <<% %>> <<-> <->> <<<-> <->>> <=> <+> <~> <%> ?@> ?<@ ?~ %% %# === ||| ")

// wordSet returns the set of the words in s, which are separated by white space.
func wordSet(s string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(s) {
		set[word] = true
	}
	return set
}

// mayTouchParameter reports whether run, once the @ behind it is taken away, is one or more operators
// that may stand right before a parameter.
func mayTouchParameter(run string) bool {
	for run != "" {
		n := operatorLength(run)
		if !beforeParameter[run[:n]] {
			return false
		}
		run = run[n:]
	}
	return true
}
