// Package reference writes the documentation of the contract: a reference for people and a JSON
// Schema for editors, both made from the annotated .proto files, so that they cannot disagree with
// what the program does.
//
// The .proto sources are compiled when the reference is written, because descriptors inside a
// program carry no comments.
package reference

import (
	"context"
	"fmt"
	"io/fs"
	"sort"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
)

// Comments holds the comment of each declaration, by its full name.
type Comments map[protoreflect.FullName]string

// ReadComments compiles the .proto files of a file system and returns their comments.
func ReadComments(sources fs.FS) (Comments, error) {
	var names []string
	err := fs.WalkDir(sources, ".", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".proto") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			Accessor: protocompile.SourceAccessorFromMap(readAll(sources, names))}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, err
	}
	comments := Comments{}
	for _, file := range files {
		comments.addFile(file)
	}
	return comments, nil
}

func readAll(sources fs.FS, names []string) map[string]string {
	texts := map[string]string{}
	for _, name := range names {
		if text, err := fs.ReadFile(sources, name); err == nil {
			texts[name] = string(text)
		}
	}
	return texts
}

func (c Comments) addFile(file protoreflect.FileDescriptor) {
	note := func(d protoreflect.Descriptor) {
		if text := strings.TrimSpace(file.SourceLocations().ByDescriptor(d).LeadingComments); text != "" {
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				lines[i] = strings.TrimSpace(line)
			}
			c[d.FullName()] = strings.Join(lines, " ")
		}
	}
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		note(service)
		for j := range service.Methods().Len() {
			note(service.Methods().Get(j))
		}
	}
	var messages func(protoreflect.MessageDescriptors)
	messages = func(list protoreflect.MessageDescriptors) {
		for i := range list.Len() {
			note(list.Get(i))
			for j := range list.Get(i).Fields().Len() {
				note(list.Get(i).Fields().Get(j))
			}
			messages(list.Get(i).Messages())
		}
	}
	messages(file.Messages())
}

// Markdown writes the reference.
func Markdown(contract *operation.Contract, comments Comments) string {
	w := &writer{comments: comments}
	w.line("# Operations")
	w.line("")
	w.line("<!-- Made by `mortise docs` from the .proto files under api/. Do not edit: run `make generate`. -->")
	w.line("")
	w.line("What the operator's queries must do, and what a host can call. An operation is named by the key of its")
	w.line("query in the YAML file. Parameters are used as `@name`, or as `$n` with the number given here; what stands")
	w.line("behind a kind is said in [the operator's guide](operators.md#kinds).")
	for _, section := range contract.Sections() {
		w.section(contract, section)
	}
	return w.String()
}

type writer struct {
	strings.Builder
	comments Comments
}

func (w *writer) line(format string, args ...any) {
	if len(args) == 0 {
		w.WriteString(format + "\n")
		return
	}
	fmt.Fprintf(w, format+"\n", args...)
}

func (w *writer) section(contract *operation.Contract, section *operation.Section) {
	w.line("\n## %s\n", section.Name)
	if len(section.Profiles) > 0 {
		w.line("The section must hold at least one of these sets of groups completely: %s.\n", profiles(section))
	}
	w.overview(section)
	w.settings(section)
	w.line("\n### Queries of `%s`", section.Name)
	for _, op := range section.Operations {
		w.operation(op)
	}
	w.line("\n### What a host can call: `%s`", section.Name)
	for _, service := range contract.Services() {
		if belongs(contract, section, service) {
			w.service(contract, service)
		}
	}
}

func profiles(section *operation.Section) string {
	var texts []string
	for _, groups := range section.Profiles {
		texts = append(texts, "`"+strings.Join(groups, "` and `")+"`")
	}
	return strings.Join(texts, ", or ")
}

func belongs(contract *operation.Contract, section *operation.Section, service protoreflect.ServiceDescriptor) bool {
	for _, op := range section.Operations {
		if op.Method.ParentFile() == service.ParentFile() {
			return true
		}
	}
	return false
}

func (w *writer) overview(section *operation.Section) {
	w.line("| key | result | need | used |")
	w.line("| --- | --- | --- | --- |")
	for _, op := range section.Operations {
		w.line("| [`%s`](#%s) | %s | %s | %s |", op.Key, anchor(op.Key), result(op), need(op), heats[op.Spec.GetHeat()])
	}
}

func anchor(key string) string { return strings.ReplaceAll(key, ".", "") }

var heats = map[annotation.Heat]string{
	annotation.Heat_HOT: "on every request", annotation.Heat_WARM: "often", annotation.Heat_RARE: "rarely", annotation.Heat_BACKGROUND: "periodically",
}

var results = map[annotation.Result]string{
	annotation.Result_NONE: "none", annotation.Result_AFFECTED: "affected", annotation.Result_SCALAR: "one value",
	annotation.Result_ROW: "one row", annotation.Result_ROWS: "rows",
}

func result(op *operation.Operation) string { return results[op.Spec.GetResult()] }

func need(op *operation.Operation) string {
	switch {
	case op.Spec.GetNeed() == annotation.Need_REQUIRED && len(op.Spec.GetUnless()) > 0:
		return "required unless `" + strings.Join(op.Spec.GetUnless(), "`, `") + "`"
	case op.Spec.GetNeed() == annotation.Need_REQUIRED:
		return "required"
	case op.Spec.GetDefaultQuery() != "":
		return "has a default"
	}
	return "optional"
}

func (w *writer) settings(section *operation.Section) {
	if len(section.Settings) == 0 {
		return
	}
	w.line("\n### Settings of `%s`\n", section.Name)
	w.line("| key | type | default | meaning |")
	w.line("| --- | --- | --- | --- |")
	for _, s := range section.Settings {
		w.line("| `%s.%s` | %s | %s | %s |", section.Name, s.Key, settingType(s), code(s.Spec.GetDefault()), w.comments[s.Field.FullName()])
	}
}

func settingType(s *operation.Setting) string {
	if values := s.Spec.GetValues(); len(values) > 0 {
		return "`" + strings.Join(values, "` or `") + "`"
	}
	switch {
	case s.Field.Message() != nil:
		return "duration"
	case s.Field.Kind() == protoreflect.Int64Kind:
		return "number"
	case s.Field.Kind() == protoreflect.BoolKind:
		return "true or false"
	}
	return "text"
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func (w *writer) operation(op *operation.Operation) {
	w.line("\n#### %s\n", op.Key)
	w.line("%s\n", w.comments[op.Method.FullName()])
	if op.Extends != nil {
		w.line("This is a clause: its text is appended to that of `%s`.\n", op.Extends.Key)
	}
	if len(op.Parameters) > 0 {
		w.line("| | parameter | kind | |")
		w.line("| --- | --- | --- | --- |")
		for i, p := range op.Parameters {
			w.line("| $%d | `@%s` | %s | %s |", i+1, p.Name, p.TypeName(), w.parameterNotes(p))
		}
		w.line("")
	}
	w.columns(op)
	for _, rule := range rules(op) {
		w.line("- %s", rule)
	}
}

func (w *writer) parameterNotes(p *operation.Parameter) string {
	var notes []string
	if p.Identity() {
		notes = append(notes, "says which rows are meant: to leave it out is a warning")
	}
	if rule := ruleText(p.Rules); rule != "" {
		notes = append(notes, rule)
	}
	switch p.Derive {
	case annotation.Derive_NOW:
		notes = append(notes, "the service's clock unless the host says otherwise")
	case annotation.Derive_IS_V6:
		notes = append(notes, "whether `@"+p.Rules.GetOf()+"` is IPv6")
	}
	if comment := w.comments[p.Declaration()]; comment != "" && p.Derive != annotation.Derive_IS_V6 {
		notes = append(notes, strings.TrimSuffix(comment, "."))
	}
	return strings.Join(notes, "; ")
}

func ruleText(rules *annotation.Field) string {
	var parts []string
	if lengths := rules.GetLength(); len(lengths) > 0 {
		parts = append(parts, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(lengths)), " or "), "[]")+" bytes")
	}
	if rules != nil && rules.Min != nil && rules.Max != nil {
		parts = append(parts, fmt.Sprintf("%d to %d", *rules.Min, *rules.Max))
	} else if rules != nil && rules.Min != nil {
		parts = append(parts, fmt.Sprintf("at least %d", *rules.Min))
	}
	return strings.Join(parts, "; ")
}

func (w *writer) columns(op *operation.Operation) {
	if op.Spec.GetResult() == annotation.Result_AFFECTED {
		w.line("Result: the number of rows changed, from the statement itself; a SELECT tells it in a column `affected` (`%s`).\n",
			op.SiblingKey("affected_column"))
		return
	}
	if len(op.Columns) == 0 {
		w.line("Result: none; whatever comes back is ignored.\n")
		return
	}
	if op.Spec.GetResult() == annotation.Result_SCALAR {
		w.line("Result: the first column of the first row, %s.\n", op.Columns[0].TypeName())
		return
	}
	w.line("| column | kind | renamed by | |")
	w.line("| --- | --- | --- | --- |")
	for _, c := range op.Columns {
		var notes []string
		if rule := ruleText(c.Rules); rule != "" && !c.Rules.GetClamp() {
			notes = append(notes, rule)
		}
		if c.Rules.GetNullIsZero() {
			notes = append(notes, "NULL counts as 0")
		}
		w.line("| `%s` | %s | `%s` | %s |", c.Name, c.TypeName(), op.ColumnKeys(c)[0], strings.Join(notes, "; "))
	}
	w.line("")
}

func rules(op *operation.Operation) []string {
	var list []string
	add := func(when bool, text string) {
		if when {
			list = append(list, text)
		}
	}
	spec := op.Spec
	add(spec.GetWithout() != "", "Without the query: "+spec.GetWithout()+".")
	add(spec.GetDefaultQuery() != "", "Default query: `"+spec.GetDefaultQuery()+"`.")
	add(spec.GetMaxRows() > 0, fmt.Sprintf("At most %d row: a query that changes more is rolled back and answered with ROW_BOUND. `%s` sets another bound, 0 none.",
		spec.GetMaxRows(), op.SiblingKey("max_rows")))
	add(spec.GetRetry() == annotation.Retry_NEVER, "Never sent again after the connection was lost mid-way: the caller is told that the outcome is unknown.")
	add(spec.GetRetry() == annotation.Retry_RESOLVED, "Sent again after a lost connection; an empty second answer then counts as success.")
	add(spec.GetBadRows() == annotation.BadRows_SKIP, "A row that breaks the contract is left out, counted and logged.")
	add(spec.GetEmpty() != annotation.Empty_OK, "An empty result is answered "+spec.GetEmpty().String()+".")
	add(op.Extends == nil, "Time limit: `"+op.SiblingKey("timeout")+"`.")
	return list
}

func (w *writer) service(contract *operation.Contract, service protoreflect.ServiceDescriptor) {
	w.line("\n#### %s\n", service.FullName())
	w.line("%s\n", w.comments[service.FullName()])
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		w.line("- **%s**(%s) returns (%s). %s", m.Name(), m.Input().Name(), m.Output().Name(), trimName(w.comments[m.FullName()]))
		if op := contract.Method(fmt.Sprintf("/%s/%s", service.FullName(), m.Name())); op != nil {
			w.line("  It is exactly [`%s`](#%s).", op.Key, anchor(op.Key))
		}
	}
}

func trimName(comment string) string { return strings.TrimSpace(comment) }
