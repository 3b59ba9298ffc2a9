package mortise_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	mortise "github.com/mortise-storage/mortise"
	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

const (
	contractFolder = "testdata/contract"
	notesContract  = contractFolder + "/mortise/notes/v1/notes.proto"
	notesQueries   = "testdata/notes.yaml"
	notesSchema    = "testdata/notes.sql"
)

// A method that is exactly one operation needs no Go code, neither written nor generated: here the
// program as it is shipped serves a .proto file that it has never seen, and a host calls it.
func TestOperationsNeedNoCode(t *testing.T) {
	t.Setenv("MORTISE_DATABASE", emptyDatabase(t))
	contract := []string{"--contract", notesContract, "-I", contractFolder}
	mustRun(t, append([]string{"init", "--config", notesQueries, "--schema", notesSchema}, contract...)...)
	mustRun(t, append([]string{"check", "--strict", "--config", notesQueries}, contract...)...)
	h := mustConnect(t, mortise.ConnectOptions{Config: notesQueries, Args: contract})
	info, err := h.Info(limited(t))
	if err != nil || !slices.Equal(info.GetDomains(), []string{"notes"}) {
		t.Errorf("domains: %v, %v", info.GetDomains(), err)
	}
	notes := notesClient{t, h, notesService(t)}
	before := time.Now().Add(-time.Hour)
	for _, request := range []string{
		`{"name": "b", "text": "second", "labels": ["x", "y"]}`,
		`{"name": "a", "text": "first", "labels": ["x"], "written": "2001-02-03T04:05:06.789Z"}`,
		`{"name": "c", "text": "third"}`,
	} {
		notes.expect("Put", request, `{"affected": "1"}`)
	}
	notes.expect("Get", `{"name": "a"}`, `{"name": "a", "text": "first", "labels": ["x"], "written": "2001-02-03T04:05:06.789Z"}`)
	notes.expect("List", `{"label": "none"}`, `{}`)
	listed := notes.mustCall("List", `{"label": "x"}`)
	if got := texts(listed, "notes", "text"); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("List: %v", got)
	}
	expectRecent(t, notes.mustCall("Get", `{"name": "b"}`), before)

	_, err = notes.call("Get", `{"name": "nobody's"}`)
	expectFault(t, err, codes.NotFound, fault.DoesNotExist)
	if key := fault.OperationOf(err); key != "notes.note.get_query" {
		t.Errorf("the error is about %q", key)
	}
	_, err = notes.call("Put", `{"text": "no name"}`)
	expectFault(t, err, codes.InvalidArgument, fault.InvalidArgument)
	answer, err := pluginv1.NewPluginClient(h.Conn()).Metrics(limited(t), &pluginv1.MetricsRequest{})
	if err != nil || !strings.Contains(string(answer.GetText()), `"note.put"`) {
		t.Errorf("the metrics know nothing of the operation: %v", err)
	}
}

// Without a host, too, and with descriptors for tools.
func TestContractOverPlainGRPC(t *testing.T) {
	t.Setenv("MORTISE_DATABASE", emptyDatabase(t))
	contract := []string{"--config", notesQueries, "--contract", notesContract, "-I", contractFolder}
	mustRun(t, append([]string{"init", "--schema", notesSchema}, contract...)...)
	l := startListener(t, append([]string{"--listen", "tcp://127.0.0.1:0", "--insecure"}, contract...)...)
	address := strings.TrimPrefix(l.line(t, "listening on "), "tcp://")
	expectReflection(t, dial(t, address, insecure.NewCredentials()), "mortise.notes.v1.Notes")
}

func TestCompileContractSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"syntax":  {"syntax = \"proto3\";\nmessage {}\n", "notes.proto:2:"},
		"imports": {"syntax = \"proto3\";\nimport \"nowhere.proto\";\n", "nowhere.proto"},
		"option":  {"syntax = \"proto3\";\nimport \"mortise/annotation/annotation.proto\";\noption (mortise.section) = { nome: \"x\" };\n", "nome"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := folder + "/notes.proto"
			writeFile(t, path, c.text)
			_, err := mortise.CompileContract(limited(t), nil, path)
			if err == nil {
				t.Fatal("it compiled")
			}
			expectParts(t, "the error", err.Error(), c.says)
		})
	}
}

// notesService is the descriptor a host has.
func notesService(t *testing.T) protoreflect.ServiceDescriptor {
	t.Helper()
	files, err := mortise.CompileContract(limited(t), []string{contractFolder}, notesContract)
	if err != nil {
		t.Fatal(err)
	}
	service := files[0].Services().ByName("Notes")
	if key := queryKey(service.Methods().ByName("Put")); key != "notes.note.put_query" {
		t.Fatalf("the annotation of Put says %q", key)
	}
	return service
}

// A notesClient calls methods by their descriptors, in protobuf's JSON form.
type notesClient struct {
	t       *testing.T
	host    *mortise.Host
	service protoreflect.ServiceDescriptor
}

func (c notesClient) call(name, request string) (proto.Message, error) {
	c.t.Helper()
	method := c.service.Methods().ByName(protoreflect.Name(name))
	in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		c.t.Fatal(err)
	}
	return out, c.host.Conn().Invoke(limited(c.t), "/"+string(c.service.FullName())+"/"+name, in, out)
}

func (c notesClient) mustCall(name, request string) proto.Message {
	c.t.Helper()
	response, err := c.call(name, request)
	if err != nil {
		c.t.Fatalf("%s(%s): %v", name, request, err)
	}
	return response
}

func (c notesClient) expect(name, request, want string) {
	c.t.Helper()
	got := c.mustCall(name, request)
	expected := dynamicpb.NewMessage(got.ProtoReflect().Descriptor())
	if err := protojson.Unmarshal([]byte(want), expected); err != nil {
		c.t.Fatal(err)
	}
	if !proto.Equal(got, expected) {
		c.t.Errorf("%s(%s) = %v, want %v", name, request, got, expected)
	}
}

// texts returns a text field of the messages in a list.
func texts(message proto.Message, list, field protoreflect.Name) (found []string) {
	m := message.ProtoReflect()
	items := m.Get(m.Descriptor().Fields().ByName(list)).List()
	for i := range items.Len() {
		item := items.Get(i).Message()
		found = append(found, item.Get(item.Descriptor().Fields().ByName(field)).String())
	}
	return found
}

// expectRecent checks that a time which the caller left out was filled in.
func expectRecent(t *testing.T, note proto.Message, after time.Time) {
	t.Helper()
	m := note.ProtoReflect()
	written := m.Get(m.Descriptor().Fields().ByName("written")).Message()
	seconds := written.Get(written.Descriptor().Fields().ByName("seconds")).Int()
	if at := time.Unix(seconds, 0); at.Before(after) || at.After(time.Now().Add(time.Hour)) {
		t.Errorf("written %v", at)
	}
}
