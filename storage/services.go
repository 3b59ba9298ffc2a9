package storage

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// generated are the descriptions that protoc-gen-go-grpc made; they carry the handlers of composed
// methods.
var generated = map[string]*grpc.ServiceDesc{
	trackerv1.Swarms_ServiceDesc.ServiceName: &trackerv1.Swarms_ServiceDesc,
	trackerv1.Data_ServiceDesc.ServiceName:   &trackerv1.Data_ServiceDesc,
}

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
// annotated method to a .proto file is enough to have it here.
func buildServices(contract *operation.Contract, set *query.Set, executor *query.Executor, composed map[string]any,
	logger *slog.Logger, whyNot func() (State, string)) (services, error) {
	guard := &guard{logger: logger, whyNot: whyNot}
	var all services
	for _, descriptor := range contract.Services() {
		name := string(descriptor.FullName())
		impl := composed[name]
		// gRPC asks whether the implementation has this type; annotated methods need none.
		desc := &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Metadata: descriptor.ParentFile().Path()}
		served := impl != nil
		for i := range descriptor.Methods().Len() {
			method := descriptor.Methods().Get(i)
			op := contract.Method("/" + name + "/" + string(method.Name()))
			handler := composedHandler(name, method)
			if op != nil {
				if method.IsStreamingServer() || method.IsStreamingClient() {
					return nil, fmt.Errorf("%s: streams cannot be served; let it return one message that holds the rows", method.FullName())
				}
				handler = operationHandler(executor, op)
				served = served || set.Serves(op.Section)
			}
			if handler == nil {
				if impl == nil {
					continue // a composed method of a section that is not served
				}
				return nil, fmt.Errorf("%s has neither an annotation nor a handler", method.FullName())
			}
			desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: string(method.Name()), Handler: guard.wrap(handler)})
		}
		if served {
			all = append(all, service{desc: desc, impl: impl})
		}
	}
	return all, nil
}

func composedHandler(service string, method protoreflect.MethodDescriptor) unaryHandler {
	desc := generated[service]
	if desc == nil {
		return nil
	}
	for _, m := range desc.Methods {
		if m.MethodName == string(method.Name()) {
			return m.Handler
		}
	}
	return nil
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
		defer func() {
			if r := recover(); r != nil {
				// What was thrown may hold a request's values, so only its type is told.
				g.logger.Error("a call panicked", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
				response, err = nil, fault.New(fault.Internal, "", "a defect of the plugin ended this call; its log has the details")
			}
		}()
		switch state, reason := g.whyNot(); state {
		case Degraded:
			return nil, fault.New(fault.Unavailable, "", "%s", reason)
		case Misconfigured:
			return nil, fault.New(fault.Query, "", "%s", reason)
		case Closed:
			return nil, fault.New(fault.Closed, "", "%s", reason)
		}
		return handler(srv, ctx, dec, interceptor)
	}
}

// Register adds the storage's services to a gRPC server.
func (s *Storage) Register(registrar grpc.ServiceRegistrar) {
	for _, service := range s.services {
		registrar.RegisterService(service.desc, service.impl)
	}
}
