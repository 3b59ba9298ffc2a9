package storage

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Conn returns a connection to the services without a transport: the generated clients work on it as
// they do over the plugin, through the same handlers and with the same errors, for programs that
// embed the storage, and for measuring what the way to a plugin costs.
func (s *Storage) Conn() grpc.ClientConnInterface { return s.services.local() }

// local returns a connection that calls the handlers.
func (all services) local() grpc.ClientConnInterface {
	handlers, streams := map[string]localMethod{}, map[string]localStreaming{}
	for _, service := range all {
		for _, stream := range service.desc.Streams {
			streams["/"+service.desc.ServiceName+"/"+stream.StreamName] = localStreaming{impl: service.impl, handler: stream.Handler}
		}
		for _, method := range service.desc.Methods {
			handlers["/"+service.desc.ServiceName+"/"+method.MethodName] = localMethod{impl: service.impl, handler: method.Handler}
		}
	}
	return &localConn{handlers: handlers, streams: streams}
}

type localMethod struct {
	impl    any
	handler unaryHandler
}

type localConn struct {
	handlers map[string]localMethod
	streams  map[string]localStreaming
}

// Invoke calls the handler. Request and response are copied one level deep: handlers neither change a
// request nor keep it or their response, so what is below may be shared.
func (c *localConn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	m, ok := c.handlers[method]
	if !ok {
		return status.Errorf(codes.Unimplemented, "unknown method %s", method)
	}
	response, err := m.handler(m.impl, ctx, func(request any) error {
		share(request.(proto.Message), args.(proto.Message))
		return nil
	}, nil)
	if err != nil {
		return status.Convert(err).Err()
	}
	target := reply.(proto.Message)
	proto.Reset(target)
	share(target, response.(proto.Message))
	return nil
}

// share gives an empty message the fields of another of its type. Both may be of different Go types,
// if one of them was made at run time; those are copied.
func share(target, source proto.Message) {
	to, from := target.ProtoReflect(), source.ProtoReflect()
	if to.Type() != from.Type() {
		proto.Merge(target, source)
		return
	}
	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.Set(field, value)
		return true
	})
}
