package reference_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/api"
	"github.com/mortise-storage/mortise/internal/reference"
	"github.com/mortise-storage/mortise/storage"
)

// TestReferenceIsWhole checks that every operation, parameter, column, setting and method is in the
// reference and has a comment in its .proto file.
func TestReferenceIsWhole(t *testing.T) {
	contract, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	comments, err := reference.ReadComments(api.Sources)
	if err != nil {
		t.Fatal(err)
	}
	text := reference.Markdown(contract, comments)
	schema, err := reference.JSONSchema(contract, comments)
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Definitions map[string]struct {
			Properties map[string]struct {
				Description string
				Properties  map[string]struct{ Description string }
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(schema, &parsed); err != nil {
		t.Fatal(err)
	}
	for _, op := range contract.Operations() {
		_, after, found := strings.Cut(text, "#### "+op.Key+"\n")
		if !found {
			t.Errorf("%s has no heading", op.Key)
		}
		own, _, _ := strings.Cut(after, "\n#### ")
		if comments[op.Method.FullName()] == "" || !strings.Contains(own, comments[op.Method.FullName()]) {
			t.Errorf("%s has no comment", op.Key)
		}
		for _, p := range op.Parameters {
			if !strings.Contains(own, "`@"+p.Name+"`") {
				t.Errorf("%s: @%s is missing", op.Key, p.Name)
			}
		}
		key := op.Key[strings.LastIndexByte(op.Key, '.')+1:]
		section := parsed.Definitions[op.Section].Properties
		description := section[key].Description
		if op.Group != "" {
			description = section[op.Group].Properties[key].Description
		}
		if !strings.Contains(description, comments[op.Method.FullName()]) {
			t.Errorf("%s is not explained in the JSON Schema", op.Key)
		}
	}
	for _, section := range contract.Sections() {
		for _, s := range section.Settings {
			if comments[s.Field.FullName()] == "" || !strings.Contains(text, "`"+section.Name+"."+s.Key+"`") {
				t.Errorf("setting %s is missing", s.Key)
			}
		}
	}
	for _, service := range contract.Services() {
		for i := range service.Methods().Len() {
			m := service.Methods().Get(i)
			if comments[m.FullName()] == "" || !strings.Contains(text, "**"+string(m.Name())+"**") {
				t.Errorf("%s is missing", m.FullName())
			}
		}
	}
}
