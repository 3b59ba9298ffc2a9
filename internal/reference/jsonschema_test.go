package reference_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/mortise-storage/mortise/api"
	"github.com/mortise-storage/mortise/internal/reference"
	"github.com/mortise-storage/mortise/storage"
)

// editorsSchema compiles the schema as an editor would.
func editorsSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	contract, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	comments, err := reference.ReadComments(api.Sources)
	if err != nil {
		t.Fatal(err)
	}
	text, err := reference.JSONSchema(contract, comments)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("queries.schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("queries.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// validate checks a YAML text and returns the places that are wrong, joined.
func validate(t *testing.T, schema *jsonschema.Schema, text string) string {
	t.Helper()
	var document any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	err := schema.Validate(document)
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%#v", err)
}

func TestQuerySetsMatchTheSchema(t *testing.T) {
	schema := editorsSchema(t)
	files, err := filepath.Glob("../../schemas/*/queries.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no query sets: %v", err)
	}
	for _, file := range append(files, "../../queries.example.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := validate(t, schema, string(text)); wrong != "" {
			t.Errorf("%s: %s", file, wrong)
		}
	}
}

// dataOnly is the smallest section, to which cases add what they are about.
const dataOnly = "tracker:\n  data:\n    add_query: a\n    get_query: b\n    del_query: c\n"

func TestSchemaTellsRightFromWrong(t *testing.T) {
	schema := editorsSchema(t)
	for name, c := range map[string]struct{ text, wrong string }{
		"the smallest file":           {dataOnly, ""},
		"general keys":                {"connection_string: host=a\nlisten_connection_string: host=b\ntarget: postgres 15\ncall_timeout: 1.5s\nmax_waiting: 5\nlog_level: warn\nmetrics: {listen: ':1'}\n" + dataOnly, ""},
		"variables instead of values": {"max_waiting: ${WAITING:-7}\nlog_level: ${LEVEL}\ncall_timeout: ${LIMIT}\n" + dataOnly, ""},
		"settings":                    {dataOnly + "  gc_interval: 3m\n  gc_limit: 500\n  downloads: {count_on: graduated}\n", ""},
		"groups at the root":          {"connection_string: embedded\ndata: {add_query: a, get_query: b, del_query: c}\ngc_interval: 1m\n", ""},
		"a whole MoChi configuration": {"announce_interval: 30m\nfrontends: [http]\nstorage: {name: pg, config: {connection_string: x, data: {add_query: a, get_query: b, del_query: c}}}\n", ""},

		"an unknown key":              {dataOnly + "  gc_intervall: 3m\n", "gc_intervall"},
		"an unknown general key":      {"conection_string: embedded\n" + dataOnly, "conection_string"},
		"an unknown query":            {dataOnly + "    put_query: x\n", "put_query"},
		"a missing query":             {"tracker:\n  data: {add_query: a, get_query: b}\n", "del_query"},
		"a query that is a number":    {strings.Replace(dataOnly, "add_query: a", "add_query: 7", 1), "add_query"},
		"a query that is a list":      {strings.Replace(dataOnly, "add_query: a", "add_query: [a]", 1), "add_query"},
		"a duration without unit":     {dataOnly + "  gc_interval: 3\n", "gc_interval"},
		"a duration in words":         {dataOnly + "  gc_interval: three minutes\n", "gc_interval"},
		"a word that is not known":    {dataOnly + "  downloads: {count_on: finished}\n", "count_on"},
		"a number that is too small":  {"max_waiting: 0\n" + dataOnly, "max_waiting"},
		"a number in words":           {dataOnly + "  gc_limit: many\n", "gc_limit"},
		"a group at the wrong level":  {dataOnly + "    downloads: {get_query: x}\n", "downloads"},
		"no section":                  {"connection_string: embedded\n", "tracker"},
		"a section without a profile": {"tracker: {gc_interval: 3m}\n", "data"},
		"another MoChi storage":       {"storage: {name: redis, config: {}}\n", "name"},
		"MoChi without config":        {"storage: {name: pg}\n", "config"},
		"an unknown key in MoChi's":   {"storage: {name: pg, config: {data: {add_query: a, get_query: b, del_query: c, ad_query: d}}}\n", "ad_query"},
		"neither clause nor scrape":   {"tracker:\n  announce: {query: a}\n  peer: {add_query: a, del_query: b, graduate_query: c, count_query: d}\n", "by_info_hash_clause"},
	} {
		wrong := validate(t, schema, c.text)
		if c.wrong == "" && wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
		if c.wrong != "" && !strings.Contains(wrong, c.wrong) {
			t.Errorf("%s: %q does not name %s", name, wrong, c.wrong)
		}
	}
}
