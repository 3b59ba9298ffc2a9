package storage

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/tracker"
)

// Reload replaces the queries and settings while calls are being answered. The new set is compiled
// and described beside the old one and takes its place in one step; calls that are under way finish
// on the old one. If anything is wrong with it nothing changes, and the problems are returned.
//
// What belongs to the process stays as it was opened: the connection and its limits, and which
// sections are served. A file that changes those is refused, because half of it would be ignored.
func (s *Storage) Reload(ctx context.Context, config Config) (problem.List, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	set, problems := query.CompileSet(s.contract, config.Sources)
	if err := problems.Err(); err != nil {
		return problems, err
	}
	if err := s.reloadable(config, set); err != nil {
		return nil, err
	}
	conn, err := s.pool.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	found, err := describeSet(ctx, conn, set)
	if err != nil {
		return nil, err
	}
	problems = append(problems, found...)
	if err := problems.Err(); err != nil {
		return problems, err
	}
	s.executor.Use(set)
	if settings, ok := config.Settings[tracker.Section].(*trackerv1.Settings); ok && s.tracker != nil && !s.options.Quiet {
		s.tracker.Reload(settings)
	}
	s.become(Serving, "", problems) // if it was misconfigured, that is repaired
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set, s.config.Sources, s.config.Settings = set, config.Sources, config.Settings
	return problems, nil
}

func (s *Storage) reloadable(config Config, set *query.Set) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Serving && s.state != Misconfigured {
		return fmt.Errorf("the database has to be reached before a reload: %s", s.reason)
	}
	for _, section := range s.contract.Sections() {
		if set.Serves(section.Name) != s.set.Serves(section.Name) {
			return fmt.Errorf("the section %s is new or gone; restart the plugin to change which sections are served", section.Name)
		}
	}
	old := s.config
	if config.Connection != old.Connection || config.EmbeddedDir != old.EmbeddedDir || config.Mode != old.Mode ||
		config.CallTimeout != old.CallTimeout || config.MaxWaiting != old.MaxWaiting || config.RetryFor != old.RetryFor {
		return errors.New("connection_string or another general key was changed; restart the plugin for that")
	}
	before, after := prefix(old.Settings), prefix(config.Settings)
	if before != after {
		return errors.New("metrics_prefix was changed; restart the plugin for that")
	}
	return nil
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
