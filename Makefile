# Fairlead: build, test, run. `make` alone lists the targets.
include versions.mk
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
GO     ?= go
# A tag, else the version that is being made with the commit.
VERSION = $(or $(patsubst v%,%,$(shell git describe --tags --dirty 2>/dev/null)),0.1.0-dev+$(shell git describe --always --dirty 2>/dev/null))
TOOLS  := $(CURDIR)/.tools
UV     := $(TOOLS)/uv/bin/uv
STAMP  := $(TOOLS)/stamp

export FAIRLEAD_UV := $(UV)
export FAIRLEAD_ONNXRUNTIME := $(TOOLS)/onnxruntime/onnxruntime/capi
export FAIRLEAD_TEST_PYTHON := $(TOOLS)/test-venv/bin/python
export CGO_ENABLED := 1
# For all that go makes, so that the program and its tests are compiled once.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)
# Tests and scripts start plain `go` and `gofmt`: those of $(GO).
export PATH := $(addsuffix /bin:,$(shell $(GO) env GOROOT 2>/dev/null))$(PATH)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: needs
needs: ## Check what is needed from the system, and install it through apt if that is allowed
	@PYTHON=$(PYTHON) GO=$(GO) ./needs.sh

.PHONY: setup
setup: needs $(STAMP)/uv-$(UV_VERSION) $(STAMP)/onnxruntime-$(ONNXRUNTIME_VERSION) $(STAMP)/islp-$(ISLP_VERSION) ## Fetch the pinned tools into .tools
	@$(GO) mod download

$(STAMP)/uv-$(UV_VERSION): | needs
	@echo "setup: uv $(UV_VERSION)"
	@rm -rf $(TOOLS)/uv && $(PYTHON) -m venv $(TOOLS)/uv
	@$(TOOLS)/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/onnxruntime-$(ONNXRUNTIME_VERSION): $(STAMP)/uv-$(UV_VERSION)
	@echo "setup: ONNX Runtime $(ONNXRUNTIME_VERSION)"
	@rm -rf $(TOOLS)/onnxruntime && $(UV) pip install --quiet --python $(PYTHON) --no-deps --target $(TOOLS)/onnxruntime onnxruntime==$(ONNXRUNTIME_VERSION)
	@touch $@

$(STAMP)/islp-$(ISLP_VERSION): $(STAMP)/uv-$(UV_VERSION)
	@echo "setup: the demo's data (ISLP $(ISLP_VERSION))"
	@rm -rf $(TOOLS)/islp && $(UV) pip install --quiet --python $(PYTHON) --no-deps --target $(TOOLS)/islp ISLP==$(ISLP_VERSION)
	@touch $@

$(STAMP)/test-venv-$(XGBOOST_VERSION)-$(PSYCOPG2_VERSION): examples/bikes/requirements.txt $(STAMP)/uv-$(UV_VERSION)
	@echo "setup: a Python environment with mlflow for the tests"
	@rm -rf $(TOOLS)/test-venv && $(UV) venv --quiet --python $(PYTHON) $(TOOLS)/test-venv
	@$(UV) pip install --quiet --compile-bytecode --python $(TOOLS)/test-venv/bin/python -r examples/bikes/requirements.txt xgboost-cpu==$(XGBOOST_VERSION) psycopg2-binary==$(PSYCOPG2_VERSION)
	@touch $@

$(STAMP)/test-mlflow2-$(MLFLOW2_VERSION): $(STAMP)/uv-$(UV_VERSION)
	@echo "setup: a Python environment with MLflow's older client for the tests"
	@rm -rf $(TOOLS)/test-mlflow2 && $(UV) venv --quiet --python $(PYTHON) $(TOOLS)/test-mlflow2
	@$(UV) pip install --quiet --compile-bytecode --python $(TOOLS)/test-mlflow2/bin/python mlflow==$(MLFLOW2_VERSION)
	@touch $@

$(STAMP)/test-skinny-$(MLFLOW_VERSION): $(STAMP)/uv-$(UV_VERSION)
	@echo "setup: a Python environment with MLflow's small client for the tests"
	@rm -rf $(TOOLS)/test-skinny && $(UV) venv --quiet --python $(PYTHON) $(TOOLS)/test-skinny
	@$(UV) pip install --quiet --compile-bytecode --python $(TOOLS)/test-skinny/bin/python mlflow-skinny==$(MLFLOW_VERSION)
	@touch $@

# What the tests need besides the program's own tools.
TEST_ENVIRONMENTS := $(STAMP)/test-venv-$(XGBOOST_VERSION)-$(PSYCOPG2_VERSION) $(STAMP)/test-mlflow2-$(MLFLOW2_VERSION) $(STAMP)/test-skinny-$(MLFLOW_VERSION)

# The web interface. Its tools and libraries are pinned in ui/package-lock.json.
UI_SOURCES := $(shell find ui/src ui/scripts -type f -not -name '*.gen.ts' -not -name '*.test.*' 2>/dev/null) ui/index.html ui/vite.config.ts

ui/node_modules/.stamp: ui/package-lock.json | needs
	@echo "setup: the web interface's libraries (npm)"
	@cd ui && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

ui/dist/index.html: ui/node_modules/.stamp $(UI_SOURCES)
	@cd ui && npm run -s build

.PHONY: build
build: ui/dist/index.html ## Build bin/fairlead
	@$(GO) build -ldflags '-s -w -X main.version=$(VERSION) -extldflags "-Wl,--no-export-dynamic"' -o bin/fairlead ./cmd/fairlead

.PHONY: run
run: setup build ## Start the server with defaults
	@bin/fairlead serve

.PHONY: demo
demo: setup build ## Set everything up and watch the loop close on real data
	@bin/fairlead demo $(ARGS)

.PHONY: test
test: setup $(TEST_ENVIRONMENTS) build ## Run all tests
	@./needs.sh tests
	@cd ui && npm run -s check
	@./test.sh

.PHONY: test-chaos
test-chaos: setup $(STAMP)/test-venv-$(XGBOOST_VERSION)-$(PSYCOPG2_VERSION) build ## Long rounds: 200 random kills and power cuts, also of the whole demo, and files of 4 GiB
	@FAIRLEAD_LONG=1 FAIRLEAD_CHAOS_ROUNDS=200 $(GO) test -count=1 -timeout 90m -run 'Chaos|Kill|PowerCut|WholeYear|LargeOnes' -v ./e2e/... ./job/...

$(STAMP)/test-tensorflow-$(TENSORFLOW_VERSION): $(STAMP)/uv-$(UV_VERSION)
	@echo "setup: a Python environment with TensorFlow for the tests"
	@rm -rf $(TOOLS)/test-tensorflow && $(UV) venv --quiet --python $(PYTHON) $(TOOLS)/test-tensorflow
	@$(UV) pip install --quiet --python $(TOOLS)/test-tensorflow/bin/python mlflow==$(MLFLOW_VERSION) tensorflow-cpu==$(TENSORFLOW_VERSION) tensorboard==$(TENSORFLOW_VERSION)
	@touch $@

$(STAMP)/test-pytorch-$(TORCH_VERSION): $(STAMP)/uv-$(UV_VERSION)
	@echo "setup: a Python environment with PyTorch for the tests (some 3 GB)"
	@rm -rf $(TOOLS)/test-pytorch && $(UV) venv --quiet --python $(PYTHON) $(TOOLS)/test-pytorch
	@$(UV) pip install --quiet --python $(TOOLS)/test-pytorch/bin/python mlflow==$(MLFLOW_VERSION) torch==$(TORCH_VERSION) lightning==$(LIGHTNING_VERSION)
	@touch $@

.PHONY: test-frameworks
test-frameworks: setup $(STAMP)/test-tensorflow-$(TENSORFLOW_VERSION) $(STAMP)/test-pytorch-$(TORCH_VERSION) ## MLflow's client with TensorFlow and PyTorch, which are large
	@FAIRLEAD_TEST_TENSORFLOW=$(TOOLS)/test-tensorflow/bin/python FAIRLEAD_TEST_PYTORCH=$(TOOLS)/test-pytorch/bin/python \
		$(GO) test -count=1 -timeout 30m -run Frameworks -v ./api/mlflow

.PHONY: bench
bench: setup build ## Measure against peers in the same run, and print ratios
	@$(GO) run ./bench $(ARGS)

.PHONY: lint
lint: ui/node_modules/.stamp ## Vet, formatting and staticcheck
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	@$(GO) vet -cgocall=false ./... # see test.sh
	@$(GO) run honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION) ./...

	@cd ui && npm run -s api && npm run -s types && npm run -s lint

.PHONY: fmt
fmt: ui/node_modules/.stamp ## Format the code
	@gofmt -w $$(git ls-files '*.go')
	@cd ui && npm run -s format

.PHONY: generate
generate: ## Write the generated documents anew
	@$(GO) generate ./...
