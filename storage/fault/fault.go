// Package fault is the errors that a host sees: what went wrong, with which operation, whose fault
// it is, and whether trying again makes sense.
//
// Every error that leaves the storage is a *Error, made in one place (package database for what
// the server said, package query for what the contract forbids, the domains for the rest), so that
// identity survives the way through gRPC: the code, and an ErrorInfo with the reason, the
// operation's key and SQLSTATE. A message never holds an argument's value or a secret.
package fault

import (
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mortise-storage/mortise/storage/problem"
)

// Domain is the domain of the ErrorInfo details.
const Domain = "mortise"

// A Reason is the machine-readable cause of an error, finer than its gRPC code.
type Reason string

// The reasons, each with the code it travels under.
const (
	DoesNotExist    Reason = "DOES_NOT_EXIST"   // NOT_FOUND
	AlreadyExists   Reason = "ALREADY_EXISTS"   // ALREADY_EXISTS
	Precondition    Reason = "PRECONDITION"     // FAILED_PRECONDITION: the stored state forbids it
	InUse           Reason = "IN_USE"           // FAILED_PRECONDITION: something stored still refers to it
	InvalidToken    Reason = "INVALID_TOKEN"    // FAILED_PRECONDITION: it belongs to the owner of another token
	InvalidArgument Reason = "INVALID_ARGUMENT" // INVALID_ARGUMENT: no query was sent
	NotConfigured   Reason = "NOT_CONFIGURED"   // UNIMPLEMENTED: the operator gave no query for it
	Unsupported     Reason = "UNSUPPORTED"      // UNIMPLEMENTED: the query does not use a parameter that is asked for
	Rejected        Reason = "REJECTED"         // FAILED_PRECONDITION: the database refuses the value
	RowBound        Reason = "ROW_BOUND"        // FAILED_PRECONDITION: the query hits more rows than the contract allows
	Conflict        Reason = "CONFLICT"         // UNAVAILABLE: retries used up, nothing happened
	UnknownOutcome  Reason = "UNKNOWN_OUTCOME"  // UNAVAILABLE: it may or may not have happened
	Partial         Reason = "PARTIAL"          // UNAVAILABLE: the first half happened, the second did not
	Unavailable     Reason = "UNAVAILABLE"      // UNAVAILABLE: no connection
	Timeout         Reason = "TIMEOUT"          // DEADLINE_EXCEEDED
	Overload        Reason = "OVERLOAD"         // RESOURCE_EXHAUSTED
	BadResult       Reason = "BAD_RESULT"       // INTERNAL: the result is not what the contract says
	Query           Reason = "QUERY"            // INTERNAL: the database cannot run the query
	Internal        Reason = "INTERNAL"         // INTERNAL: a defect of this program
	Closed          Reason = "CLOSED"           // CANCELED: the storage is closed
	Canceled        Reason = "CANCELED"         // CANCELED: the caller gave up
)

var codeOf = map[Reason]codes.Code{
	DoesNotExist: codes.NotFound, AlreadyExists: codes.AlreadyExists, Precondition: codes.FailedPrecondition,
	InvalidArgument: codes.InvalidArgument, NotConfigured: codes.Unimplemented, Unsupported: codes.Unimplemented,
	InUse: codes.FailedPrecondition, InvalidToken: codes.FailedPrecondition,
	Rejected: codes.FailedPrecondition, RowBound: codes.FailedPrecondition, Conflict: codes.Unavailable,
	UnknownOutcome: codes.Unavailable, Partial: codes.Unavailable, Unavailable: codes.Unavailable,
	Timeout: codes.DeadlineExceeded, Overload: codes.ResourceExhausted, BadResult: codes.Internal,
	Query: codes.Internal, Internal: codes.Internal, Closed: codes.Canceled, Canceled: codes.Canceled,
}

// An Error is what went wrong with a call.
type Error struct {
	Reason Reason
	// Operation is the YAML key of the operation, if one is concerned.
	Operation string
	// SQLState is the database's error code, if it was the database.
	SQLState string
	// Position is the place in the operator's file, if it is known.
	Position problem.Position
	Message  string
	// Cause is for errors.Is within the process. Its text is never shown: it may hold values.
	Cause error
}

// New makes an error about an operation.
func New(reason Reason, operation, format string, args ...any) *Error {
	return &Error{Reason: reason, Operation: operation, Message: fmt.Sprintf(format, args...)}
}

// Error gives operation, message, SQLSTATE and position.
func (e *Error) Error() string {
	text := e.Message
	if e.Operation != "" {
		text = e.Operation + ": " + text
	}
	if e.SQLState != "" {
		text += " (SQLSTATE " + e.SQLState + ")"
	}
	if at := e.Position.String(); at != "" {
		text += " at " + at
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is makes two errors with the same reason the same for errors.Is.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Reason == e.Reason && other.Operation == "" && other.Message == ""
}

// Code is the gRPC code the error travels under.
func (e *Error) Code() codes.Code { return codeOf[e.Reason] }

// GRPCStatus makes gRPC send the error with its code and an ErrorInfo.
func (e *Error) GRPCStatus() *status.Status {
	info := &errdetails.ErrorInfo{Reason: string(e.Reason), Domain: Domain, Metadata: map[string]string{}}
	for key, value := range map[string]string{"operation": e.Operation, "sqlstate": e.SQLState, "position": e.Position.String()} {
		if value != "" {
			info.Metadata[key] = value
		}
	}
	st := status.New(e.Code(), e.Error())
	if detailed, err := st.WithDetails(info); err == nil {
		return detailed
	}
	return st
}

// ReasonOf returns the reason of an error, whether it was made in this process or came over gRPC;
// "" if it has none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	if info := infoOf(err); info != nil {
		return Reason(info.GetReason())
	}
	return ""
}

// OperationOf returns the YAML key of the operation that an error is about, as ReasonOf.
func OperationOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Operation
	}
	return infoOf(err).GetMetadata()["operation"]
}

// SQLStateOf returns the database's error code in an error, as ReasonOf.
func SQLStateOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.SQLState
	}
	return infoOf(err).GetMetadata()["sqlstate"]
}

func infoOf(err error) *errdetails.ErrorInfo {
	st, ok := status.FromError(err)
	if !ok {
		return nil
	}
	for _, detail := range st.Details() {
		if info, isInfo := detail.(*errdetails.ErrorInfo); isInfo && info.GetDomain() == Domain {
			return info
		}
	}
	return nil
}
