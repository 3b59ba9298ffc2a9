// Package operation reads the contract: it turns annotated protobuf descriptors into the operations
// that a query set must provide, with their parameters, result columns and rules.
//
// The descriptors are the only place where operations are declared, so nothing here names one. The
// package knows protobuf and the meaning of the annotations; it must not know SQL, YAML or a
// database.
package operation

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
)

// A Contract is all operations of the domains that were loaded. It is immutable.
type Contract struct {
	operations []*Operation
	byKey      map[string]*Operation
	byMethod   map[string]*Operation
	sections   []*Section
	services   []protoreflect.ServiceDescriptor
}

// A Section is one domain: a section of the operator's YAML.
type Section struct {
	// Name is the section's key: "tracker".
	Name string
	// Profiles are sets of groups; a section must hold all groups of at least one.
	Profiles [][]string
	// Inline says that its groups may stand at the root of a file that has no section.
	Inline bool
	// Operations are in the order of declaration.
	Operations []*Operation
	// Settings describe the keys that are not queries.
	Settings []*Setting
	// SettingsMessage is the message whose fields the settings are; nil if there are none.
	SettingsMessage protoreflect.MessageDescriptor

	timeout string
}

// Load reads the annotated files. It reports every mistake in them at once.
func Load(files ...protoreflect.FileDescriptor) (*Contract, error) {
	c := &Contract{byKey: map[string]*Operation{}, byMethod: map[string]*Operation{}}
	var errs []error
	for _, file := range files {
		errs = append(errs, c.addFile(file)...)
	}
	errs = append(errs, c.link()...)
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return c, nil
}

// Operations returns all operations, in the order of declaration.
func (c *Contract) Operations() []*Operation { return c.operations }

// Sections returns the domains, in the order of loading.
func (c *Contract) Sections() []*Section { return c.sections }

// Services returns all services that hosts may call, internal ones left out.
func (c *Contract) Services() []protoreflect.ServiceDescriptor { return c.services }

// Lookup returns the operation with this YAML key, for example "tracker.peer.add_query".
func (c *Contract) Lookup(key string) (*Operation, bool) {
	op, ok := c.byKey[key]
	return op, ok
}

// Method returns the operation that a method is, by the method's full name as gRPC writes it:
// "/mortise.tracker.v1.Swarms/PutPeer". It returns nil for a composed method.
func (c *Contract) Method(fullName string) *Operation { return c.byMethod[fullName] }

// Section returns the section with this name.
func (c *Contract) Section(name string) (*Section, bool) {
	for _, s := range c.sections {
		if s.Name == name {
			return s, true
		}
	}
	return nil, false
}

func (c *Contract) addFile(file protoreflect.FileDescriptor) []error {
	var errs []error
	declared, _ := proto.GetExtension(file.Options(), annotation.E_Section).(*annotation.Section)
	section := c.section(declared)
	for i := range file.Messages().Len() {
		message := file.Messages().Get(i)
		if name, _ := proto.GetExtension(message.Options(), annotation.E_Settings).(string); name != "" {
			errs = append(errs, section.addSettings(message, name)...)
		}
	}
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		internal, _ := proto.GetExtension(service.Options(), annotation.E_Internal).(bool)
		if !internal {
			c.services = append(c.services, service)
		}
		for j := range service.Methods().Len() {
			if err := c.addMethod(section, service.Methods().Get(j), internal); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

// section returns the section of that name, made if it is new. A domain may spread over files.
func (c *Contract) section(declared *annotation.Section) *Section {
	if declared.GetName() == "" {
		return nil
	}
	s, ok := c.Section(declared.GetName())
	if !ok {
		s = &Section{Name: declared.GetName()}
		c.sections = append(c.sections, s)
	}
	for _, profile := range declared.GetProfiles() {
		s.Profiles = append(s.Profiles, strings.Fields(profile))
	}
	s.Inline = s.Inline || declared.GetInline()
	if declared.GetTimeout() != "" {
		s.timeout = declared.GetTimeout()
	}
	return s
}

func (c *Contract) addMethod(section *Section, method protoreflect.MethodDescriptor, internal bool) error {
	spec, _ := proto.GetExtension(method.Options(), annotation.E_Operation).(*annotation.Operation)
	if spec.GetQuery() == "" {
		if internal {
			return fmt.Errorf("%s: a method of an internal service needs (mortise.operation)", method.FullName())
		}
		return nil
	}
	op, err := newOperation(method, spec, internal, section.defaultTimeout(spec))
	if err != nil {
		return fmt.Errorf("%s: %w", method.FullName(), err)
	}
	if section == nil || section.Name != op.Section {
		return fmt.Errorf("%s: %s is not in the section that the file declares", method.FullName(), op.Key)
	}
	if other, taken := c.byKey[op.Key]; taken {
		return fmt.Errorf("%s: %s is already declared by %s", method.FullName(), op.Key, other.Method.FullName())
	}
	c.operations = append(c.operations, op)
	c.byKey[op.Key], c.byMethod[op.FullMethod] = op, op
	section.Operations = append(section.Operations, op)
	return nil
}

// defaultTimeout is the limit for a call of an operation that declares none. Periodic work has none.
func (s *Section) defaultTimeout(spec *annotation.Operation) string {
	if s == nil || spec.GetHeat() == annotation.Heat_BACKGROUND {
		return ""
	}
	return s.timeout
}

// link resolves the keys by which operations name each other.
func (c *Contract) link() []error {
	var errs []error
	for _, op := range c.operations {
		if extends := op.Spec.GetExtends(); extends != "" {
			base, ok := c.byKey[extends]
			if !ok {
				errs = append(errs, fmt.Errorf("%s extends %s, which is not declared", op.Key, extends))
				continue
			}
			op.Extends = base
		}
		for _, other := range op.Spec.GetUnless() {
			if _, ok := c.byKey[other]; !ok {
				errs = append(errs, fmt.Errorf("%s names %s, which is not declared", op.Key, other))
			}
		}
	}
	return append(errs, c.checkChains()...)
}

// checkChains reports clauses that extend each other in a circle, and unties them, so that every
// chain of extended operations has an end.
func (c *Contract) checkChains() []error {
	var errs []error
	for _, op := range c.operations {
		for base, steps := op.Extends, 1; base != nil; base, steps = base.Extends, steps+1 {
			if steps > len(c.operations) {
				errs = append(errs, fmt.Errorf("%s extends itself, by way of %s", op.Key, op.Extends.Key))
				op.Extends = nil
				break
			}
		}
	}
	return errs
}

// Groups returns the names of the section's groups, sorted; "" is the section itself.
func (s *Section) Groups() []string {
	seen := map[string]bool{}
	for _, op := range s.Operations {
		seen[op.Group] = true
	}
	for _, setting := range s.Settings {
		seen[setting.Group] = true
	}
	groups := make([]string, 0, len(seen))
	for g := range seen {
		groups = append(groups, g)
	}
	sort.Strings(groups)
	return groups
}
