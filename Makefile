# The targets that matter to someone new: `make demo` shows Mortise at work, `make test` tests it.
# Each installs what it needs and is missing: programs from the system's packages (an ordinary user is
# told which), tools from the Go module proxy in the versions of tools/go.mod.

GO      ?= go
BIN     := bin
STATE   := .state
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.release=$(VERSION)
MODULES := . tools examples
FUZZTIME ?= 8s
BENCH   ?= .
COUNT   ?= 5
BENCHTIME ?= 0.5s
# Parts of the examples' BitTorrent library are C; without them nothing is lost here, and building is
# much faster.
NOC     := disable_libutp,nosqlite

.PHONY: help demo demo-media run build test test-long bench lint generate check-generated fuzz postgresql cover clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 18

demo: build ## let real BitTorrent clients find each other through the plugin
	@scripts/install postgresql aria2 transmission
	@mkdir -p $(STATE)
	$(BIN)/tracker demo --plugin $(BIN)/mortise --config queries.example.yaml --state $(STATE)/demo

demo-media: build ## let an image server, its workers and a few crashes show the media domain
	@scripts/install postgresql
	@mkdir -p $(STATE)
	$(BIN)/mediaserver demo --plugin $(BIN)/mortise --config queries.example.yaml --state $(STATE)/demo-media

run: build ## serve a tracker on the embedded PostgreSQL until Ctrl-C
	@scripts/install postgresql
	@mkdir -p $(STATE)
	$(BIN)/tracker serve --plugin $(BIN)/mortise --config queries.example.yaml --state $(STATE)/run

build: ## build the plugin and the example hosts into bin/
	@mkdir -p $(BIN)
	$(GO) build -ldflags '$(LDFLAGS)' -o $(BIN)/mortise ./cmd/mortise
	cd examples && CGO_ENABLED=0 $(GO) build -o ../$(BIN)/tracker ./tracker
	cd examples && CGO_ENABLED=0 $(GO) build -o ../$(BIN)/mediaserver ./mediaserver

test: postgresql check-generated ## run every test of every module, with the race detector, and short fuzzing
	@scripts/install cc pgbouncer chromium
	$(GO) test -race -timeout 30m -coverpkg=./storage/... -coverprofile=coverage.out $$($(GO) list ./... | grep -v /mutation/defaultset)
	@# Every mutant of the default queries: minutes, and many times that with the race detector.
	$(GO) test -count=1 -v -timeout 20m ./storage/mutation/defaultset
	cd examples && $(GO) test -race -tags '$(NOC)' -timeout 10m ./...
	cd tools && $(GO) build -o /dev/null ./...
	scripts/fuzz $(FUZZTIME)
	cd examples && CGO_ENABLED=0 ../scripts/fuzz $(FUZZTIME)
	@$(MAKE) --no-print-directory cover

cover: ## report the coverage of storage/... from the last test run
	@grep -v '\.pb\.go:' coverage.out >coverage.out.tmp && mv coverage.out.tmp coverage.out
	@$(GO) tool cover -func coverage.out | tail -1 | sed 's/^total:/coverage of storage\/...:/'

test-long: ## what does not fit into make test: long fuzzing, tests many times over
	$(MAKE) test FUZZTIME=2m
	$(GO) test -race -timeout 60m -count 5 ./storage/database ./storage/conformance .

bench: postgresql ## benchmark every method: make bench BENCH=Announce COUNT=3 BENCHTIME=1s
	@mkdir -p $(STATE) && : >$(STATE)/bench.txt
	@# Rounds one after the other, so that a slow minute of the machine falls on all ways alike.
	@$(GO) test -c -o $(STATE)/bench.test ./bench
	cd bench && for round in $$(seq $(COUNT)); do ../$(STATE)/bench.test -test.run '^$$' -test.bench '$(BENCH)' \
		-test.benchtime $(BENCHTIME) -test.timeout 60m | tee -a ../$(STATE)/bench.txt || exit 1; done
	@$(GO) run ./bench/table <$(STATE)/bench.txt

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "these files want gofmt -w: $$unformatted"; exit 1; }
	@for m in $(MODULES); do echo "vet $$m"; (cd $$m && CGO_ENABLED=0 $(GO) vet ./...) || exit 1; done
	@mkdir -p $(BIN)
	@cd tools && $(GO) build -o ../$(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck
	@for m in $(MODULES); do echo "staticcheck $$m"; (cd $$m && CGO_ENABLED=0 $(CURDIR)/$(BIN)/staticcheck ./...) || exit 1; done

generate: ## make Go from the .proto files, and the reference
	cd tools && $(GO) run ./protogen ../api
	$(GO) run ./cmd/mortise docs --write docs

check-generated: ## fail if a generated file is stale
	@cd tools && $(GO) run ./protogen -check ../api
	@$(GO) run ./cmd/mortise docs --check docs

fuzz: postgresql ## run every fuzz target for a while: make fuzz FUZZTIME=1m
	scripts/fuzz $(FUZZTIME)

postgresql: ## install PostgreSQL if it is missing
	@scripts/install postgresql

clean: ## remove what was built, and the demo's data
	rm -rf $(BIN) $(STATE) coverage.out
