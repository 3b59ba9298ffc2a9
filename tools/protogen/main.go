// Command protogen turns the annotated .proto files below a folder into Go.
//
// It compiles them with protocompile, the compiler inside buf, and feeds protoc-gen-go and
// protoc-gen-go-grpc as protoc would. So no protoc has to be installed, and the versions that made
// the generated files are exactly those of this module's go.mod. With -check it writes nothing and
// fails if a generated file is not what it would write.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a generated file is stale")
	flag.Parse()
	for _, root := range flag.Args() {
		if err := run(root, *check); err != nil {
			fmt.Fprintln(os.Stderr, "protogen:", err)
			os.Exit(1)
		}
	}
}

func run(root string, check bool) error {
	// A root may use the files of another: "dir:import-dir:import-dir".
	roots := strings.Split(root, ":")
	names, err := protoFiles(roots[0])
	if err != nil {
		return err
	}
	request, err := compile(roots, names)
	if err != nil {
		return err
	}
	stale := 0
	for _, plugin := range []string{"google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc"} {
		files, err := generate(plugin, request)
		if err != nil {
			return err
		}
		for _, f := range files {
			path := filepath.Join(roots[0], f.GetName())
			if check {
				if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, []byte(f.GetContent())) {
					fmt.Fprintf(os.Stderr, "%s is stale: run make generate\n", path)
					stale++
				}
				continue
			}
			if err := os.WriteFile(path, []byte(f.GetContent()), 0o644); err != nil {
				return err
			}
		}
	}
	if stale > 0 {
		return fmt.Errorf("%d generated files are not what the .proto files say", stale)
	}
	return nil
}

func protoFiles(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".proto") {
			name, relErr := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(name))
			return relErr
		}
		return err
	})
	sort.Strings(names)
	return names, err
}

// compile makes the request that protoc would send to its plugins.
func compile(roots, names []string) (*pluginpb.CodeGeneratorRequest, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: roots}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, err
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: names, Parameter: proto.String("paths=source_relative")}
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		request.ProtoFile = append(request.ProtoFile, reparse(protodesc.ToFileDescriptorProto(f)))
	}
	for _, f := range files {
		add(f)
	}
	return request, nil
}

// reparse turns extensions into unknown bytes, the form in which plugins expect options that they
// do not know.
func reparse(f *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(f)
	if err != nil {
		panic(err)
	}
	clean := &descriptorpb.FileDescriptorProto{}
	if err := (proto.UnmarshalOptions{}).Unmarshal(data, clean); err != nil {
		panic(err)
	}
	return clean
}

func generate(plugin string, request *pluginpb.CodeGeneratorRequest) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	input, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "tool", filepath.Base(plugin))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", plugin, err)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(output, &response); err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, fmt.Errorf("%s: %s", plugin, response.GetError())
	}
	return response.File, nil
}
