package show

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// printPsql prints each statement as a PREPARE, and an EXECUTE with made-up values below it.
func printPsql(w io.Writer, views []*view) error {
	for i, v := range views {
		if !v.Described {
			continue // its problems say why
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := io.WriteString(w, v.prepare()); err != nil {
			return err
		}
	}
	return nil
}

var notInName = regexp.MustCompile(`[^a-z0-9_]+`)

// prepare writes the statement for a client that speaks SQL only. What the server answers shows that the types
// are those of the plugin.
func (v *view) prepare() string {
	var b strings.Builder
	var types, values []string
	fmt.Fprintf(&b, "-- %s\n", v.Operation)
	for _, a := range v.Arguments {
		types, values = append(types, a.Type), append(values, a.sql())
		fmt.Fprintf(&b, "--   $%d  @%s  %s\n", a.Number, a.Name, a.Kind)
	}
	sql := strings.TrimRight(v.SQL, " \t\r\n")
	if !preparable(v.statement.Compiled().Command) && len(values) == 0 { // LISTEN, for example
		fmt.Fprintf(&b, "BEGIN;\n%s\n;\nROLLBACK;\n", sql)
		return b.String()
	}
	if !preparable(v.statement.Compiled().Command) {
		fmt.Fprintf(&b, "-- SQL's PREPARE does not take this command; this is for psql 16 and later.\nBEGIN;\n%s\n%s\nROLLBACK;\n", sql, bind(values))
		return b.String()
	}
	name := notInName.ReplaceAllString(strings.ToLower(v.Operation), "_")
	// The semicolon has a line of its own, because the text may end in a comment.
	fmt.Fprintf(&b, "PREPARE %s%s AS\n%s\n;\n", name, parenthesised(types), sql)
	fmt.Fprintf(&b, "BEGIN;\nEXECUTE %s%s;\nROLLBACK;\n", name, parenthesised(values))
	fmt.Fprintf(&b, "DEALLOCATE %s;\n", name)
	return b.String()
}

// preparable says whether SQL's PREPARE takes a command (PostgreSQL's manual, PREPARE).
func preparable(command string) bool {
	switch command {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH":
		return true
	}
	return false
}

// bind sends the values with psql's own command. It takes no expressions.
func bind(values []string) string {
	if len(values) == 0 {
		return "\\g"
	}
	return "\\bind " + strings.Join(values, " ") + " \\g"
}

func parenthesised(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// sql writes a value that the contract allows, for the type that the database wants.
func (a argument) sql() string {
	p := a.parameter
	if p.Optional && p.Derive != annotation.Derive_NOW {
		return "NULL"
	}
	v, err := literal.Parse(p, literal.Example(p))
	if err != nil {
		return "NULL"
	}
	if !p.List {
		text := sqlText(p.Kind, a.Type, &v)
		if p.Kind == operation.Int || p.Kind == operation.Float || p.Kind == operation.Bool {
			return text
		}
		return quote(text)
	}
	elements := make([]string, len(v.List))
	for i := range v.List {
		text := sqlText(p.Kind, strings.TrimSuffix(a.Type, "[]"), &v.List[i])
		elements[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return quote("{" + strings.Join(elements, ",") + "}")
}

// sqlText is a value in the database's text form, without quotation marks.
func sqlText(kind operation.Kind, sqlType string, v *operation.Value) string {
	switch {
	case kind == operation.Bytes && sqlType == "uuid":
		return "123e4567-e89b-12d3-a456-426614174000" // the one form of 16 bytes that it takes
	case kind == operation.Bytes, kind == operation.UUID && sqlType == "bytea":
		return fmt.Sprintf(`\x%x`, v.Bytes)
	case kind == operation.Addr && sqlType == "bytea":
		return fmt.Sprintf(`\x%x`, v.Addr.AsSlice())
	case kind == operation.Time && strings.HasPrefix(sqlType, "timestamp"):
		return v.Time.Format(time.RFC3339Nano)
	case kind == operation.Time:
		return strconv.FormatInt(v.Time.Unix(), 10)
	case kind == operation.Text:
		return v.Text
	case kind == operation.JSON:
		return string(v.Bytes)
	}
	return literal.Format(&operation.Field{Kind: kind}, v)
}

// quote writes a string literal under standard_conforming_strings, PostgreSQL's default.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
