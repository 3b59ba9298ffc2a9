package storage

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage/problem"
)

// The pauses between attempts at something that the machine or the operator has to repair first.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 5 * time.Second
)

// settle reaches for the database until it has described every query and all fit, then starts the
// background work. It goes on after a misfit, too: the operator may repair the tables, or reload a
// repaired file. Later losses are seen by the calls themselves, and by Health.
func (s *Storage) settle(ctx context.Context) {
	tried := sync.OnceFunc(func() { close(s.attempted) })
	defer tried()
	settled := sync.OnceFunc(func() { close(s.settled) })
	last := ""
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		serving, text := s.try(ctx)
		if serving {
			settled()
			return
		}
		if state, _ := s.whyNot(); state == Misconfigured {
			settled()
		}
		if text != last {
			s.logger.Warn("not serving; trying again", "reason", text)
			last = text
		}
		tried()
		if !sleep(ctx, pause) {
			return
		}
	}
}

// try describes the queries once. It returns whether calls are served, and otherwise why not.
func (s *Storage) try(ctx context.Context) (serving bool, reason string) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if state, _ := s.whyNot(); state == Serving || state == Closed {
		return true, "" // a reload was faster
	}
	problems, err := s.describe(ctx)
	switch {
	case err != nil:
		s.become(Degraded, err.Error(), nil)
		return false, err.Error()
	case problems.Err() != nil:
		reason := "the queries do not fit the database: " + problems.Error()
		s.become(Misconfigured, reason, problems)
		return false, reason
	}
	s.serve(problems)
	return true, ""
}

// serve begins to answer calls. The caller holds reloading.
func (s *Storage) serve(problems problem.List) {
	s.pool.Retain(s.executor.Set())
	s.become(Serving, "", problems)
	if !s.options.Quiet && !s.started {
		s.started = true
		s.domains.start()
		s.hub.Start()
	}
}

func (s *Storage) describe(ctx context.Context) (problem.List, error) {
	if s.server != nil && s.options.Schema != "" {
		err := s.apply(ctx, s.options.Schema)
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			return problem.List{{Severity: problem.Error, Rule: "schema", Message: err.Error(), Fix: "repair the schema's script"}}, nil
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := s.pool.FindMode(ctx); err != nil {
		return nil, err
	}
	conn, err := s.pool.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	about, err := conn.Server(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.about = about
	s.mu.Unlock()
	return describeSet(ctx, conn, s.executor.Set())
}

// watchServer starts an embedded server again that ended by itself. Its data recovers as after any
// crash.
func (s *Storage) watchServer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.server.Done():
		}
		s.logger.Error("the embedded server ended; starting it again")
		for pause := firstPause; ; pause = min(2*pause, lastPause) {
			err := s.server.Restart(ctx)
			if err == nil {
				break
			}
			s.logger.Error("the embedded server does not start", "error", err.Error())
			if !sleep(ctx, pause) {
				return
			}
		}
	}
}

// sleep waits, and returns false if the context ends first.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
