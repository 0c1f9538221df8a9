# jotgate. `make run` and `make test` are all that a newcomer needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
VERSION ?= $(shell cat VERSION)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
BUILT   := $(shell TZ=UTC0 git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
LDFLAGS := -s -w -X github.com/jotgate/jotgate/internal/config.Version=$(VERSION) -X github.com/jotgate/jotgate/internal/config.Commit=$(COMMIT) -X github.com/jotgate/jotgate/internal/config.Built=$(BUILT) -X github.com/jotgate/jotgate/internal/cli.version=v$(VERSION)

# Go would ask git as well, and fail where git refuses: in a tree of another owner.
ifeq ($(COMMIT),unknown)
export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS) -buildvcs=false)
endif

GOLANGCI_VERSION := v2.15.0
TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS):$(PATH)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/jotgate and bin/pvault
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/jotgate ./cmd/pvault

.PHONY: run
run: build ## Build and start a dev server on 127.0.0.1:8200 and 127.0.0.1:8123 (CLEAN=1 starts empty)
	@scripts/run

.PHONY: demo
demo: build ## Play both guides against a server on free ports and leave nothing running
	@scripts/demo

.PHONY: setup
setup: ## Install what the tests need (PostgreSQL server, clients for Python and Node.js)
	@scripts/setup

.PHONY: test
test: setup build ## Run all tests (RACE=1 with the race detector)
	@$(GO) test $(if $(RACE),-race) -timeout 20m ./...
	@cd client/jwtauth && $(GO) test $(if $(RACE),-race) ./...
	@cd test/clients && $(GO) test $(if $(RACE),-race) -timeout 20m ./...

.PHONY: lint
lint: tools ## Run go vet and golangci-lint
	@$(GO) vet ./...
	@golangci-lint run --allow-parallel-runners ./...
	@cd client/jwtauth && $(GO) vet ./... && golangci-lint run --allow-parallel-runners ./...
	@cd test/clients && $(GO) vet ./... && golangci-lint run --allow-parallel-runners ./...

.PHONY: tools
tools:
	@command -v golangci-lint >/dev/null || { echo "installing golangci-lint $(GOLANGCI_VERSION) into .tools"; \
	  GOBIN=$(TOOLS) GOFLAGS= $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION); }

.PHONY: cover
cover: ## Check that the pure core is covered completely
	@scripts/cover

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME (default 10s) each
	@scripts/fuzz $(or $(FUZZTIME),10s)

.PHONY: bench
bench: build ## Measure the server's paths beside the machine's limits
	@$(GO) run ./bench $(ARGS)

.PHONY: clean
clean: ## Remove what was built, and the dev server's data
	@rm -rf bin .run .tools
