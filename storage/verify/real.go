package verify

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// A real is the stage of the scratch mode: the storage as a host has it, with all its connections. It
// records no calls; a case that failed is run again as in the normal mode, for the proof.
type real struct {
	config   storage.Config
	options  Options
	opened   *storage.Storage
	compiled *query.Set
	found    problem.List
	conn     grpc.ClientConnInterface
	// witness is opened when it is first needed.
	witness *rollback
	empty   *tape
	stops   *conformance.Clock
}

func openReal(ctx context.Context, config storage.Config, options Options) (*real, error) {
	r := &real{config: config, options: options, empty: newTape(), stops: &conformance.Clock{}}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *real) open(ctx context.Context) error {
	set, err := compile(r.config, r.options)
	if err != nil {
		return err
	}
	opened, err := storage.Open(ctx, r.config, storage.Options{Contract: r.options.Contract, Logger: r.options.Logger, Quiet: true, Clock: r.stops.Now})
	if err != nil {
		return err
	}
	found, err := opened.Settled(ctx)
	if err == nil {
		err = found.Err()
	}
	if err != nil {
		opened.Close()
		return err
	}
	r.opened, r.compiled, r.found, r.conn = opened, set, found, opened.Conn()
	return nil
}

// Invoke implements grpc.ClientConnInterface.
func (r *real) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return r.conn.Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (r *real) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return r.conn.NewStream(ctx, desc, method, opts...)
}

func (r *real) set() *query.Set           { return r.compiled }
func (r *real) clock() *conformance.Clock { return r.stops }
func (r *real) problems() problem.List    { return r.found }

func (r *real) tape() *tape {
	if r.witness != nil {
		return r.witness.tape()
	}
	return r.empty
}

// apart runs work as it is: cases use random keys of their own.
func (r *real) apart(_ context.Context, work func()) (disturbed string, err error) {
	r.tape().rewind()
	work()
	return "", nil
}

// observed runs work once more so that its calls are recorded, on one connection.
func (r *real) observed(ctx context.Context, work func()) error {
	if r.witness == nil {
		witness, err := openRollback(ctx, r.config, r.options)
		if err != nil {
			return err
		}
		r.witness = witness
	}
	before := r.conn
	r.conn = r.witness
	defer func() { r.conn = before }()
	if _, err := r.witness.apart(ctx, work); err != nil {
		return err
	}
	return r.witness.renew(ctx) // the next one sees what the cases commit meanwhile
}

func (r *real) use(ctx context.Context, sources query.Sources) (ok bool, err error) {
	old, original := *r, r.config.Sources
	r.config.Sources = sources
	if err := r.open(ctx); err != nil {
		r.config.Sources = original
		var misfit problem.List
		if errors.As(err, &misfit) {
			return false, nil
		}
		return false, err
	}
	old.close()
	r.witness = nil
	return true, nil
}

func (r *real) close() {
	if r.witness != nil {
		r.witness.close()
	}
	r.opened.Close()
}
