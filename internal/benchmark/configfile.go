package benchmark

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// edits are what is changed in a copy of an operator's file.
type edits struct {
	// connection is the connection_string's new text.
	connection string
	// sections are the names that sections may have, settings their keys that get another value.
	sections []string
	settings map[string]map[string]string
}

// apply returns the changed text of a file. Everything but what is edited stays as it is; that is
// checked, since queries must not change by being copied.
func (e edits) apply(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 {
		return nil, errors.New("it holds no document")
	}
	absoluteFiles(&document, filepath.Dir(file))
	e.file(document.Content[0])
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(4)
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	var copied yaml.Node
	if err := yaml.Unmarshal(out.Bytes(), &copied); err != nil {
		return nil, err
	}
	return out.Bytes(), sameValues(&document, &copied)
}

// file edits the layouts that package mortise reads: sections at the root, one section's groups at the
// root, or those inside storage.config.
func (e edits) file(root *yaml.Node) {
	if config := child(child(root, "storage"), "config"); config != nil {
		root = config
	}
	set(root, "connection_string", e.connection)
	remove(root, "listen_connection_string") // it leads to the other database
	remove(root, "metrics")
	found := false
	for _, name := range e.sections {
		section := child(root, name)
		if section == nil {
			continue
		}
		found = true
		remove(section, "connection_string")
		e.section(section, name)
	}
	if !found {
		for name := range e.settings {
			e.section(root, name)
		}
	}
}

// section sets keys of a section, and of its groups where the key names one ("uploads.expire_interval"). A
// group that is not there needs no setting.
func (e edits) section(node *yaml.Node, name string) {
	for key, value := range e.settings[name] {
		group, inner, grouped := strings.Cut(key, ".")
		switch {
		case !grouped:
			set(node, key, value)
		case child(node, group) != nil:
			set(child(node, group), inner, value)
		}
	}
}

// position of a key's value in a mapping; -1 if it is not there. Keys are compared as the loader does.
func position(mapping *yaml.Node, key string) int {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if strings.EqualFold(mapping.Content[i].Value, key) {
			return i + 1
		}
	}
	return -1
}

func child(mapping *yaml.Node, key string) *yaml.Node {
	if i := position(mapping, key); i >= 0 {
		return mapping.Content[i]
	}
	return nil
}

func set(mapping *yaml.Node, key, value string) {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if i := position(mapping, key); i >= 0 {
		mapping.Content[i] = node
		return
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, node)
}

func remove(mapping *yaml.Node, key string) {
	if i := position(mapping, key); i >= 0 {
		mapping.Content = append(mapping.Content[:i-1:i-1], mapping.Content[i+1:]...)
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)(:-([^}]*))?\}`)

// absoluteFiles makes names after !file independent of where the document lies.
func absoluteFiles(node *yaml.Node, folder string) {
	for _, inner := range node.Content {
		absoluteFiles(inner, folder)
	}
	if node.Kind != yaml.ScalarNode || node.Tag != "!file" {
		return
	}
	expanded := variable.ReplaceAllStringFunc(node.Value, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		if value := os.Getenv(parts[1]); value != "" {
			return value
		}
		return parts[3]
	})
	if !filepath.IsAbs(expanded) {
		if absolute, err := filepath.Abs(folder); err == nil {
			folder = absolute
		}
		node.Value = strings.TrimSuffix(folder, "/") + "/" + node.Value
	}
}

// sameValues tells where two documents differ in their values.
func sameValues(a, b *yaml.Node) error {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) || strings.HasPrefix(a.Tag, "!file") != strings.HasPrefix(b.Tag, "!file") {
		return fmt.Errorf("the value in line %d cannot be copied", a.Line)
	}
	for i := range a.Content {
		if err := sameValues(a.Content[i], b.Content[i]); err != nil {
			return err
		}
	}
	return nil
}
