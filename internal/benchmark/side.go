package benchmark

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/workload"
)

// A QuerySet is one operator's file, and where it is measured.
type QuerySet struct {
	// Name is "A" or "B", or empty if there is only one.
	Name   string
	Config *mortise.Config
	// ConnString is the database that is measured, whatever the file says.
	ConnString string
	// Place says which tables those are, for people; empty for the operator's own.
	Place string
	// Schema is the script that made its tables; empty if they are the operator's own.
	Schema string
	// Plugin says how the plugin is started; nil is in-process.
	Plugin *Plugin
}

// A side is a query set that can be called.
type side struct {
	set      QuerySet
	contract *operation.Contract
	pool     *database.Pool
	queries  *query.Set
	conn     grpc.ClientConnInterface // nil if the methods cannot be called
	methods  map[string]protoreflect.MethodDescriptor
	server   database.Server
	close    []func()
}

// open connects a query set: a pool for its operations, and its methods in-process or through the
// plugin. What is wrong with the queries is returned as a problem.List.
func open(ctx context.Context, set QuerySet, contract *operation.Contract, logger *slog.Logger) (*side, error) {
	s := &side{set: set, contract: contract, methods: map[string]protoreflect.MethodDescriptor{}}
	for _, service := range contract.Services() {
		for i := range service.Methods().Len() {
			method := service.Methods().Get(i)
			s.methods[fmt.Sprintf("/%s/%s", service.FullName(), method.Name())] = method
		}
	}
	if err := s.openPool(ctx, logger); err != nil {
		s.Close()
		return nil, err
	}
	openMethods := s.openStorage
	if set.Plugin != nil {
		openMethods = s.startPlugin
	}
	if err := openMethods(ctx, logger); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *side) openPool(ctx context.Context, logger *slog.Logger) error {
	config := s.set.Config.Storage
	set, problems := query.CompileSet(s.contract, config.Sources)
	if err := problems.Err(); err != nil {
		return err
	}
	pool, err := database.Open(database.Options{ConnString: s.set.ConnString, Mode: config.Mode, CallTimeout: config.CallTimeout,
		MaxWaiting: config.MaxWaiting, RetryFor: config.RetryFor, Logger: logger})
	if err != nil {
		return err
	}
	s.pool = pool
	s.close = append(s.close, pool.Close)
	if _, err := pool.FindMode(ctx); err != nil {
		return err
	}
	conn, err := pool.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if s.server, err = conn.Server(ctx); err != nil {
		return err
	}
	var found problem.List
	for _, statement := range set.Statements() {
		more, err := statement.Describe(ctx, conn)
		if err != nil {
			return fmt.Errorf("describing %s: %w", statement.Operation.Key, err)
		}
		found = append(found, more...)
	}
	if err := found.Err(); err != nil {
		return err
	}
	s.queries = set
	return nil
}

// call prepares a call of an operation.
func (s *side) call(request workload.Request) (*query.Call, error) {
	op := s.contract.Method(request.Method)
	if op == nil || s.queries.Statement(op) == nil {
		return nil, fmt.Errorf("%s is no operation with a query", request.Method)
	}
	return query.NewCall(s.queries.Statement(op), request.Message, time.Now().UTC().Truncate(time.Microsecond), nil)
}

func (s *side) openStorage(ctx context.Context, logger *slog.Logger) error {
	config := s.set.Config.Storage
	config.Connection, config.ListenConnection = s.set.ConnString, ""
	// Quiet: the background work would come at times that have nothing to do with what is measured.
	opened, err := storage.Open(ctx, config, storage.Options{Contract: s.contract, Logger: logger, Quiet: true})
	if err != nil {
		return err
	}
	s.close = append(s.close, opened.Close)
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	problems, err := opened.Settled(waiting)
	if err == nil {
		err = problems.Err()
	}
	s.conn = opened.Conn()
	return err
}

// Close ends everything. It may be called more than once.
func (s *side) Close() {
	for i := len(s.close) - 1; i >= 0; i-- {
		s.close[i]()
	}
	s.close = nil
}

// has says whether there is a query for the operation that a method declares.
func (s *side) has(method string) bool {
	op := s.contract.Method(method)
	return op != nil && s.queries.Statement(op) != nil
}

// A reply is what a call brought back, before it is looked at: that is not part of its time.
type reply struct {
	call     *query.Call
	response proto.Message
	err      error
}

// mostWaiting is how long a method may take. Operations have limits of their own.
const mostWaiting = 30 * time.Second

// perform makes a call.
func (s *side) perform(ctx context.Context, direct bool, request workload.Request) reply {
	if !direct {
		// A method that waits would wait for ever where a query does not find what it should.
		ctx, cancel := context.WithTimeout(ctx, mostWaiting)
		defer cancel()
		response := newMessage(s.methods[request.Method].Output())
		return reply{response: response, err: s.conn.Invoke(ctx, request.Method, request.Message, response)}
	}
	call, err := s.call(request)
	if err != nil {
		return reply{err: err}
	}
	s.pool.Run(ctx, query.Calls(call))
	return reply{call: call, err: call.Err}
}

// answer is what a reply says.
func (r reply) answer() *workload.Answer {
	a := &workload.Answer{Code: status.Code(r.err)}
	switch {
	case r.err != nil:
	case r.call != nil:
		a.Rows, a.Affected, a.Counted = r.call.Rows, r.call.Affected, r.call.Counted
	default:
		a.Rows = []proto.Message{r.response}
	}
	return a
}

// failed returns the error of a reply, unless it is an ordinary answer.
func (r reply) failed(c *workload.Case) error {
	if c.MayBeAbsent && status.Code(r.err) == codes.NotFound {
		return nil
	}
	return r.err
}

func newMessage(descriptor protoreflect.MessageDescriptor) proto.Message {
	if known, err := protoregistry.GlobalTypes.FindMessageByName(descriptor.FullName()); err == nil && known.Descriptor() == descriptor {
		return known.New().Interface()
	}
	return dynamicpb.NewMessage(descriptor)
}

// told returns the first line of an error, without the words that gRPC puts around it.
func told(err error) string {
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return fmt.Sprintf("%s: %s", s.Code(), s.Message())
	}
	return err.Error()
}

// errCanceled says that the run was told to end.
var errCanceled = errors.New("ended before it was done")
