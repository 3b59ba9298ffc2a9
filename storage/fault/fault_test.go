package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
)

// The codes of the contract's table of errors.
var codeOf = map[fault.Reason]codes.Code{
	fault.DoesNotExist:    codes.NotFound,
	fault.AlreadyExists:   codes.AlreadyExists,
	fault.Precondition:    codes.FailedPrecondition,
	fault.InvalidArgument: codes.InvalidArgument,
	fault.NotConfigured:   codes.Unimplemented,
	fault.Unsupported:     codes.Unimplemented,
	fault.Rejected:        codes.FailedPrecondition,
	fault.RowBound:        codes.FailedPrecondition,
	fault.Conflict:        codes.Unavailable,
	fault.UnknownOutcome:  codes.Unavailable,
	fault.Partial:         codes.Unavailable,
	fault.Unavailable:     codes.Unavailable,
	fault.Timeout:         codes.DeadlineExceeded,
	fault.Overload:        codes.ResourceExhausted,
	fault.BadResult:       codes.Internal,
	fault.Query:           codes.Internal,
	fault.Internal:        codes.Internal,
	fault.Closed:          codes.Canceled,
	fault.Canceled:        codes.Canceled,
}

func TestReasonsAndCodes(t *testing.T) {
	for reason, code := range codeOf {
		err := fault.New(reason, "", "what happened")
		if err.Code() != code || status.Code(err) != code {
			t.Errorf("%s travels under %s, and as a status under %s; expected %s", reason, err.Code(), status.Code(err), code)
		}
		if strings.ToUpper(string(reason)) != string(reason) {
			t.Errorf("%q is not in capitals", reason)
		}
	}
}

var whole = &fault.Error{Reason: fault.Rejected, Operation: "tracker.peer.add_query", SQLState: "23514",
	Position: problem.Position{File: "q.yaml", Line: 3, Column: 7}, Message: "refused", Cause: errors.New("holds a value")}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  *fault.Error
		want string
	}{
		{whole, "tracker.peer.add_query: refused (SQLSTATE 23514) at q.yaml:3:7"},
		{fault.New(fault.Timeout, "", "after %d tries", 3), "after 3 tries"},
		{fault.New(fault.Query, "a.b_query", "100%%"), "a.b_query: 100%"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q; expected %q", got, c.want)
		}
	}
}

// What an error is about is read the same from it, from what wraps it, and from what a host gets.
func TestDetailsSurvive(t *testing.T) {
	for name, err := range map[string]error{
		"itself":             whole,
		"wrapped":            fmt.Errorf("calling: %w", whole),
		"over gRPC":          status.Convert(whole).Err(),
		"wrapped, over gRPC": status.Convert(fmt.Errorf("calling: %w", whole)).Err(),
	} {
		if fault.ReasonOf(err) != fault.Rejected || fault.OperationOf(err) != "tracker.peer.add_query" || fault.SQLStateOf(err) != "23514" {
			t.Errorf("%s: reason %q, operation %q, SQLSTATE %q", name, fault.ReasonOf(err), fault.OperationOf(err), fault.SQLStateOf(err))
		}
		if strings.Contains(status.Convert(err).Proto().String(), "holds a value") {
			t.Errorf("%s: the cause is shown", name)
		}
	}
	for name, err := range map[string]error{"nothing": nil, "another error": errors.New("other"), "another status": status.Error(codes.Internal, "other"),
		"another domain's": foreign(t)} {
		if fault.ReasonOf(err) != "" || fault.OperationOf(err) != "" || fault.SQLStateOf(err) != "" {
			t.Errorf("%s: reason %q, operation %q, SQLSTATE %q", name, fault.ReasonOf(err), fault.OperationOf(err), fault.SQLStateOf(err))
		}
	}
}

func TestMetadataHoldsOnlyWhatIsKnown(t *testing.T) {
	for _, c := range []struct {
		err  *fault.Error
		want map[string]string
	}{
		{whole, map[string]string{"operation": "tracker.peer.add_query", "sqlstate": "23514", "position": "q.yaml:3:7"}},
		{fault.New(fault.Closed, "", "closed"), map[string]string{}},
	} {
		details := c.err.GRPCStatus().Details()
		info, ok := details[0].(*errdetails.ErrorInfo)
		if len(details) != 1 || !ok || info.GetDomain() != fault.Domain || info.GetReason() != string(c.err.Reason) {
			t.Fatalf("details %v", details)
		}
		if fmt.Sprint(info.GetMetadata()) != fmt.Sprint(c.want) {
			t.Errorf("metadata %v; expected %v", info.GetMetadata(), c.want)
		}
	}
}

func TestIsComparesReasons(t *testing.T) {
	kind := &fault.Error{Reason: fault.Rejected}
	for name, c := range map[string]struct {
		err, target error
		want        bool
	}{
		"same reason":    {whole, kind, true},
		"wrapped":        {fmt.Errorf("x: %w", whole), kind, true},
		"another reason": {whole, &fault.Error{Reason: fault.Query}, false},
		"a whole error":  {whole, fault.New(fault.Rejected, "tracker.peer.add_query", "refused"), false},
		"its cause":      {whole, whole.Cause, true},
	} {
		if errors.Is(c.err, c.target) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

func foreign(t *testing.T) error {
	t.Helper()
	st, err := status.New(codes.Internal, "other").WithDetails(&errdetails.ErrorInfo{Reason: "REJECTED", Domain: "example.org",
		Metadata: map[string]string{"operation": "x", "sqlstate": "23514"}})
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}
