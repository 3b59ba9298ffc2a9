package mortise

import (
	"strings"

	"github.com/mortise-storage/mortise/internal/document"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// connection reads the way to the database, which may stand at the root or in a section.
func (l *loader) connection(node *document.Node) {
	value := node.Get("connection_string")
	l.seen("connection_string", value)
	text, ok := value.Text(&l.problems)
	if !ok {
		return
	}
	text = strings.TrimSpace(text) // a file's last line ends in a line break
	if l.config.Storage.Connection != "" && l.config.Storage.Connection != text {
		l.add(problem.List{value.Problem(problem.Error, "two-connections", "another connection_string is given already", "one file has one database; use one file for each")})
	}
	l.config.Storage.Connection = text
	if strings.Contains(text, "=...") {
		l.add(problem.List{value.Problem(problem.Warning, "T14", "placeholder in connection_string", "put in the database and the user")})
	}
}

// listenConnection reads the way that notifications take. What cannot be read is reported without its
// text, which may hold a password.
func (l *loader) listenConnection(value *document.Node) {
	text, ok := value.Text(&l.problems)
	if !ok {
		return
	}
	text = strings.TrimSpace(text)
	switch {
	case text == storage.Embedded || l.config.Storage.Connection == storage.Embedded:
		l.add(problem.List{value.Problem(problem.Error, "listen-embedded", "an embedded server has one way only", "leave listen_connection_string out")})
	case database.CheckListen(text) != nil:
		l.add(problem.List{value.Problem(problem.Error, "listen-connection", "this cannot be read as a connection string",
			"give a URL (postgres://user@host/database) or a DSN (host=... dbname=...)")})
	}
	l.config.Storage.ListenConnection = text
}

// needConnection reports a connection_string that is nowhere.
func (l *loader) needConnection(node *document.Node, sections []*operation.Section) {
	for _, section := range sections {
		if node.Get(section.Name).Get("connection_string") != nil {
			return
		}
	}
	if node.Get("connection_string") != nil {
		return // it is given; if it is no text, that is reported already
	}
	l.add(problem.List{{Severity: problem.Error, Rule: "missing-key", Position: node.Position, Key: "connection_string",
		Message: "connection_string is missing", Fix: "give a URL (postgres://user@host/database), a DSN (host=... dbname=...), or embedded"}})
}
