package query

import (
	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
)

// Reads returns, for each column of the result in the database's order, the contract's column that is
// read from it; nil for those that are not read.
func (p *Plan) Reads() []*operation.Column {
	reads := make([]*operation.Column, len(p.fields))
	for _, c := range p.columns {
		reads[c.position] = c.column
	}
	op := p.statement.Operation
	if p.affected != nil && op.Spec.GetResult() == annotation.Result_AFFECTED {
		reads[p.affected.position] = op.Columns[0]
	}
	return reads
}

// Wrapped says whether the operator's text is sent inside another one, which keeps the bound on affected
// rows.
func (p *Plan) Wrapped() bool { return p.prefix != p.statement.tag() }
