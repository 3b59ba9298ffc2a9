package explain

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// Arguments are the values of an operation's parameters, by their index. They have to fit the
// contract. Those that the contract derives from others are computed, whatever stands here.
type Arguments []operation.Value

// encode returns the arguments as they are sent.
func (args Arguments) encode(sent *query.Plan) ([][]byte, error) {
	st := sent.Statement()
	op := st.Operation
	if len(args) != len(op.Parameters) {
		return nil, fmt.Errorf("%s has %d parameters, and %d arguments are given", op.Key, len(op.Parameters), len(args))
	}
	request := op.NewRequest()
	for i, p := range op.Parameters {
		if err := args.store(p, &args[i], st, request); err != nil {
			return nil, err
		}
	}
	call, err := query.NewCall(st, request, time.Now().UTC().Truncate(time.Microsecond), nil)
	if err != nil {
		return nil, err
	}
	return call.Encode(sent)
}

// store puts a value into the request, if the contract does not compute it and the call may have it.
func (args Arguments) store(p *operation.Parameter, v *operation.Value, st *query.Statement, request proto.Message) error {
	if p.Derive == annotation.Derive_IS_V6 || v.Null && p.Optional {
		return nil
	}
	if p.Rules.GetCapability() && !st.Uses(p.Name) {
		return nil // the call would be refused for it
	}
	return p.Store(request, v)
}

// Broken tells which rule of the contract a value of a parameter breaks: "must have 20 or 32 bytes, not
// 3"; "" if none. It never holds the value.
func Broken(op *operation.Operation, p *operation.Parameter, v operation.Value) string {
	if v.Null && p.Optional {
		return ""
	}
	err := p.Store(op.NewRequest(), &v)
	var bad *operation.ArgumentError
	if errors.As(err, &bad) {
		return bad.Rule
	}
	return ""
}
