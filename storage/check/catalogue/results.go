package catalogue

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// checkResult looks at the columns of tables that a result's columns are.
func (c *checker) checkResult(r *reading) {
	plan := r.statement.Plan()
	fields := plan.Description().Fields
	for position, result := range plan.Reads() {
		if result == nil {
			continue
		}
		t := c.schema.byOID[fields[position].TableOID]
		if t == nil || !t.stored() {
			continue // an expression, or a column of something whose NULLs are not known
		}
		column := t.numbered(int16(fields[position].TableAttributeNumber))
		if column == nil {
			continue
		}
		at := r.firstPlace()
		if position < len(r.results) {
			at = r.results[position]
		}
		if result.Kind == operation.Time && column.oid == pgtype.TimestampOID {
			c.withoutZone(r, column, at)
		}
		if why := r.canBeNull(column); why != "" {
			c.nullable(r, result, column, why, at)
		}
	}
}

// canBeNull says why a result that is a table's column can be NULL; "" if it cannot.
func (r *reading) canBeNull(column *column) string {
	if slices.ContainsFunc(r.compares, func(one *compare) bool { return one.column == column && one.bare && one.holds && !one.use.optional }) {
		return "" // a comparison with NULL never holds
	}
	if slices.ContainsFunc(r.uses, func(u *use) bool { return u.table == column.table && u.optional }) {
		return "an outer join can leave it out"
	}
	if !column.notNull {
		return "the column allows it"
	}
	return ""
}

func (c *checker) nullable(r *reading, result *operation.Column, column *column, why string, at int) {
	if r.op.Spec.GetNullIsEmpty() {
		return // the same as no row
	}
	if result.Optional {
		if r.op.Spec.GetResult() == annotation.Result_SCALAR && r.op.Spec.GetEmpty() == annotation.Empty_NOT_FOUND {
			c.report(problem.Info, c.named(r, ruleNullIsPresent), r, at, "NULL values count as present: "+column.String()+" is nullable, so a key can exist without a value",
				fmt.Sprintf("if no caller stores keys without a value: ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;", column.table, quote(column.name)))
		}
		return
	}
	if result.Rules.GetNullIsZero() || result.MayBeMissing() {
		return
	}
	severity, then := problem.Warning, "the call fails"
	if r.op.Spec.GetBadRows() == annotation.BadRows_SKIP {
		severity, then = problem.Info, "the row is left out"
	}
	c.report(severity, ruleNullableResult, r, at, fmt.Sprintf("%s can be NULL (%s), and the contract wants a value: %s", column, why, then),
		fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL; or put a value in its place with COALESCE", column.table, quote(column.name)))
}
