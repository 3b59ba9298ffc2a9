package verify

import (
	"context"
	"fmt"
	"slices"

	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/problem"
)

// A domainRun verifies one section.
type domainRun struct {
	*run
	domain conformance.Domain
	suite  *conformance.Suite
	found  *Domain
	known  conformance.Capabilities
	// proofs are the calls by which an ability was looked for in vain.
	proofs map[conformance.Capability]*Finding
	// missing is the query that was left out, or empty.
	missing string
}

func newDomainRun(r *run, domain conformance.Domain, suite *conformance.Suite) *domainRun {
	section := domain.Section
	d := &domainRun{run: r, domain: domain, suite: suite, found: &Domain{Section: section, Abilities: []Ability{}, Failures: []*Finding{}, Deviations: []*Finding{}}}
	if s, ok := r.options.Contract.Section(section); ok {
		for _, op := range s.Operations {
			d.found.Operations = append(d.found.Operations, &Operation{Key: op.Key, Configured: r.stage.set().Statement(op) != nil})
		}
	}
	return d
}

// verify looks for the abilities, runs the cases, and then those again that are about queries which
// another query stands in for.
func (d *domainRun) verify(ctx context.Context) error {
	cases := d.chosen(d.suite.Cases)
	d.total += len(d.suite.Abilities) + len(cases)
	if err := d.begin(ctx, cases); err != nil {
		return err
	}
	for _, key := range sortedKeys(d.suite.Shortcuts) {
		if err := d.around(ctx, key, cases); err != nil {
			return err
		}
	}
	for key, n := range d.stage.tape().counts {
		d.found.operation(key).Calls = n
	}
	return nil
}

// chosen returns the cases that the operator wants.
func (d *domainRun) chosen(cases []conformance.Case[conformance.None]) []conformance.Case[conformance.None] {
	if d.options.Only == nil {
		return cases
	}
	return slices.DeleteFunc(slices.Clone(cases), func(c conformance.Case[conformance.None]) bool {
		return !d.options.Only.MatchString(c.Name) && !slices.ContainsFunc(c.Operations, d.options.Only.MatchString)
	})
}

func (d *domainRun) begin(ctx context.Context, cases []conformance.Case[conformance.None]) error {
	var silent error
	if _, err := d.stage.apart(ctx, func() { silent = d.suite.Answers(ctx) }); (err != nil || silent != nil) && ctx.Err() == nil {
		return firstOf(err, silent)
	}
	if err := d.look(ctx, d.suite.Abilities); err != nil {
		return err
	}
	if refused := d.refused(); len(refused) > 0 {
		return refused
	}
	return d.all(ctx, cases)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// look finds out what the query set can do.
func (d *domainRun) look(ctx context.Context, abilities []conformance.Ability) error {
	d.known, d.proofs = conformance.Capabilities{}, map[conformance.Capability]*Finding{}
	for _, a := range abilities {
		if ctx.Err() != nil {
			return nil // the cases are reported as not run
		}
		has := false
		if len(d.known.Missing(a.BuildsOn)) == 0 {
			disturbed, err := d.stage.apart(ctx, func() { has, _ = a.Look(ctx) })
			has = has || disturbed != "" // it is not known, so the cases that need it have to say
			if w, blind := d.stage.(witness); err == nil && blind && !has {
				err = w.observed(ctx, func() { a.Look(ctx) })
			}
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
		}
		if d.known[a.Capability] = has; !has {
			d.proofs[a.Capability] = d.lack(a)
		}
		if d.missing == "" {
			d.found.Abilities = append(d.found.Abilities, Ability{Name: a.Capability, Found: has, Choice: a.Choice, Operations: a.Operations})
		}
		d.step(string(a.Capability))
	}
	return nil
}

// lack describes an ability that was just looked for in vain.
func (d *domainRun) lack(a conformance.Ability) *Finding {
	f := &Finding{Severity: problem.Warning, Rule: a.Rule, Ability: a.Capability, Says: a.Says, Without: d.missing,
		Failures: []string{}, Places: d.places(a.Operations), Fix: a.Fix}
	if a.Choice {
		f.Severity = problem.Info
	}
	f.Calls, f.Earlier = d.stage.tape().proof(a.Operations)
	return f
}

// refused are the rights that the role lacks: then no case can tell anything.
func (d *domainRun) refused() problem.List {
	var refused problem.List
	for _, o := range d.found.Operations {
		if text, is := d.stage.tape().refused[o.Key]; is {
			place := d.places([]string{o.Key})[0]
			refused = append(refused, problem.Problem{Severity: problem.Error, Rule: "privilege", Position: place.Position, Key: o.Key,
				Message: text, Fix: "grant the role of connection_string what the query needs; verify does what the service would do, and rolls it back"})
		}
	}
	return refused
}

// all runs cases, and then proves what is lacking by cases that need it.
func (d *domainRun) all(ctx context.Context, cases []conformance.Case[conformance.None]) error {
	for _, c := range cases {
		if _, err := d.one(ctx, c, d.known, true); err != nil {
			return err
		}
	}
	for _, a := range d.suite.Abilities {
		if f := d.proofs[a.Capability]; f != nil && d.concerns(a, cases) && ctx.Err() == nil {
			if err := d.deviation(ctx, a, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// concerns says whether an ability has to do with the cases that were chosen, and is lacking by itself.
func (d *domainRun) concerns(a conformance.Ability, cases []conformance.Case[conformance.None]) bool {
	if len(d.known.Missing(a.BuildsOn)) > 0 || d.reported(a.Capability) {
		return false
	}
	return slices.ContainsFunc(cases, func(c conformance.Case[conformance.None]) bool {
		return slices.Contains(c.Needs, a.Capability)
	}) || d.options.Only == nil
}

func (d *domainRun) reported(c conformance.Capability) bool {
	return slices.ContainsFunc(d.found.Deviations, func(f *Finding) bool { return f.Ability == c })
}

// deviation reports an ability that is lacking, with the first failure of a case that needs nothing
// else that is lacking.
func (d *domainRun) deviation(ctx context.Context, a conformance.Ability, f *Finding) error {
	d.found.Deviations = append(d.found.Deviations, f)
	f.Failures = d.absent(f.Places)
	if a.Choice && len(f.Failures) > 0 {
		return nil
	}
	wanted := conformance.Capabilities{}
	for c, has := range d.known {
		wanted[c] = has || c == a.Capability
	}
	for _, c := range d.suite.Cases {
		if !slices.Contains(c.Needs, a.Capability) || len(wanted.Missing(c.Needs)) > 0 {
			continue
		}
		proof, err := d.one(ctx, c, wanted, false)
		if err != nil {
			return err
		}
		if proof != nil {
			f.Case, f.Failures, f.Calls, f.Earlier = proof.Case, append(f.Failures, proof.Failures...), proof.Calls, proof.Earlier
			return nil
		}
	}
	return nil
}

// absent tells which queries are not given.
func (d *domainRun) absent(places []Place) []string {
	texts := []string{}
	for _, p := range places {
		if p.Missing {
			texts = append(texts, p.Operation+" is not given"+d.consequence(p.Operation))
		}
	}
	return texts
}

// consequence says what the contract says of a file without a query.
func (d *domainRun) consequence(key string) string {
	op, ok := d.options.Contract.Lookup(key)
	if !ok || op.Spec.GetWithout() == "" {
		return ""
	}
	return ": without it " + op.Spec.GetWithout()
}

// one runs a case apart from all others. It returns what was found if the case failed. Only if it is to
// be counted it is part of the report.
func (d *domainRun) one(ctx context.Context, c conformance.Case[conformance.None], known conformance.Capabilities, counted bool) (*Finding, error) {
	var result conformance.Result
	disturbed, err := d.stage.apart(ctx, func() {
		result = conformance.RunCase(ctx, c, conformance.None{}, known, d.stage.tape().failure)
	})
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil && result.Outcome == conformance.Failed {
		result.Outcome = conformance.NotRun // it was cut off, and proves nothing
	}
	if disturbed != "" {
		result.Outcome = conformance.NotRun
	}
	calls, earlier := d.stage.tape().proof(c.Operations)
	if result.Outcome == conformance.Failed && c.Exclusive && counted {
		holds, err := d.steadily(ctx, c.Name, known)
		if err != nil {
			return nil, err
		}
		if holds {
			result.Outcome = conformance.Passed
		}
	}
	if counted {
		d.found.add(result)
		defer d.step(c.Name)
	}
	if disturbed != "" && counted {
		d.report.Notes = append(d.report.Notes, problem.Problem{Severity: problem.Warning, Rule: "disturbed",
			Message: fmt.Sprintf("%q could not be judged: other sessions changed or kept the rows that it needs (SQLSTATE %s), each time it was tried", c.Name, disturbed),
			Fix:     "run verify again at a quieter time, or with --scratch"})
	}
	if result.Outcome != conformance.Failed {
		return nil, nil
	}
	f := &Finding{Severity: problem.Error, Case: c.Name, Says: c.Says, Without: d.missing, Failures: result.Failures, Places: d.places(c.Operations), Calls: []Call{}}
	if w, blind := d.stage.(witness); blind {
		var again conformance.Result
		if err := w.observed(ctx, func() { again = conformance.RunCase(ctx, c, conformance.None{}, known, d.stage.tape().failure) }); err != nil {
			return nil, err
		}
		if again.Outcome == conformance.Failed {
			f.Failures = again.Failures
			f.Calls, f.Earlier = d.stage.tape().proof(c.Operations)
		} else {
			f.Failures = append(f.Failures, "this needs several connections at once: one call after the other the case passes")
		}
	} else {
		f.Calls, f.Earlier = calls, earlier
	}
	if counted {
		d.found.Failures = append(d.found.Failures, f)
	}
	return f, nil
}

// steadily runs a case that compares totals again, with settings under which other people's rows do not
// age meanwhile: on tables in use they change the totals without any query being wrong.
func (d *domainRun) steadily(ctx context.Context, name string, known conformance.Capabilities) (holds bool, err error) {
	stage, ok := d.stage.(*rollback)
	if !ok || d.domain.Steady == nil || ctx.Err() != nil {
		return false, nil
	}
	section := d.domain.Section
	original := stage.config.Settings[section]
	steady := d.domain.Steady(original)
	suite, err := d.domain.Bind(stage, steady, stage.clock())
	if err != nil {
		return false, err
	}
	at := slices.IndexFunc(suite.Cases, func(c conformance.Case[conformance.None]) bool { return c.Name == name })
	if err := stage.configure(ctx, section, steady); err != nil {
		return false, err
	}
	var again conformance.Result
	disturbed, err := stage.apart(ctx, func() { again = conformance.RunCase(ctx, suite.Cases[at], conformance.None{}, known, nil) })
	if err != nil {
		return false, err
	}
	return again.Outcome == conformance.Passed && disturbed == "", stage.configure(ctx, section, original)
}

// places returns where the operator wrote queries, or, if none of them is there, where they are missing.
func (d *domainRun) places(keys []string) []Place {
	var there, missing []Place
	for _, key := range keys {
		op, ok := d.options.Contract.Lookup(key)
		if !ok {
			continue
		}
		if s := d.stage.set().Statement(op); s != nil {
			there = append(there, Place{Operation: key, Position: s.Place(0)})
			continue
		}
		at := Place{Operation: key, Missing: true}
		if d.config.Sources.Place != nil {
			at.Position = d.config.Sources.Place(key)
		}
		missing = append(missing, at)
	}
	if len(there) > 0 {
		return there
	}
	return missing
}

// around leaves a query out that stands in for others, and runs the cases about those.
func (d *domainRun) around(ctx context.Context, shortcut string, cases []conformance.Case[conformance.None]) error {
	if _, given := d.config.Sources.ByKey[shortcut]; !given || ctx.Err() != nil {
		return nil
	}
	dormant := slices.DeleteFunc(slices.Clone(d.suite.Shortcuts[shortcut]), func(key string) bool {
		_, given := d.config.Sources.ByKey[key]
		return !given
	})
	about := func(keys []string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return slices.Contains(dormant, key) })
	}
	again := slices.DeleteFunc(slices.Clone(cases), func(c conformance.Case[conformance.None]) bool { return !about(c.Operations) })
	if len(again) == 0 {
		return nil
	}
	ok, err := d.stage.use(ctx, leaveOut(d.config.Sources, shortcut))
	if ctx.Err() != nil {
		return nil
	}
	if err != nil || !ok {
		return err
	}
	d.missing = shortcut
	defer func() { d.missing = "" }()
	d.total += len(d.suite.Abilities) + len(again)
	if err := d.look(ctx, d.suite.Abilities); err != nil {
		return err
	}
	for capability := range d.proofs {
		at := slices.IndexFunc(d.suite.Abilities, func(a conformance.Ability) bool { return a.Capability == capability })
		if !about(d.suite.Abilities[at].Operations) {
			delete(d.proofs, capability) // not an ability of the queries that are run now and were not before
		}
	}
	return d.all(ctx, again)
}
