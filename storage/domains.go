package storage

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/media"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/tracker"
	"github.com/mortise-storage/mortise/storage/wake"
)

// A domain is the part of a section that is written in Go: composed methods and background work.
type domain interface {
	// Register adds the generated services, with the composed methods implemented.
	Register(grpc.ServiceRegistrar)
	// Start begins the background work; Reloaded tells of another set of queries; Close ends the work
	// and waits for it. Close may be called without Start, and more than once.
	Start()
	Reloaded()
	Close()
}

// A surrounding is what domains are made with.
type surrounding struct {
	executor   *query.Executor
	logger     *slog.Logger
	registerer prometheus.Registerer
	// hub wakes calls that wait for something to happen in the database.
	hub *wake.Hub
}

// makers make the domain of a section. Sections without one have annotated methods only.
var makers = map[string]func(surrounding, proto.Message) (domain, error){
	tracker.Section: func(s surrounding, settings proto.Message) (domain, error) {
		typed, ok := settings.(*trackerv1.Settings)
		if !ok {
			return nil, errSettings(tracker.Section)
		}
		return tracker.New(s.executor, typed, s.logger, s.registerer), nil
	},
	media.Section: func(s surrounding, settings proto.Message) (domain, error) {
		if _, ok := settings.(*mediav1.SectionSettings); !ok {
			return nil, errSettings(media.Section)
		}
		return media.New(s.executor, s.logger, s.registerer, s.hub), nil
	},
}

func errSettings(section string) error {
	return fmt.Errorf("the settings of the section %s are missing", section)
}

// domains are the domains of a storage or trial.
type domains []domain

// makeDomains makes those of the sections that are served.
func makeDomains(contract *operation.Contract, set *query.Set, settings map[string]proto.Message, s surrounding) (domains, error) {
	var all domains
	for _, section := range contract.Sections() {
		maker := makers[section.Name]
		if maker == nil || !set.Serves(section.Name) {
			continue
		}
		one, err := maker(s, settings[section.Name])
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// composed returns the generated services by name, with what implements them.
func (all domains) composed() map[string]service {
	c := collector{}
	for _, one := range all {
		one.Register(c)
	}
	return c
}

func (all domains) start() {
	for _, one := range all {
		one.Start()
	}
}

func (all domains) reloaded() {
	for _, one := range all {
		one.Reloaded()
	}
}

func (all domains) close() {
	for _, one := range all {
		one.Close()
	}
}

// A collector takes down what is registered instead of serving it.
type collector map[string]service

// RegisterService implements grpc.ServiceRegistrar.
func (c collector) RegisterService(desc *grpc.ServiceDesc, impl any) {
	c[desc.ServiceName] = service{desc: desc, impl: impl}
}
