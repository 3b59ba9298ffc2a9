package mortise_test

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
)

// queryKey is the YAML key that a method's annotation declares.
func queryKey(method protoreflect.MethodDescriptor) string {
	spec, _ := proto.GetExtension(method.Options(), annotation.E_Operation).(*annotation.Operation)
	return spec.GetQuery()
}
