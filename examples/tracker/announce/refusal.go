package announce

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Refusal is an error in what the client asked for; its text is meant for the client.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// What clients are told when the fault is not theirs, or when the storage's own words could say
// more about the operator's database than they should.
const (
	textTrouble  = "the tracker cannot answer at the moment, please try again later"
	textMissing  = "resource does not exist"
	textArgument = "the request has an invalid argument"
)

// ClientText returns what a client may read about an error, and whether the client is to blame.
// What is not the client's fault belongs into the log instead.
func ClientText(err error) (text string, blame bool) {
	var refusal Refusal
	if errors.As(err, &refusal) {
		return string(refusal), true
	}
	switch status.Code(err) {
	case codes.NotFound:
		return textMissing, true
	case codes.InvalidArgument:
		return textArgument, true
	}
	return textTrouble, false
}
