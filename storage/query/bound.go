package query

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
)

// boundMessage starts the text of the error by which the server rolls back a write that hits too
// many rows.
const boundMessage = "mortise: row bound exceeded: "

// How a statement is kept from affecting more rows than the contract allows.
type boundWay int

const (
	// The statement cannot affect too many rows, or has no bound.
	boundNone boundWay = iota
	// The statement is sent inside another that counts its rows and fails, so that the server rolls
	// back: no extra round trip.
	boundWrapped
	// The statement runs in a transaction that is committed in a second round trip, after its count
	// was seen.
	boundTwoSteps
	// The query does not tell how many rows it affects.
	boundUnknown
)

// boundText wraps the statement so that it fails by itself when it affects more than MaxRows rows.
// It returns the text before and after the operator's own, and how the bound is kept. The failing
// expression depends on the count, so that it cannot be evaluated while planning.
func (s *Statement) boundText(described *pgconn.StatementDescription, types *Types) (before, after string, way boundWay) {
	c := s.compiled
	if s.MaxRows == 0 || (c.SingleRowInsert && s.MaxRows >= 1) {
		return "", "", boundNone
	}
	returnsRows := len(described.Fields) > 0
	switch {
	case c.HasReturning || (!returnsRows && writesRows(c.Command)):
		before, after = s.boundWrite(0)
		return before, after, boundWrapped
	case c.Command == "MERGE": // has RETURNING only from PostgreSQL 17 on
		return "", "", boundTwoSteps
	}
	column := s.affectedField(described.Fields)
	if column < 0 {
		return "", "", boundUnknown
	}
	if t := types.lookup(described.Fields[column].DataTypeOID); !t.counts() {
		return "", "", boundNone // which planAffected reports
	}
	before, after = s.boundCall(described.Fields[column])
	return before, after, boundWrapped
}

// boundWrite counts the rows of a write, which must be least at least. Where the contract wants its
// rows, they are kept, with one more column behind them.
func (s *Statement) boundWrite(least int64) (before, after string) {
	returning := " RETURNING 1"
	if s.compiled.HasReturning {
		returning = ""
	}
	columns := "count(*) AS affected, " + failOutside("count(*)", least, s.MaxRows)
	if s.readsRows() {
		columns = "mortise_write.*, " + failOutside("count(*) OVER ()", least, s.MaxRows)
	}
	return "WITH mortise_write AS (\n", returning + "\n) SELECT " + columns + " FROM mortise_write"
}

// boundCall looks at the number that a call tells. OFFSET 0 keeps the planner from moving the call
// into the outer query, where it could be run twice; a LIMIT would keep later rows from being
// computed, and so a function from doing what it should.
func (s *Statement) boundCall(affected pgconn.FieldDescription) (before, after string) {
	number := "mortise_call." + quoteIdentifier(affected.Name)
	if affected.DataTypeOID == pgtype.BoolOID {
		number += "::int"
	}
	before = "SELECT mortise_count.affected, " + failOutside("mortise_count.affected", 0, s.MaxRows) +
		" FROM (SELECT " + number + "::int8 AS affected FROM (\n"
	return before, "\n) AS mortise_call OFFSET 0) AS mortise_count"
}

// readsRows says that the contract wants the columns of rows, and not only their number.
func (s *Statement) readsRows() bool {
	switch s.Operation.Spec.GetResult() {
	case annotation.Result_ROW, annotation.Result_ROWS, annotation.Result_SCALAR:
		return true
	}
	return false
}

// failOutside is a column that fails if the count is outside of its bounds; 0 is none.
func failOutside(count string, least, most int64) string {
	var outside []string
	if most > 0 {
		outside = append(outside, fmt.Sprintf("%s > %d", count, most))
	}
	if least > 0 {
		outside = append(outside, fmt.Sprintf("%s < %d", count, least))
	}
	return fmt.Sprintf("CASE WHEN %s THEN CAST('%s' || CAST(%s AS text) AS int8) END AS mortise_bound",
		strings.Join(outside, " OR "), boundMessage, count)
}

func writesRows(command string) bool {
	switch command {
	case "INSERT", "UPDATE", "DELETE", "WITH":
		return true
	}
	return false
}

func quoteIdentifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// boundViolation returns the number of rows in the error that a wrapped statement raises.
func boundViolation(err *pgconn.PgError) (rows string, ok bool) {
	if err.Code != "22P02" {
		return "", false
	}
	_, rest, ok := strings.Cut(err.Message, boundMessage)
	if !ok {
		return "", false
	}
	// What follows the number differs by server and language: a quotation mark, or more text.
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	return rest[:end], true
}
