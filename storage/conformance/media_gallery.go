package conformance

import (
	"context"
	"encoding/hex"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mortise-storage/mortise/storage/fault"
)

// A gallery is what one case has in the repo, and the steps that cases are made of. A step that fails
// where it must not ends the case. Nobody else knows its hashes, aliases and identifiers.
type gallery struct {
	ctx   context.Context
	t     T
	media *Media
	// ends is what has to be done when the case is over, in reverse order.
	ends []func()
}

func newGallery(ctx context.Context, t T, s *Media) *gallery {
	return &gallery{ctx: ctx, t: t, media: s}
}

// later has something done when the case is over: rows are taken away again. It must not fail the case,
// which may be over because a query is wrong.
func (g *gallery) later(end func()) { g.ends = append(g.ends, end) }

func (g *gallery) end() {
	for i := len(g.ends) - 1; i >= 0; i-- {
		g.ends[i]()
	}
}

// A method is one of a generated client.
type method[Q, R any] = func(context.Context, *Q, ...grpc.CallOption) (*R, error)

// nameOf returns the name of a client's method: "Hashes.Create".
func nameOf[Q, R any](m method[Q, R]) string {
	full := runtime.FuncForPC(reflect.ValueOf(m).Pointer()).Name()
	name := strings.TrimSuffix(full[strings.LastIndex(full, "/")+1:], "-fm")
	_, name, _ = strings.Cut(name, ".") // the package
	return strings.NewReplacer("Client", "", "(*", "", ")", "").Replace(name)
}

// ask calls a method that must succeed.
func ask[Q, R any](g *gallery, m method[Q, R], request *Q) *R {
	g.t.Helper()
	response, err := m(g.ctx, request)
	if err != nil {
		g.t.Fatalf("%s: %v", nameOf(m), err)
	}
	return response
}

// try calls a method that may fail.
func try[Q, R any](g *gallery, m method[Q, R], request *Q) error {
	_, err := m(g.ctx, request)
	return err
}

// refuse calls a method that must be refused.
func refuse[Q, R any](g *gallery, code codes.Code, reason fault.Reason, m method[Q, R], request *Q) {
	g.t.Helper()
	refused(g.t, nameOf(m), try(g, m, request), code, reason)
}

// absent calls a method that must not find anything.
func absent[Q, R any](g *gallery, m method[Q, R], request *Q) {
	g.t.Helper()
	refuse(g, codes.NotFound, fault.DoesNotExist, m, request)
}

// Names are at most 30 characters long, so that old schemas take them, too.

// newHash returns a hash that nobody knows, in the form of pict-rs: a digest, a size and a format.
func newHash() []byte {
	size := random(2)
	return append(random(32), 0, 0, 0, 0, size[0], size[1], random(1)[0]%11)
}

func unique(n int) string { return hex.EncodeToString(random(n)) }

// newAlias, newToken, newIdentifier and newQueue return names that nobody knows.
func newAlias() string      { return unique(10) + ".webp" }
func newToken() string      { return unique(12) }
func newIdentifier() string { return "conformance/" + unique(12) + ".png" }
func newURL() string        { return "https://conformance.example/" + unique(12) + ".png" }
func newQueue() string      { return "conformance-" + unique(8) }

// newUUID returns a random UUID.
func newUUID() []byte {
	id := random(16)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// stamp is a time as a message has it.
func stamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

// equal reports two values that differ.
func equal[V comparable](g *gallery, what string, got, want V) {
	g.t.Helper()
	if got != want {
		g.t.Errorf("%s: %s; it should be %s", what, shown(got), shown(want))
	}
}

func shown(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case []byte:
		return brief(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}
