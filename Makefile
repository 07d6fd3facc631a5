# The few commands of daily work. ARGS goes to the program: make run ARGS=--once

TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV := $(TARGET)/venv
# The vendors' SDKs, where Node is new enough for them; their tests are passed over elsewhere.
NODE := $(shell node -p 'process.versions.node.split(".")[0] >= 18' 2>/dev/null)
SDK := $(if $(filter true,$(NODE)),$(TARGET)/sdk/complete,no-sdk)
# The linter of metrics that promtool has, where Go builds it.
PROMLINT := $(if $(shell command -v go),$(TARGET)/promlint)
# The pooler that the services are tested behind.
PGBOUNCER := $(TARGET)/pgbouncer
export PATH := $(HOME)/.cargo/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup run test model fuzz bench fault soak lint fmt deploy no-sdk

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing, or say how
	@sh deploy/local/setup.sh

# The whole workspace is built, so that run and test share one build.
run: setup ## build, start everything on this machine, play a conversation (ARGS=--help)
	cargo build --workspace
	$(TARGET)/debug/leadstream up $(ARGS)

test: setup $(VENV)/complete $(SDK) $(PROMLINT) $(PGBOUNCER) ## run every test, on real servers
	cargo test --workspace --no-run
	$(TARGET)/debug/examples/with_database $(TARGET)/tmp/database cargo test --workspace

fuzz: setup ## look for webhooks that are read wrongly (ARGS=seconds, 60 by default)
	.ci/fuzz $(ARGS)

model: setup ## hold the engine against its model in ARGS cases (a million by default; MODEL_SEED)
	MODEL_CASES=$(or $(ARGS),1000000) cargo test --package leadstream-processor --lib model -- --nocapture

bench: setup ## measure throughput and latency (ARGS=--help)
	cargo build --release --package leadstream --package leadstream-bench
	$(TARGET)/release/leadstream-bench $(ARGS)

fault: setup ## kill, stop and cut off everything while leads write (ARGS=seconds, 300 by default)
	FAULT_SECONDS=$(or $(ARGS),300) cargo test --package leadstream --test fault

soak: setup ## refuse a WhatsApp number for ARGS seconds (600 by default), with 10,000 leads
	SOAK_SECONDS=$(or $(ARGS),600) SOAK_LEADS=10000 cargo test --package leadstream --test e2e a_refused_number -- --nocapture

lint: setup ## check format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

fmt: ## format the code
	cargo fmt --all

deploy: $(TARGET)/deploy/complete ## check image, compose file, chart, alerts and dashboard
	.ci/check-deploy

$(VENV)/complete: tests/requirements.txt
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --only-binary=:all: --requirement tests/requirements.txt
	touch $@

# go.sum has the hash of each module. Go keeps what it fetched.
$(TARGET)/promlint: tests/promlint/main.go tests/promlint/go.mod tests/promlint/go.sum
	go build -C tests/promlint -trimpath -buildvcs=false -mod=readonly -o $(abspath $@) .

# A machine without a connection to Debian tests without it.
$(PGBOUNCER): tests/pgbouncer/build.sh
	tests/pgbouncer/build.sh $(TARGET) || echo "PgBouncer was not built: no test runs behind it"

# Everything by its checksum. Needs Go, npm and Linux on x86-64.
$(TARGET)/deploy/complete: tests/deploy/install.py tests/deploy/requirements.txt tests/deploy/go.mod tests/deploy/go.sum $(wildcard tests/deploy/strimzi/*)
	python3 tests/deploy/install.py $(TARGET)/deploy
	touch $@

$(TARGET)/sdk/complete: tests/sdk/package.json tests/sdk/package-lock.json
	rm -rf $(TARGET)/sdk
	mkdir -p $(TARGET)/sdk
	cp $^ $(TARGET)/sdk
	npm ci --ignore-scripts --no-audit --no-fund --prefix $(TARGET)/sdk
	touch $@

no-sdk:
	@echo "node 18 or newer is not on the PATH: what the vendors' SDKs say of the sandbox is not tested"
