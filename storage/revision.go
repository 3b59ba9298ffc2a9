package storage

import (
	"fmt"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/storage/problem"
)

// A Revision is a query set that is in use, or was.
type Revision struct {
	// Generation counts the sets that took over since the storage was opened, from 1.
	Generation int64
	// File and Hash are those of its Config.
	File, Hash string
	// Loaded is when it took over.
	Loaded time.Time
}

// An Update is a query set that shall take the place of the one in use.
type Update struct {
	Config Config
	// Problems were found when it was loaded. With an Error among them it is not used, and told with
	// all of them.
	Problems problem.List
	// Rollback says that it was in use before.
	Rollback bool
}

// An Outcome says how a reload ended. It is also a metric's label.
type Outcome string

// The outcomes. The first three are successes.
const (
	Applied    Outcome = "applied"
	Unchanged  Outcome = "unchanged" // the content is what was in use; it fits the database still
	RolledBack Outcome = "rolled_back"
	Rejected   Outcome = "rejected" // the file or its queries have problems
	Failed     Outcome = "failed"   // the database could not be asked; trying again makes sense
)

// Success says whether what was to be used is in use.
func (o Outcome) Success() bool { return o == Applied || o == Unchanged || o == RolledBack }

// An Attempt is a reload, and how it ended.
type Attempt struct {
	Outcome Outcome
	At      time.Time
	// FailingSince is when the unbroken row of failures began that this one belongs to; zero if it is
	// a success.
	FailingSince time.Time
	// Problems are all that were found, warnings included.
	Problems problem.List
	// Message says in a sentence what happened.
	Message string
	// InUse is the set that is in use afterwards.
	InUse Revision
}

// Note is what an operator should know about the attempt while calls are answered all the same: empty
// for a success.
func (a Attempt) Note() string {
	if a.Outcome == "" || a.Outcome.Success() {
		return ""
	}
	text := fmt.Sprintf("the last reload failed at %s", a.At.UTC().Format(time.RFC3339))
	if !a.FailingSince.Equal(a.At) {
		text += fmt.Sprintf(" (reloads have failed since %s)", a.FailingSince.UTC().Format(time.RFC3339))
	}
	text += ": " + a.Message
	for _, p := range a.First(3) {
		text += "\n" + p.String()
	}
	if more := a.Problems.Count(problem.Error) - 3; more > 0 {
		text += fmt.Sprintf("\nand %d more", more)
	}
	return text
}

// First returns at most n of the problems that are errors.
func (a Attempt) First(n int) problem.List {
	var first problem.List
	for _, p := range a.Problems {
		if p.Severity >= problem.Error && len(first) < n {
			first = append(first, p)
		}
	}
	return first
}

// Revision tells which set is in use.
func (s *Storage) Revision() Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision
}

// LastReload tells how the last reload ended; its Outcome is empty if there was none.
func (s *Storage) LastReload() Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempt
}

// record notes how a reload ended. The caller holds reloading.
func (s *Storage) record(a Attempt) Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.At, a.InUse = time.Now(), s.revision
	if !a.Outcome.Success() {
		if a.FailingSince = s.attempt.FailingSince; a.FailingSince.IsZero() {
			a.FailingSince = a.At
		}
		a.Message += fmt.Sprintf("; generation %d stays in use", s.revision.Generation)
	}
	s.attempt = a
	s.reloads.Ended(string(a.Outcome), a.Outcome.Success())
	if a.Outcome.Success() {
		s.reloads.InUse(s.revision.Generation, a.At)
	}
	return a
}

// shortHash is enough of a hash for people to compare.
func shortHash(hash string) string { return hash[:min(12, len(hash))] }

// describe is a revision in a few words.
func (r Revision) describe() string {
	var parts []string
	if r.File != "" {
		parts = append(parts, r.File)
	}
	if r.Hash != "" {
		parts = append(parts, shortHash(r.Hash))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("generation %d", r.Generation)
	}
	return fmt.Sprintf("generation %d (%s)", r.Generation, strings.Join(parts, ", "))
}
