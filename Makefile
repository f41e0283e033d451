# Everything a person does here: make demo, make test, make lint, make build, make cross, make bench.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

# Trivy's packages need the second version of encoding/json, which Go 1.26 still calls an experiment.
export GOEXPERIMENT := jsonv2
# Go below the toolchain that go.mod names downloads that one by itself.
export GOTOOLCHAIN ?= auto

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GO      ?= go
ARCH    := $(shell $(GO) env GOARCH)
RUNC    := pipeline/engine/runtime/$(ARCH)/runc.gz
# Only Linux has what the runtime makes containers of.
ifeq ($(shell $(GO) env GOOS),linux)
EMBEDDED := $(RUNC)
endif

.PHONY: build cross demo test lint bench clean

## build: bin/hallmark, one static binary, on Linux with the container runtime inside
build: $(EMBEDDED)
	@scripts/compile bin/hallmark ./cmd/hallmark -ldflags '$(LDFLAGS)'

$(RUNC): go.mod pipeline/engine/runtime/build.sh
	@scripts/prerequisites engine
	@pipeline/engine/runtime/build.sh $(ARCH)

## cross: bin/hallmark-OS-ARCH for Linux, macOS and Windows
cross:
	@scripts/cross bin

## demo: the whole sentence on a real Spark image, with nothing but this machine
demo:
	@scripts/prerequisites demo
	@$(MAKE) --no-print-directory build
	@examples/spark/demo.sh

## test: everything that runs on one machine, the slow lanes included
test:
	@scripts/prerequisites test
	@$(MAKE) --no-print-directory build
	@scripts/test

## lint: format, vet, staticcheck; workflows, examples for CI systems
lint:
	@scripts/lint

## bench: Hallmark against the chain of tools it replaces, ratios in one run
bench: build
	@bench/run.sh

clean:
	rm -rf bin .cache $(RUNC)
