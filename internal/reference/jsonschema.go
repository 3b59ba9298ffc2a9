package reference

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
)

// JSONSchema writes a JSON Schema (draft 2020-12) of the operator's file, for editors that complete
// and explain keys. It knows all three layouts of the file. Two things that the program takes are
// beyond it: keys in capital letters, and keys of further contracts.
func JSONSchema(contract *operation.Contract, comments Comments) ([]byte, error) {
	s := &schema{comments: comments, definitions: object{
		"duration": object{"type": "string", "pattern": `^\s*-?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+\s*$|^\s*0\s*$|\$\{`},
		"variable": object{"type": "string", "pattern": `\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`, "description": "A value from the environment: ${NAME} or ${NAME:-default}."},
	}}
	own := object{}
	var inline []any // what a file looks like that has a section's groups at its root
	for _, section := range contract.Sections() {
		s.definitions[section.Name] = s.section(section, object{"connection_string": connection()}, true)
		own[section.Name] = ref(section.Name)
		if !section.Inline {
			continue
		}
		s.definitions[section.Name+"_inline"] = s.section(section, general(), false)
		inline = append(inline, object{"if": object{"anyOf": requireEach(section.Groups())}, "then": ref(section.Name + "_inline"), "else": true})
	}
	bare := object{"type": "object", "allOf": inline}
	s.definitions["bare"] = bare
	for key, value := range general() {
		own[key] = value
	}
	root := object{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Mortise query file", "type": "object",
		"$defs": s.definitions,
		"if":    object{"required": []string{"storage"}},
		"then": object{"properties": object{"storage": object{"type": "object", "required": []string{"config"}, "additionalProperties": false,
			"description": "MoChi's layout: everything else in the file is that program's own.",
			"properties":  object{"name": object{"const": "pg", "description": "The name of MoChi's PostgreSQL storage."}, "config": ref("bare")}}}},
		"else": object{
			"if":   object{"anyOf": s.groupsAtRoot(contract)},
			"then": ref("bare"),
			"else": object{"properties": own, "additionalProperties": false, "anyOf": requireEach(sectionNames(contract))},
		},
	}
	return json.MarshalIndent(root, "", "  ")
}

type object = map[string]any

// schema collects the definitions.
type schema struct {
	comments    Comments
	definitions object
}

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func text(description string) object { return object{"type": "string", "description": description} }

func duration(description string) object {
	return object{"$ref": "#/$defs/duration", "description": description}
}

// choice is one of a few words, or a variable.
func choice(description string, words ...string) object {
	return object{"description": description, "anyOf": []any{object{"enum": words}, ref("variable")}}
}

// number is a whole number, or a variable.
func number(description string, least any) object {
	whole := object{"type": "integer"}
	if least != nil {
		whole["minimum"] = least
	}
	return object{"description": description, "anyOf": []any{whole, ref("variable")}}
}

func connection() object {
	return text("A URL (postgres://user@host/database), a DSN (host=... dbname=...), or embedded: a private PostgreSQL that Mortise starts by itself.")
}

// general are the keys beside the sections.
func general() object {
	return object{
		"connection_string":        connection(),
		"listen_connection_string": text("A URL or DSN for the one connection that receives notifications, on a way around a pooler in transaction mode. Left out: connection_string."),
		"target":                   text("What the queries are written for, for mortise check: postgres or cockroachdb, the lowest version, and pooler if one in transaction mode is in between. For example: postgres 15 pooler."),
		"data_dir":                 text("The data folder of the embedded server."),
		"statement_mode":           choice("How statements are sent. auto finds out what works.", "auto", "prepared", "unprepared"),
		"call_timeout":             duration("The limit for calls that have none of their own, for example 5s."),
		"retry_for":                duration("How long a call that failed for a passing reason is tried again."),
		"max_waiting":              number("How many calls may be under way at once.", 1),
		"metrics": object{"type": "object", "description": "Metrics over HTTP.", "additionalProperties": false,
			"properties": object{"listen": text("The address on which metrics are served, for example 127.0.0.1:9180.")}},
		"log_level": choice("The least level that is logged.", "debug", "info", "warn", "error"),
	}
}

// section describes a section's keys. Only in a section of its own are required keys demanded: an
// inline one may be the file of a program that reads more than its storage.
func (s *schema) section(section *operation.Section, beside object, demanding bool) object {
	groups := map[string]object{"": beside}
	put := func(group, key string, value any) {
		if groups[group] == nil {
			groups[group] = object{}
		}
		groups[group][key[strings.LastIndexByte(key, '.')+1:]] = value
	}
	for _, op := range section.Operations {
		put(op.Group, op.Key, text(s.queryDescription(op)))
		for _, column := range op.Columns {
			for _, key := range op.ColumnKeys(column) {
				put(op.Group, key, text("What the result column "+column.Name+" is called."))
			}
		}
		if op.Extends == nil {
			put(op.Group, op.SiblingKey("timeout"), duration("The time limit of "+op.Key+", for example 2s."))
		}
		if op.Spec.GetMaxRows() > 0 {
			put(op.Group, op.SiblingKey("max_rows"), number("How many rows "+op.Key+" may change at most; 0 is no bound.", 0))
		}
	}
	for _, setting := range section.Settings {
		put(setting.Group, setting.Key, s.setting(setting))
	}
	properties := groups[""]
	for name, keys := range groups {
		if name != "" {
			properties[name] = withDemands(object{"type": "object", "properties": keys, "additionalProperties": false}, section, name)
		}
	}
	result := withDemands(object{"type": "object", "properties": properties, "additionalProperties": false}, section, "")
	if demanding {
		var profiles []any
		for _, groups := range section.Profiles {
			profiles = append(profiles, object{"required": groups})
		}
		if profiles != nil {
			result["anyOf"] = profiles
		}
	}
	return result
}

// withDemands adds the queries that a group must hold once it is there.
func withDemands(group object, section *operation.Section, name string) object {
	var all []any
	var required []string
	for _, op := range section.Operations {
		key := op.Key[strings.LastIndexByte(op.Key, '.')+1:]
		unless := op.Spec.GetUnless()
		switch {
		case op.Group != name || op.Spec.GetNeed() != annotation.Need_REQUIRED:
		case len(unless) == 0:
			required = append(required, key)
		default: // all replacements stand in the same group, or the editor has to trust the program
			others := make([]string, 0, len(unless))
			for _, other := range unless {
				others = append(others, other[strings.LastIndexByte(other, '.')+1:])
			}
			if !slices.ContainsFunc(unless, func(other string) bool { return other[:strings.LastIndexByte(other, '.')] != section.Name+"."+name }) {
				all = append(all, object{"anyOf": []any{object{"required": []string{key}}, object{"required": others}}})
			}
		}
	}
	if required != nil {
		group["required"] = required
	}
	if all != nil {
		group["allOf"] = all
	}
	return group
}

func (s *schema) groupsAtRoot(contract *operation.Contract) []any {
	var all []any
	for _, section := range contract.Sections() {
		if section.Inline {
			all = append(all, requireEach(section.Groups())...)
		}
	}
	return all
}

func sectionNames(contract *operation.Contract) []string {
	var names []string
	for _, section := range contract.Sections() {
		names = append(names, section.Name)
	}
	return names
}

// requireEach is a list of conditions: that one of the keys is there.
func requireEach(keys []string) []any {
	var all []any
	for _, key := range keys {
		if key != "" {
			all = append(all, object{"required": []string{key}})
		}
	}
	return all
}

func (s *schema) queryDescription(op *operation.Operation) string {
	parts := []string{s.comments[op.Method.FullName()]}
	if len(op.Parameters) > 0 {
		names := make([]string, len(op.Parameters))
		for i, p := range op.Parameters {
			names[i] = fmt.Sprintf("@%s %s", p.Name, p.TypeName())
		}
		parts = append(parts, "Parameters (? may be NULL): "+strings.Join(names, ", ")+".")
	}
	if r := op.Spec.GetResult(); r == annotation.Result_ROW || r == annotation.Result_ROWS {
		names := make([]string, len(op.Columns))
		for i, c := range op.Columns {
			names[i] = c.Name
		}
		parts = append(parts, "Columns: "+strings.Join(names, ", ")+".")
	}
	if without := op.Spec.GetWithout(); without != "" {
		parts = append(parts, "Without it "+without+".")
	}
	return strings.Join(parts, "\n\n")
}

func (s *schema) setting(setting *operation.Setting) object {
	description := s.comments[setting.Field.FullName()]
	var value object
	switch {
	case len(setting.Spec.GetValues()) > 0:
		value = choice(description, setting.Spec.GetValues()...)
	case setting.Field.Message() != nil:
		value = duration(description)
	case setting.Field.Kind() == protoreflect.Int64Kind:
		value = number(description, nil)
	case setting.Field.Kind() == protoreflect.BoolKind:
		value = object{"description": description, "anyOf": []any{object{"type": "boolean"}, ref("variable")}}
	default:
		value = text(description)
	}
	if standard := setting.Spec.GetDefault(); standard != "" {
		value["description"] = description + "\n\nDefault: " + standard + "."
	}
	return value
}
