package demo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// What the demo changes in its copy of the operator's file: an abandoned job is taken over after seconds
// and not minutes, so that one can wait for it.
const (
	staleAfter = "2s"
	heartbeat  = "400ms"
)

// dataDir is the folder of the embedded database in the state folder.
const dataDir = "postgres"

// writeOperatorFile copies the operator's file into the state folder, changed for the demo, and returns
// its path. Only the section media stays: nothing else is asked for here.
func writeOperatorFile(state, file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the operator's file: %w", err)
	}
	changed, err := changeOperatorFile(content, filepath.Join(state, dataDir))
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	path := filepath.Join(state, "mortise.yaml")
	return path, os.WriteFile(path, changed, 0o600)
}

func changeOperatorFile(content []byte, data string) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 || value(document.Content[0], "media") == nil {
		return nil, errors.New("it has no section media")
	}
	if bytes.Contains(content, []byte("!file")) {
		return nil, errors.New("it takes queries from other files, which the demo's copy would not find")
	}
	root := document.Content[0]
	media := value(root, "media")
	for _, change := range []struct{ group, key, text string }{
		{"queue", "stale_after", staleAfter},
		{"queue", "heartbeat_interval", heartbeat},
		{"queue", "poll_interval", "200ms"},
		{"variants", "stale_after", staleAfter},
		{"variants", "heartbeat_interval", heartbeat},
		{"variants", "poll_interval", "200ms"},
	} {
		group := value(media, change.group)
		if group == nil {
			return nil, fmt.Errorf("its section media has no group %s", change.group)
		}
		set(group, change.key, change.text)
	}
	for i := 0; i < len(root.Content); {
		if key := root.Content[i].Value; key == "tracker" || key == "jobs" || key == "catalog" {
			root.Content = append(root.Content[:i], root.Content[i+2:]...)
			continue
		}
		i += 2
	}
	set(root, "connection_string", "${MORTISE_DATABASE}")
	set(root, "data_dir", data)
	var out bytes.Buffer
	fmt.Fprintln(&out, "# A copy for the demo: only the section media, and other times.")
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(4)
	err := errors.Join(encoder.Encode(root), encoder.Close())
	return out.Bytes(), err
}

// value returns what a mapping has under a key; nil if it is not there.
func value(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Kind == yaml.MappingNode && mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// set gives a mapping a text under a key.
func set(mapping *yaml.Node, key, text string) {
	if old := value(mapping, key); old != nil {
		*old = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
		return
	}
	mapping.Content = append(mapping.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text})
}

// embeddedSocket returns where the embedded server of a data folder listens: its folder and port.
// PostgreSQL itself writes them into lines 5 and 4 of postmaster.pid.
func embeddedSocket(data string) (folder, port string, err error) {
	found, err := filepath.Glob(filepath.Join(data, "*", "postmaster.pid"))
	if err != nil || len(found) != 1 {
		return "", "", fmt.Errorf("no running server found under %s", data)
	}
	content, err := os.ReadFile(found[0])
	if err != nil {
		return "", "", err
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 5 || lines[4] == "" {
		return "", "", fmt.Errorf("%s does not say where the socket is", found[0])
	}
	return lines[4], lines[3], nil
}

// dsn is how to reach the embedded server through a folder with its socket. Each host's plugin gets few
// connections: there are many plugins here, and one server.
func dsn(folder, port string) string {
	return fmt.Sprintf("host='%s' port=%s user=mortise dbname=mortise sslmode=disable pool_max_conns=8", folder, port)
}
