package query

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
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
// It returns the text before and after the operator's own, and how the bound is kept; ok is false if
// nothing has to be wrapped. The failing expression depends on the count, so that it cannot be
// evaluated while planning.
func (s *Statement) boundText(described *pgconn.StatementDescription) (before, after string, way boundWay) {
	c := s.compiled
	if s.MaxRows == 0 || (c.SingleRowInsert && s.MaxRows >= 1) {
		return "", "", boundNone
	}
	returnsRows := len(described.Fields) > 0
	writes := c.HasReturning || (!returnsRows && writesRows(c.Command))
	if writes {
		returning := " RETURNING 1"
		if c.HasReturning {
			returning = ""
		}
		before = "WITH mortise_write AS (\n"
		after = returning + "\n) SELECT count(*) AS affected, " + failAbove("count(*)", s.MaxRows) + " FROM mortise_write"
		return before, after, boundWrapped
	}
	if column := s.affectedField(described.Fields); column >= 0 {
		name := quoteIdentifier(described.Fields[column].Name)
		before = "SELECT mortise_count.affected, " + failAbove("mortise_count.affected", s.MaxRows) +
			" FROM (SELECT mortise_call." + name + "::int AS affected FROM (\n"
		after = "\n) AS mortise_call LIMIT 1) AS mortise_count"
		return before, after, boundWrapped
	}
	return "", "", boundUnknown
}

func failAbove(count string, most int64) string {
	return fmt.Sprintf("CASE WHEN %s > %d THEN CAST('%s' || CAST(%s AS text) AS int8) END", count, most, boundMessage, count)
}

func writesRows(command string) bool {
	switch command {
	case "INSERT", "UPDATE", "DELETE", "WITH":
		return true
	}
	return false // MERGE has RETURNING only from PostgreSQL 17 on
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
	return strings.Trim(rest, `"`), true
}
