package mortise

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	// The annotations must be linked in, so that a contract can import them.
	_ "github.com/mortise-storage/mortise/api/mortise/annotation"
)

// CompileContract compiles annotated .proto files at run time, so that operations can be added
// without any Go code, generated or not. Imports are looked for in the given folders; what is
// compiled into the program (the annotations, the built-in contract, protobuf's own files) is there
// without one. A file that lies in none of the folders is taken for one of its own folder.
func CompileContract(ctx context.Context, folders []string, files ...string) ([]protoreflect.FileDescriptor, error) {
	var names []string
	roots := append([]string{}, folders...)
	for _, file := range files {
		root, name := importName(folders, file)
		roots, names = append(roots, root), append(names, name)
	}
	compiler := protocompile.Compiler{
		SourceInfoMode: protocompile.SourceInfoStandard, // comments become documentation
		Resolver: protocompile.CompositeResolver{
			protocompile.ResolverFunc(linkedIn),
			&protocompile.SourceResolver{ImportPaths: roots},
		},
	}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	resolver := newResolver(nil)
	var descriptors []protoreflect.FileDescriptor
	for _, file := range compiled {
		descriptor, err := rebuild(file, resolver)
		if err != nil {
			return nil, fmt.Errorf("contract: %s: %w", file.Path(), err)
		}
		descriptors = append(descriptors, descriptor)
	}
	return descriptors, nil
}

// importName splits a file's path into a folder of imports and the name in it.
func importName(folders []string, file string) (root, name string) {
	for _, folder := range folders {
		if rel, err := filepath.Rel(folder, file); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return folder, filepath.ToSlash(rel)
		}
	}
	return filepath.Dir(file), filepath.Base(file)
}

// linkedIn finds files that are part of this program.
func linkedIn(path string) (protocompile.SearchResult, error) {
	descriptor, err := protoregistry.GlobalFiles.FindFileByPath(path)
	return protocompile.SearchResult{Desc: descriptor}, err
}

// rebuild makes a descriptor whose options are of the generated types. The compiler's own hold the
// annotations in a form that the generated code does not see.
func rebuild(file protoreflect.FileDescriptor, resolver *resolver) (protoreflect.FileDescriptor, error) {
	if known, err := resolver.FindFileByPath(file.Path()); err == nil {
		return known, nil
	}
	for i := range file.Imports().Len() {
		if _, err := rebuild(file.Imports().Get(i).FileDescriptor, resolver); err != nil {
			return nil, err
		}
	}
	raw, err := proto.Marshal(protodesc.ToFileDescriptorProto(file))
	if err != nil {
		return nil, err
	}
	parsed := new(descriptorpb.FileDescriptorProto)
	if err := (proto.UnmarshalOptions{Resolver: protoregistry.GlobalTypes}).Unmarshal(raw, parsed); err != nil {
		return nil, err
	}
	descriptor, err := protodesc.NewFile(parsed, resolver)
	if err != nil {
		return nil, err
	}
	return descriptor, resolver.own.RegisterFile(descriptor)
}

// A resolver finds descriptors of contracts that were compiled at run time, and those of the program.
type resolver struct{ own *protoregistry.Files }

// newResolver makes one for files and what they import.
func newResolver(files []protoreflect.FileDescriptor) *resolver {
	r := &resolver{own: new(protoregistry.Files)}
	for _, file := range files {
		r.add(file)
	}
	return r
}

func (r *resolver) add(file protoreflect.FileDescriptor) {
	if _, err := r.FindFileByPath(file.Path()); err == nil {
		return
	}
	for i := range file.Imports().Len() {
		r.add(file.Imports().Get(i).FileDescriptor)
	}
	_ = r.own.RegisterFile(file) // a conflict only hides it from reflection
}

// FindFileByPath finds a file by the name under which it is imported.
func (r *resolver) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if file, err := r.own.FindFileByPath(path); !errors.Is(err, protoregistry.NotFound) {
		return file, err
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

// FindDescriptorByName finds a message, service and so on by its full name.
func (r *resolver) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if descriptor, err := r.own.FindDescriptorByName(name); !errors.Is(err, protoregistry.NotFound) {
		return descriptor, err
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}
