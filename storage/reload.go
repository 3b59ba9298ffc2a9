package storage

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/tracker"
)

// reloadLimit is how long the database may take to check a set: a lock on a table can keep it from
// answering at all.
const reloadLimit = 30 * time.Second

// Reload replaces the queries and settings while calls are being answered. The new set is compiled
// and described beside the old one and takes its place in one step; calls that are under way finish
// on the old one. If anything is wrong with it nothing changes, and the attempt says what.
//
// What belongs to the process stays as it was opened: the connection and its limits, and which
// sections are served. A file that changes those is rejected, because half of it would be ignored.
func (s *Storage) Reload(ctx context.Context, update Update) Attempt {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	return s.record(s.reload(ctx, update))
}

// reload does all but tell about it. The caller holds reloading.
func (s *Storage) reload(ctx context.Context, update Update) Attempt {
	if update.Problems.Err() != nil {
		return rejected(update.Problems)
	}
	config := update.Config
	config.Sources.Settings = config.Settings
	set, compiled := query.CompileSet(s.contract, config.Sources)
	problems := merge(update.Problems, compiled)
	problems = append(problems, s.needRestart(config, set)...)
	if problems.Err() != nil {
		return rejected(problems)
	}
	if state, reason := s.whyNot(); state != Serving && state != Misconfigured {
		return Attempt{Outcome: Failed, Problems: problems, Message: "the queries cannot be checked: " + reason}
	}
	found, err := s.check(ctx, set)
	if err != nil {
		return Attempt{Outcome: Failed, Problems: problems, Message: "the queries cannot be checked: " + err.Error()}
	}
	if problems = append(problems, found...); problems.Err() != nil {
		return rejected(problems)
	}
	return s.take(config, set, problems, update.Rollback)
}

// check asks the database about a set that is not in use.
func (s *Storage) check(ctx context.Context, set *query.Set) (problem.List, error) {
	conn, err := s.pool.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	return describeSet(ctx, conn, set)
}

// take puts a set into use that was found to fit.
func (s *Storage) take(config Config, set *query.Set, problems problem.List, rollback bool) Attempt {
	s.executor.Use(set)
	s.mu.Lock()
	unchanged := config.Hash != "" && config.Hash == s.revision.Hash && !rollback
	if !unchanged {
		s.revision = Revision{Generation: s.revision.Generation + 1, File: config.File, Hash: config.Hash, Loaded: time.Now()}
	}
	now := s.revision
	s.set, s.config.Sources, s.config.Settings = set, config.Sources, config.Settings
	s.mu.Unlock()
	if s.started {
		s.domains.reloaded()
	}
	s.hub.Reloaded()
	s.serve(problems) // if it was misconfigured, that is repaired
	switch {
	case rollback:
		return Attempt{Outcome: RolledBack, Problems: problems, Message: "the set before is in use again, as " + now.describe()}
	case unchanged:
		return Attempt{Outcome: Unchanged, Problems: problems, Message: "nothing has changed; in use is " + now.describe()}
	}
	return Attempt{Outcome: Applied, Problems: problems, Message: "now in use: " + now.describe()}
}

func rejected(problems problem.List) Attempt {
	n := problems.Count(problem.Error)
	text := fmt.Sprintf("the file has %d errors", n)
	if n == 1 {
		text = "the file has an error"
	}
	return Attempt{Outcome: Rejected, Problems: problems, Message: text}
}

// merge adds what is not known yet.
func merge(known, found problem.List) problem.List {
	all := append(problem.List{}, known...)
	there := map[problem.Problem]bool{}
	for _, p := range known {
		there[p] = true
	}
	for _, p := range found {
		if !there[p] {
			all = append(all, p)
		}
	}
	return all
}

// needRestart reports every change that a reload cannot put into effect.
func (s *Storage) needRestart(config Config, set *query.Set) problem.List {
	s.mu.Lock()
	old := s.config
	s.mu.Unlock()
	var problems problem.List
	report := func(key, message string) {
		p := problem.Problem{Severity: problem.Error, Rule: "needs-restart", Key: key, Message: message,
			Fix: "restart the plugin to put that into effect, or undo the change"}
		if p.File = config.File; config.Sources.Place != nil {
			p.Position = config.Sources.Place(key)
		}
		problems = append(problems, p)
	}
	for _, section := range s.contract.Sections() {
		switch now := set.Serves(section.Name); {
		case now && !s.set.Serves(section.Name):
			report(section.Name, "the section is new")
		case !now && s.set.Serves(section.Name):
			report(section.Name, "the section is gone")
		}
	}
	for _, general := range []struct {
		key     string
		changed bool
	}{
		{"connection_string", config.Connection != old.Connection},
		{"listen_connection_string", config.ListenConnection != old.ListenConnection},
		{"data_dir", config.EmbeddedDir != old.EmbeddedDir},
		{"statement_mode", config.Mode != old.Mode},
		{"call_timeout", config.CallTimeout != old.CallTimeout},
		{"max_waiting", config.MaxWaiting != old.MaxWaiting},
		{"retry_for", config.RetryFor != old.RetryFor},
		{"tracker.metrics_prefix", prefix(config.Settings) != prefix(old.Settings)},
	} {
		if general.changed {
			report(general.key, "was changed, and belongs to the running process")
		}
	}
	problems.Sort()
	return problems
}

func prefix(settings map[string]proto.Message) string {
	if t, ok := settings[tracker.Section].(*trackerv1.Settings); ok {
		return t.GetMetricsPrefix()
	}
	return ""
}

// describeSet asks the database about every statement.
func describeSet(ctx context.Context, conn query.Describer, set *query.Set) (problem.List, error) {
	var problems problem.List
	for _, statement := range set.Statements() {
		found, err := statement.Describe(ctx, conn)
		if err != nil {
			return nil, fmt.Errorf("describing %s: %w", statement.Operation.Key, err)
		}
		problems = append(problems, found...)
	}
	return problems, nil
}
