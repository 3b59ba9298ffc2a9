package storage

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// A service is one gRPC service as it is served: annotated methods have generic handlers, composed
// ones those of the generated code.
type service struct {
	desc *grpc.ServiceDesc
	impl any
}

type services []service

// A method handler as gRPC's generated code has it.
type unaryHandler = func(srv any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error)

// buildServices derives the services from the contract, for the sections that are served. Adding an
// annotated method to a .proto file is enough to have it here. composed are the services that have an
// implementation, by name.
func buildServices(contract *operation.Contract, set *query.Set, executor *query.Executor, composed map[string]service,
	logger *slog.Logger, whyNot func() (State, string)) (services, error) {
	guard := &guard{logger: logger, whyNot: whyNot}
	var all services
	for _, descriptor := range contract.Services() {
		name := string(descriptor.FullName())
		known := composed[name]
		// gRPC asks whether the implementation has this type; annotated methods need none.
		desc := &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Metadata: descriptor.ParentFile().Path()}
		served := known.impl != nil
		for i := range descriptor.Methods().Len() {
			method := descriptor.Methods().Get(i)
			op := contract.Method("/" + name + "/" + string(method.Name()))
			if op == nil && known.impl == nil {
				continue // a composed method of a section that is not served
			}
			if op != nil {
				if method.IsStreamingServer() || method.IsStreamingClient() {
					return nil, fmt.Errorf("%s: an operation cannot be a stream; let it return one message that holds the rows", method.FullName())
				}
				desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: string(method.Name()), Handler: guard.wrap(operationHandler(executor, op))})
				served = served || set.Serves(op.Section)
				continue
			}
			if !guard.compose(desc, known.desc, method) {
				return nil, fmt.Errorf("%s has neither an annotation nor a handler", method.FullName())
			}
		}
		if served {
			all = append(all, service{desc: desc, impl: known.impl})
		}
	}
	return all, nil
}

// compose takes a method's handler over from the generated description; false if there is none.
func (g *guard) compose(desc, generated *grpc.ServiceDesc, method protoreflect.MethodDescriptor) bool {
	name := string(method.Name())
	for _, m := range generated.Methods {
		if m.MethodName == name {
			desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: name, Handler: g.wrap(m.Handler)})
			return true
		}
	}
	for _, s := range generated.Streams {
		if s.StreamName == name {
			s.Handler = g.wrapStream(s.Handler)
			desc.Streams = append(desc.Streams, s)
			return true
		}
	}
	return false
}

// operationHandler answers a method that is exactly one operation.
func operationHandler(executor *query.Executor, op *operation.Operation) unaryHandler {
	return func(_ any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		request := op.NewRequest()
		if err := dec(request); err != nil {
			return nil, err
		}
		invoke := func(ctx context.Context, request any) (any, error) {
			return executor.Invoke(ctx, op, request.(proto.Message))
		}
		if interceptor == nil {
			return invoke(ctx, request)
		}
		return interceptor(ctx, request, &grpc.UnaryServerInfo{FullMethod: op.FullMethod}, invoke)
	}
}

// A guard keeps calls away while they cannot be answered, and keeps a panic to its own call.
type guard struct {
	logger *slog.Logger
	whyNot func() (State, string)
}

func (g *guard) wrap(handler unaryHandler) unaryHandler {
	return func(srv any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (response any, err error) {
		defer g.contain(&err)
		if err := g.refuse(); err != nil {
			return nil, err
		}
		return handler(srv, ctx, dec, interceptor)
	}
}

func (g *guard) wrapStream(handler grpc.StreamHandler) grpc.StreamHandler {
	return func(srv any, stream grpc.ServerStream) (err error) {
		defer g.contain(&err)
		if err := g.refuse(); err != nil {
			return err
		}
		return handler(srv, stream)
	}
}

// contain turns a panic into its call's error. It must be deferred itself.
func (g *guard) contain(err *error) {
	if r := recover(); r != nil {
		// What was thrown may hold a request's values, so only its type is told.
		g.logger.Error("a call panicked", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		*err = fault.New(fault.Internal, "", "a defect of the plugin ended this call; its log has the details")
	}
}

// refuse returns why calls cannot be answered; nil if they can be tried.
func (g *guard) refuse() error {
	switch state, reason := g.whyNot(); state {
	case Degraded:
		return fault.New(fault.Unavailable, "", "%s", reason)
	case Misconfigured:
		return fault.New(fault.Query, "", "%s", reason)
	case Closed:
		return fault.New(fault.Closed, "", "%s", reason)
	}
	return nil
}

// Register adds the storage's services to a gRPC server.
func (s *Storage) Register(registrar grpc.ServiceRegistrar) {
	for _, service := range s.services {
		registrar.RegisterService(service.desc, service.impl)
	}
}
