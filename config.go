package mortise

import (
	_ "embed"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mortise-storage/mortise/internal/document"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// Schema is the default schema, schema.sql: what `mortise init` applies, and what an embedded server
// is given when it starts.
//
//go:embed schema.sql
var Schema string

// ExampleQueries is the default query set, queries.example.yaml, written for Schema.
//
//go:embed queries.example.yaml
var ExampleQueries string

// A Config is what the operator's file says.
type Config struct {
	// File is the path it was read from, Files that path and those of the files that it includes.
	File  string
	Files []string
	// Storage is what the storage is opened from.
	Storage storage.Config
	// MetricsListen is the address on which metrics are served over HTTP; empty is not at all.
	MetricsListen string
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
	// Target is what the file says that it is written for, for checks: "postgres 15 pooler". Empty is any
	// server.
	Target string
	// AnnounceInterval is what a whole MoChi configuration tells clients; 0 if the file does not say it.
	// Only checks use it.
	AnnounceInterval time.Duration

	places map[string]problem.Position // of what is in the file, by the contract's full keys
}

// Load reads an operator's file for the built-in contract. It returns all problems of the file at
// once, those of the queries' texts included; the Config is usable if the problems' Err is nil.
//
// Three layouts are understood: Mortise's own, with a section for each domain; the one of MoChi's
// PostgreSQL storage, `storage: {name: pg, config: {...}}` with the tracker's groups inside config;
// and a whole MoChi configuration, of which only that part is read.
func Load(path string) (*Config, problem.List) {
	contract, err := storage.Contract()
	if err != nil {
		return nil, problem.List{{Severity: problem.Error, Rule: "contract", Message: err.Error()}}
	}
	return LoadWith(path, contract)
}

// LoadWith is Load for a contract that has more than the built-in operations.
func LoadWith(path string, contract *operation.Contract) (*Config, problem.List) {
	root, problems := document.Load(path, os.LookupEnv)
	if root == nil {
		return nil, problems
	}
	l := &loader{contract: contract, problems: problems,
		config: &Config{File: path, Storage: storage.Config{Settings: map[string]proto.Message{}, Sources: query.Sources{ByKey: map[string]query.Source{}}},
			places: map[string]problem.Position{}}}
	l.places = l.config.places
	l.config.Files = append([]string{path}, root.Files()...)
	l.config.Storage.File = path
	l.config.Storage.Sources.Settings = l.config.Storage.Settings // filled below
	l.file(root)
	l.config.Storage.Sources.Place = l.config.Place
	_, found := query.CompileSet(contract, l.config.Storage.Sources)
	l.problems = append(l.problems, found...)
	l.problems.Sort()
	return l.config, l.problems
}

// Given says whether a key stands in the file: "target", "tracker.peer.add_query", "tracker.gc_interval".
func (c *Config) Given(key string) bool {
	_, ok := c.places[key]
	return ok
}

// Place returns the place of a key's value in the file, or of the nearest thing around it that is there.
func (c *Config) Place(key string) problem.Position {
	for {
		if at, ok := c.places[key]; ok || key == "" {
			return at
		}
		key = key[:max(strings.LastIndexByte(key, '.'), 0)]
	}
}

// loader walks the document and fills the config.
type loader struct {
	contract *operation.Contract
	config   *Config
	problems problem.List
	places   map[string]problem.Position // the config's
}

// generalKeys are the keys beside the sections.
var generalKeys = []string{"connection_string", "listen_connection_string", "data_dir", "statement_mode", "call_timeout", "max_waiting", "retry_for", "metrics", "log_level", "target"}

func (l *loader) file(root *document.Node) {
	if !root.IsMapping(&l.problems) {
		return
	}
	if wrapper := root.Get("storage"); wrapper != nil {
		l.mochi(root, wrapper)
		return
	}
	l.settingsAndSections(root)
}

// mochi reads the layout of MoChi's PostgreSQL storage. Everything else of a whole MoChi
// configuration is that program's own affair.
func (l *loader) mochi(root, wrapper *document.Node) {
	if !wrapper.IsMapping(&l.problems) {
		return
	}
	l.add(wrapper.Unknown([]string{"name", "config"}))
	if name, ok := wrapper.Get("name").Text(&l.problems); ok && name != "pg" {
		l.add(problem.List{wrapper.Get("name").Problem(problem.Warning, "storage-name",
			"the storage is not named pg, so the rest may be meant for another driver", "name it pg")})
	}
	l.problems = slices.DeleteFunc(l.problems, func(p problem.Problem) bool {
		return p.Key != "" && p.Key != "storage" && !strings.HasPrefix(p.Key, "storage.")
	})
	if ignored := len(root.Entries) - 1; ignored > 0 {
		l.add(problem.List{root.Problem(problem.Info, "ignored-keys",
			fmt.Sprintf("%d keys beside storage are taken for the rest of a MoChi configuration and ignored", ignored), "")})
	}
	if interval := root.Get("announce_interval"); interval != nil {
		var foreign problem.List // the key belongs to MoChi, which may read other forms
		l.config.AnnounceInterval, _ = interval.Duration(&foreign)
	}
	content := wrapper.Get("config")
	if content == nil {
		l.add(problem.List{wrapper.Problem(problem.Error, "missing-key", "there is no config under storage", "put connection_string and the queries there")})
		return
	}
	if content.IsMapping(&l.problems) {
		l.settingsAndSections(content)
	}
}

// settingsAndSections reads a mapping that holds general keys and sections. Where it holds the
// tracker's groups instead of a section, as MoChi has it, it is the tracker's section as well.
func (l *loader) settingsAndSections(node *document.Node) {
	known := append([]string{}, generalKeys...)
	var sections []*operation.Section
	for _, section := range l.contract.Sections() {
		known = append(known, section.Name)
		if node.Get(section.Name) != nil {
			sections = append(sections, section)
		}
	}
	l.places[""] = node.Position
	l.general(node)
	if len(sections) == 0 {
		if section := l.inline(node); section != nil {
			l.section(section, node, generalKeys)
			l.needConnection(node, nil)
			return
		}
		l.add(problem.List{node.Problem(problem.Error, "no-section", "there is no section, so there is nothing to serve",
			"add one of: "+strings.Join(known[len(generalKeys):], ", "))})
	}
	l.add(node.Unknown(known, l.allPaths()...))
	for _, section := range sections {
		if content := node.Get(section.Name); content.IsMapping(&l.problems) {
			l.section(section, content, []string{"connection_string"})
			l.connection(content)
		}
	}
	l.needConnection(node, sections)
}

// inline returns the section whose groups the node holds directly, if that is allowed for it.
func (l *loader) inline(node *document.Node) *operation.Section {
	for _, section := range l.contract.Sections() {
		for _, group := range section.Groups() {
			if section.Inline && group != "" && node.Get(group) != nil {
				return section
			}
		}
	}
	return nil
}

func (l *loader) general(node *document.Node) {
	s := &l.config.Storage
	l.connection(node)
	for _, key := range generalKeys {
		l.seen(key, node.Get(key))
	}
	if target, ok := node.Get("target").Text(&l.problems); ok {
		l.config.Target = target
	}
	l.listenConnection(node.Get("listen_connection_string"))
	if dir, ok := node.Get("data_dir").Text(&l.problems); ok {
		s.EmbeddedDir = dir
	}
	if mode, ok := l.word(node.Get("statement_mode"), "auto", "prepared", "unprepared"); ok {
		s.Mode = map[string]database.Mode{"auto": database.Auto, "prepared": database.Prepared, "unprepared": database.Unprepared}[mode]
	}
	if level, ok := l.word(node.Get("log_level"), "debug", "info", "warn", "error"); ok {
		_ = l.config.LogLevel.UnmarshalText([]byte(level))
	}
	for key, target := range map[string]*time.Duration{"call_timeout": &s.CallTimeout, "retry_for": &s.RetryFor} {
		if d, ok := node.Get(key).Duration(&l.problems); ok {
			if d <= 0 {
				l.add(problem.List{node.Get(key).Problem(problem.Error, "not-positive", "must be more than 0", "write for example 5s")})
				continue
			}
			*target = d
		}
	}
	if n, ok := node.Get("max_waiting").Int(1, 1_000_000, &l.problems); ok {
		s.MaxWaiting = int(n)
	}
	if m := node.Get("metrics"); m != nil && m.IsMapping(&l.problems) {
		l.add(m.Unknown([]string{"listen"}))
		if listen, ok := m.Get("listen").Text(&l.problems); ok {
			l.config.MetricsListen = listen
		}
	}
}

// word reads a text that must be one of a few.
func (l *loader) word(node *document.Node, words ...string) (string, bool) {
	text, ok := node.Text(&l.problems)
	if !ok {
		return "", false
	}
	for _, w := range words {
		if strings.EqualFold(text, w) {
			return w, true
		}
	}
	fix := "write one of: " + strings.Join(words, ", ")
	if near := problem.Nearest(text, words); near != "" {
		fix = "did you mean " + near + "? possible are " + strings.Join(words, ", ")
	}
	l.add(problem.List{node.Problem(problem.Error, "unknown-word", "this word is not known here", fix)})
	return "", false
}

// section reads the keys of a domain.
func (l *loader) section(section *operation.Section, node *document.Node, also []string) {
	l.places[section.Name] = node.KeyPosition
	if node.Key == "" {
		l.places[section.Name] = node.Position
	}
	known := map[string][]string{"": also}
	for _, group := range section.Groups() {
		if group != "" {
			known[""] = append(known[""], group)
			if g := node.Get(group); g != nil {
				l.places[section.Name+"."+group] = g.KeyPosition
			}
		}
	}
	for _, op := range section.Operations {
		group := l.group(node, op.Group)
		known[op.Group] = append(known[op.Group], l.operation(op, group)...)
	}
	for _, setting := range section.Settings {
		known[setting.Group] = append(known[setting.Group], setting.Key[strings.LastIndexByte(setting.Key, '.')+1:])
	}
	l.add(node.Unknown(known[""], l.allPaths()...))
	for group, keys := range known {
		if g := node.Get(group); group != "" && g != nil && g.IsMapping(&l.problems) {
			l.add(g.Unknown(keys, l.allPaths()...))
		}
	}
	if message := section.NewSettings(); message != nil {
		l.settings(section, node, message)
		l.config.Storage.Settings[section.Name] = message
	}
}

// group returns the mapping that holds a group's keys; nil if there is none.
func (l *loader) group(section *document.Node, name string) *document.Node {
	if name == "" {
		return section
	}
	if g := section.Get(name); g != nil && g.Kind == document.Mapping {
		return g
	}
	return nil
}

// operation reads one operation's query and what belongs to it, and returns the keys it may have.
func (l *loader) operation(op *operation.Operation, group *document.Node) []string {
	key := op.Key[strings.LastIndexByte(op.Key, '.')+1:]
	keys := []string{key}
	source := query.Source{Columns: map[string]string{}}
	for _, column := range op.Columns {
		for _, name := range op.ColumnKeys(column) {
			keys = append(keys, name)
			l.seen(l.inGroup(op, name), group.Get(name))
			if text, ok := group.Get(name).Text(&l.problems); ok && source.Columns[column.Name] == "" {
				source.Columns[column.Name] = text
			}
		}
	}
	if op.Extends == nil {
		keys = append(keys, l.limits(op, group, &source)...)
	}
	node := group.Get(key)
	l.seen(op.Key, node)
	text, ok := node.Text(&l.problems)
	if !ok {
		return keys
	}
	l.add(node.SQLTraps())
	source.SQL, source.Locate = text, node.Locate
	l.config.Storage.Sources.ByKey[op.Key] = source
	return keys
}

// inGroup returns the full key of one that stands beside an operation's.
func (l *loader) inGroup(op *operation.Operation, key string) string {
	return op.Key[:strings.LastIndexByte(op.Key, '.')+1] + key
}

func (l *loader) limits(op *operation.Operation, group *document.Node, source *query.Source) []string {
	last := func(suffix string) string {
		full := op.SiblingKey(suffix)
		return full[strings.LastIndexByte(full, '.')+1:]
	}
	keys := []string{last("timeout")}
	l.seen(l.inGroup(op, keys[0]), group.Get(keys[0]))
	if timeout, ok := group.Get(keys[0]).Duration(&l.problems); ok {
		if timeout <= 0 {
			l.add(problem.List{group.Get(keys[0]).Problem(problem.Error, "not-positive", "must be more than 0", "write for example 5s, or leave it out")})
		}
		source.Timeout = timeout
	}
	if op.Spec.GetMaxRows() > 0 {
		keys = append(keys, last("max_rows"))
		l.seen(l.inGroup(op, keys[1]), group.Get(keys[1]))
		if n, ok := group.Get(keys[1]).Int(0, math.MaxInt64, &l.problems); ok {
			source.MaxRows = &n
		}
	}
	return keys
}

// settings fills a section's settings message: from the file, else with the contract's defaults.
func (l *loader) settings(section *operation.Section, node *document.Node, message proto.Message) {
	for _, setting := range section.Settings {
		group, key := l.group(node, setting.Group), setting.Key[strings.LastIndexByte(setting.Key, '.')+1:]
		value := group.Get(key)
		l.seen(section.Name+"."+setting.Key, value)
		if value == nil || !l.setting(setting, value, message) {
			setDefault(message, setting.Field, setting.Spec.GetDefault())
		}
	}
}

func (l *loader) setting(setting *operation.Setting, value *document.Node, message proto.Message) bool {
	m, fd := message.ProtoReflect(), setting.Field
	var number int64
	switch {
	case fd.Message() != nil:
		d, ok := value.Duration(&l.problems)
		if !ok {
			return false
		}
		number = int64(d)
		m.Set(fd, protoreflect.ValueOfMessage(durationpb.New(d).ProtoReflect()))
	case fd.Kind() == protoreflect.Int64Kind:
		n, ok := value.Int(math.MinInt64, math.MaxInt64, &l.problems)
		if !ok {
			return false
		}
		number = n
		m.Set(fd, protoreflect.ValueOfInt64(n))
	case fd.Kind() == protoreflect.BoolKind:
		b, ok := value.Bool(&l.problems)
		m.Set(fd, protoreflect.ValueOfBool(b))
		return ok
	default:
		if words := setting.Spec.GetValues(); len(words) > 0 {
			text, ok := l.word(value, words...)
			m.Set(fd, protoreflect.ValueOfString(text))
			return ok
		}
		text, ok := value.Text(&l.problems)
		m.Set(fd, protoreflect.ValueOfString(text))
		return ok
	}
	return l.inRange(setting, value, message, number)
}

// inRange replaces numbers that make no sense as MoChi does, with a warning.
func (l *loader) inRange(setting *operation.Setting, value *document.Node, message proto.Message, number int64) bool {
	replacement := ""
	switch {
	case setting.Spec.GetPositive() && number <= 0:
		replacement = setting.Spec.GetDefault()
	case setting.Spec.GetNegative() != "" && number < 0:
		replacement = setting.Spec.GetNegative()
	default:
		return true
	}
	l.add(problem.List{value.Problem(problem.Warning, "replaced-value", "is not a sensible value; "+replacement+" is taken instead", "write a larger one")})
	setDefault(message, setting.Field, replacement)
	return true
}

// setDefault sets a field to a text of the contract.
func setDefault(message proto.Message, fd protoreflect.FieldDescriptor, text string) {
	m := message.ProtoReflect()
	switch {
	case fd.Message() != nil:
		d, _ := time.ParseDuration(text)
		m.Set(fd, protoreflect.ValueOfMessage(durationpb.New(d).ProtoReflect()))
	case fd.Kind() == protoreflect.Int64Kind:
		n, _ := strconv.ParseInt(text, 10, 64)
		m.Set(fd, protoreflect.ValueOfInt64(n))
	case fd.Kind() == protoreflect.BoolKind:
		m.Set(fd, protoreflect.ValueOfBool(text == "true"))
	default:
		m.Set(fd, protoreflect.ValueOfString(text))
	}
}

// allPaths are all keys of the contract, for the hint that a key stands at the wrong level.
func (l *loader) allPaths() []string {
	var paths []string
	for _, op := range l.contract.Operations() {
		paths = append(paths, op.Key)
	}
	for _, section := range l.contract.Sections() {
		for _, setting := range section.Settings {
			paths = append(paths, section.Name+"."+setting.Key)
		}
	}
	return paths
}

// seen notes where the value of a key stands, if it is there.
func (l *loader) seen(key string, value *document.Node) {
	if value != nil {
		l.places[key] = value.Position
	}
}

func (l *loader) add(found problem.List) { l.problems = append(l.problems, found...) }
