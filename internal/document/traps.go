package document

import (
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/mortise-storage/mortise/storage/problem"
)

const (
	blockFix   = `write the query below the key with "key: |", or in a file: !file name.sql`
	commentFix = blockFix + `; put the comment on a line of its own above the key`
)

// SQLTraps reports where YAML has, or may have, damaged a query: by taking the rest of a line for
// a comment, or by joining the line of a -- comment with the lines below it. It is meant for keys
// that hold SQL; a text from a file has no traps.
func (n *Node) SQLTraps() problem.List {
	if n == nil || n.Kind != Scalar || n.invalid {
		return nil
	}
	scan := scanSQL(n.place.decoded)
	return append(n.commentTrap(scan), n.joinTrap(scan)...)
}

// cutOperator matches a comment that begins as an operator of PostgreSQL does: those of jsonb
// (#>, #>>, #-), of hstore (#=) and of geometry (##).
var cutOperator = regexp.MustCompile(`^#[>=#-]`)

// commentTrap looks at the comment behind a plain scalar. If the query cannot be complete, or the
// comment is an operator, it is an error. Otherwise it may be a remark that somebody wrote
// there; that is a warning, unless it stands on a line of its own.
func (n *Node) commentTrap(scan sqlScan) problem.List {
	if n.place.hash == 0 {
		return nil
	}
	p := n.Problem(problem.Error, "cut-query", "", commentFix)
	p.Position = n.place.source.position(n.place.hash)
	switch {
	case cutOperator.MatchString(n.Comment):
		p.Message = "YAML takes this # and what follows for a comment, so the operator is cut off the query"
	case scan.unfinished():
		p.Message = "YAML takes this # and what follows for a comment, and the query that is left is not complete"
	case !n.place.ownLine:
		p.Severity = problem.Warning
		p.Message = "YAML takes this # and what follows for a comment; it is not part of the query"
	default:
		return nil
	}
	return problem.List{p}
}

// joinTrap looks for a -- comment in a text whose lines YAML joins. If another line follows, it has
// become part of the comment; if not, the next one that somebody adds will.
func (n *Node) joinTrap(scan sqlScan) problem.List {
	if n.place.decoded == "" || n.place.style&yaml.LiteralStyle != 0 {
		return nil
	}
	var found problem.List
	lines := n.place.line(n.place.length) - n.place.line(0)
	for _, c := range scan.comments {
		p := n.Problem(problem.Error, "joined-comment", "", blockFix)
		p.Position = n.place.position(c.start)
		switch {
		case n.place.line(c.end-1) > p.Line:
			p.Message = "YAML joins these lines, so that this -- makes a comment of the ones that follow it"
		case lines > 0:
			p.Severity = problem.Warning
			p.Message = "YAML joins the lines of this text, so that a line added below this -- would become part of the comment"
		default:
			continue
		}
		found = append(found, p)
	}
	return found
}

// sqlScan is what is to be known of a query here.
type sqlScan struct {
	// comments are the -- comments, from the first dash to the end of the line.
	comments []struct{ start, end int }
	// depth is the number of open parentheses and brackets, open tells of an open literal or /*.
	depth int
	open  bool
	// code is the query with comments and literals left out.
	code string
}

// scanSQL reads a query as PostgreSQL's scanner does (documentation, section 4.1), far enough to
// tell comments from literals.
func scanSQL(text string) sqlScan {
	var s sqlScan
	var code strings.Builder
	for i := 0; i < len(text); {
		rest, end := text[i:], 0
		switch c := text[i]; {
		case strings.HasPrefix(rest, "--"):
			if end = strings.IndexByte(rest, '\n'); end < 0 {
				end = len(rest)
			}
			s.comments = append(s.comments, struct{ start, end int }{i, i + end})
		case strings.HasPrefix(rest, "/*"):
			end = blockCommentEnd(rest)
		case c == '\'' || c == '"':
			end = quotedEnd(rest, c == '\'' && isEscapeString(text, i))
			code.WriteByte('x')
		case c == '$' && (i == 0 || !isWordByte(text[i-1])):
			if tag := dollarTag.FindString(rest); tag != "" {
				if end = strings.Index(rest[len(tag):], tag); end >= 0 {
					end += 2 * len(tag)
				}
				code.WriteByte('x')
			}
		case c == '(' || c == '[':
			s.depth++
		case c == ')' || c == ']':
			s.depth--
		}
		if end < 0 {
			s.open = true
			break
		}
		if end == 0 {
			code.WriteByte(text[i])
			end = 1
		}
		i += end
	}
	s.code = code.String()
	return s
}

// dollarTag matches the beginning of a dollar-quoted literal; $1 is none.
var dollarTag = regexp.MustCompile(`^\$(?:[\pL_][\pL\pN_]*)?\$`)

// blockCommentEnd returns the length of the /* */ comment, which may hold others, or -1.
func blockCommentEnd(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return -1
}

// quotedEnd returns the length of the literal or identifier that text begins with, or -1. A doubled
// quote needs no care: it ends one literal and begins the next.
func quotedEnd(text string, backslashes bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && backslashes:
			i++
		case text[i] == text[0] && backslashes && i+1 < len(text) && text[i+1] == text[0]:
			i++ // but here the next one would be read without its E
		case text[i] == text[0]:
			return i + 1
		}
	}
	return -1
}

func isEscapeString(text string, quote int) bool {
	return quote > 0 && text[quote-1]|0x20 == 'e' && (quote == 1 || !isWordByte(text[quote-2]))
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// dangling matches a query that ends where something must follow. A * is not among the operators:
// it also ends RETURNING *.
var dangling = regexp.MustCompile(`(?i)(?:[-+/<>=~!@%^&|,(.:\[]|\b(?:AND|OR|NOT|WHERE|FROM|SELECT|SET|VALUES|BY|ON|IN|LIKE|ILIKE|` +
	`BETWEEN|IS|AS|JOIN|LIMIT|OFFSET|HAVING|UNION|EXCEPT|INTERSECT|INSERT|INTO|UPDATE|DELETE|USING|WHEN|THEN|ELSE|CASE|` +
	`RETURNING|WITH|DISTINCT|INNER|OUTER|CROSS|LEFT|RIGHT|FULL))\s*$`)

// unfinished tells that the query cannot be complete.
func (s sqlScan) unfinished() bool {
	return s.open || s.depth > 0 || dangling.MatchString(s.code)
}
