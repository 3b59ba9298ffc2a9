package reference

import (
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
)

// JSONSchema writes a JSON Schema (draft 2020-12) of the operator's file, for editors that complete
// and explain keys.
func JSONSchema(contract *operation.Contract, comments Comments) ([]byte, error) {
	root := object{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Mortise query file", "type": "object"}
	properties := object{
		"connection_string": text("A URL, a DSN, or embedded."),
		"data_dir":          text("The data folder of the embedded server."),
		"statement_mode":    choice("How statements are sent.", "auto", "prepared", "unprepared"),
		"call_timeout":      text("The limit for calls that have none of their own, for example 5s."),
		"retry_for":         text("How long a call that failed for a passing reason is tried again."),
		"max_waiting":       object{"type": "integer", "minimum": 1, "description": "How many calls may be under way at once."},
		"metrics":           object{"type": "object", "properties": object{"listen": text("The address on which metrics are served.")}, "additionalProperties": false},
		"log_level":         choice("The least level that is logged.", "debug", "info", "warn", "error"),
	}
	for _, section := range contract.Sections() {
		properties[section.Name] = sectionSchema(section, comments)
	}
	root["properties"] = properties
	return json.MarshalIndent(root, "", "  ")
}

type object = map[string]any

func text(description string) object {
	return object{"type": "string", "description": description}
}

func choice(description string, words ...string) object {
	return object{"enum": words, "description": description}
}

func sectionSchema(section *operation.Section, comments Comments) object {
	groups := map[string]object{"": {"connection_string": text("The database of this section.")}}
	put := func(group, key string, value any) {
		if groups[group] == nil {
			groups[group] = object{}
		}
		groups[group][key[strings.LastIndexByte(key, '.')+1:]] = value
	}
	for _, op := range section.Operations {
		put(op.Group, op.Key, text(queryDescription(op, comments)))
		for _, column := range op.Columns {
			for _, key := range op.ColumnKeys(column) {
				put(op.Group, key, text("What the result column "+column.Name+" is called."))
			}
		}
		if op.Extends == nil {
			put(op.Group, op.SiblingKey("timeout"), text("The time limit of "+op.Key+", for example 2s."))
		}
		if op.Spec.GetMaxRows() > 0 {
			put(op.Group, op.SiblingKey("max_rows"), object{"type": "integer", "minimum": 0, "description": "How many rows " + op.Key + " may change at most; 0 is no bound."})
		}
	}
	for _, setting := range section.Settings {
		put(setting.Group, setting.Key, settingSchema(setting, comments))
	}
	properties := groups[""]
	for name, keys := range groups {
		if name != "" {
			properties[name] = object{"type": "object", "properties": keys, "additionalProperties": false}
		}
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

func queryDescription(op *operation.Operation, comments Comments) string {
	parts := []string{comments[op.Method.FullName()]}
	if len(op.Parameters) > 0 {
		parts = append(parts, "Parameters: @"+strings.Join(op.ParameterNames(), ", @")+".")
	}
	if r := op.Spec.GetResult(); r == annotation.Result_ROW || r == annotation.Result_ROWS {
		names := make([]string, len(op.Columns))
		for i, c := range op.Columns {
			names[i] = c.Name
		}
		parts = append(parts, "Columns: "+strings.Join(names, ", ")+".")
	}
	return strings.Join(parts, " ")
}

func settingSchema(s *operation.Setting, comments Comments) object {
	description := comments[s.Field.FullName()]
	switch {
	case len(s.Spec.GetValues()) > 0:
		return choice(description, s.Spec.GetValues()...)
	case s.Field.Kind() == protoreflect.Int64Kind:
		return object{"type": "integer", "description": description}
	case s.Field.Kind() == protoreflect.BoolKind:
		return object{"type": "boolean", "description": description}
	}
	return text(description)
}
