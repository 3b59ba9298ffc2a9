package sqltext

import "strings"

// operatorBytes are the characters that PostgreSQL makes operators of.
const operatorBytes = "~!@#^&|`?+-*/%<>="

func isOperatorByte(c byte) bool { return strings.IndexByte(operatorBytes, c) >= 0 }

// operatorRun splits the run of operator characters at the start of s by the rules of PostgreSQL's
// manual, "Operators" in the chapter on lexical structure: the longest run up to a comment is one
// operator, but + and - may end a longer one only if it has a character that standard SQL's operators
// do not have. So the run is an operator of length first, and then only single signs up to length run.
// Both come from one look at the run, because a look for each sign would make long runs quadratic.
func operatorRun(s string) (first, run int) {
	for run < len(s) && isOperatorByte(s[run]) {
		if run > 0 && (strings.HasPrefix(s[run:], "--") || strings.HasPrefix(s[run:], "/*")) {
			break
		}
		run++
	}
	first = run
	if strings.ContainsAny(s[:run], "~!@#^&|`?%") {
		return first, run
	}
	for first > 1 && (s[first-1] == '+' || s[first-1] == '-') {
		first--
	}
	return first, run
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
// that may stand right before a parameter. The signs that operatorRun splits off always may.
func mayTouchParameter(run string) bool {
	first, _ := operatorRun(run)
	return beforeParameter[run[:first]]
}
