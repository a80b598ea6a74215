# SPDX-License-Identifier: Apache-2.0
# The front door. CMake does the work (CMakePresets.json); this file only spares typing.

BACKEND ?= sim
ARGS    ?=
PREFIX  ?= /usr/local
PRESET  ?= dev
SETUP   ?= auto
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
LANES   ?=
export JOBS SETUP

.DEFAULT_GOAL := help
.PHONY: help bench bench-opencl bench-page bench-peers conform test test-nightly lint build install setup clean
# Lanes run one after another; each uses JOBS processors itself.
.NOTPARALLEL:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  BACKEND=sim ARGS='--level core' (conform)   PREFIX=/usr/local (install)   PRESET=dev (build)"
	@echo "  LANES=lint,tests (test, test-nightly: these lanes only)   JOBS=$(JOBS)   SETUP=skip (install no package)"

conform: ## install what is missing, build, run the conformance suite on BACKEND
	@scripts/setup-if-asked.sh build kernels $(filter opencl,$(BACKEND))
	@scripts/build.sh dist
	@scripts/conform.sh $(BACKEND) $(ARGS)

bench: ## install what is missing, build, measure BACKEND beside raw calls and limits for a minute
	@scripts/setup-if-asked.sh build kernels bench
	@scripts/build.sh release xhal-bench xhal_driver_sim xhal_kernels xhal_bench_kernels
	@build/release/bin/xhal-bench --backend $(BACKEND) $(ARGS)

bench-page: ## measure every row of the simulator and write the table of goals in docs/performance.md
	@scripts/setup-if-asked.sh build kernels bench
	@scripts/bench-page.sh $(ARGS)

bench-peers: ## the simulator beside IREE, OpenCL on the processor and a simple fake device; writes docs/performance.md
	@scripts/setup-if-asked.sh build kernels bench
	@scripts/bench-peers.sh $(ARGS)

bench-opencl: ## xhal over real OpenCL drivers beside their own calls, Unified Runtime and dpctl; writes docs/performance.md
	@scripts/setup-if-asked.sh build kernels bench
	@scripts/bench-opencl.sh $(ARGS)

test: ## what CI does: setup, lint, build, sanitizer samples, all tests; 30 minutes on two cores at most
	@scripts/run-lanes.sh --file ci/budget.toml $(if $(LANES),--only $(LANES))

test-nightly: ## the long lanes, sharded; goes on where it stopped, per commit; then the summary
	@scripts/setup-if-asked.sh build kernels lint test browser bench sketches opencl torch nightly
	@scripts/run-lanes.sh --file ci/nightly.toml $(if $(LANES),--only $(LANES))

lint: ## format, clang-tidy and house rules on what changed since the last commit (ARGS=--all: everything)
	@scripts/lint.sh $(ARGS)

build: ## build PRESET (dev, release, dist, clang, asan, tsan) into build/PRESET
	@scripts/setup-if-asked.sh
	@scripts/build.sh $(PRESET)

install: ## build and install to PREFIX (honours DESTDIR)
	@scripts/setup-if-asked.sh build kernels
	@scripts/build.sh dist
	@cmake --install build/dist --prefix $(PREFIX)

setup: ## install the missing packages (Debian, Ubuntu; needs root only then)
	@scripts/setup.sh

clean: ## remove the build folder, nightly evidence included
	@rm -rf build
