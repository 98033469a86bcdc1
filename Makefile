# What the README's commands do. Tools land in the user's cache, once.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/interlock/bin
LINT_VERSION := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0

# What make simulate runs: lives, and the seed of the first.
RUNS ?= 50000
SEED ?= 1

.PHONY: help test tools vet lint workflowcheck replay history inflight fuzz mutants simulate check pooled

help: ## list the targets
	@grep -E '^[a-z.]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

# For CI: -strict refuses tests that did not run, -count=1 results of another run.
TESTFLAGS ?=

test: tools ## all tests, with the race detector
	go run ./internal/runtests $(TESTFLAGS)

pooled: ## the stores again, behind a pgbouncer in transaction mode
	INTERLOCK_TEST_POOLED=1 go run ./internal/runtests $(TESTFLAGS) ./internal/postgres

tools: ## fetch or build what the tests need
	go run ./internal/devstack/tools

vet: ## go vet
	go vet ./...

lint: $(CACHE)/golangci-lint-$(LINT_VERSION) ## golangci-lint
	$< run ./...

workflowcheck: $(CACHE)/workflowcheck-$(WORKFLOWCHECK_VERSION) ## workflow code is deterministic
	$< ./workflows/...

replay: ## every stored history replays on this code
	go test -count=1 -run 'Replays|Recorded|StoredHistory' ./workflows

history: tools ## record the histories that are not stored yet
	go test -count=1 -run Recorded ./workflows -record

inflight: tools ## stop a stack in the middle of its work and store it, once for each schema version
	go test -count=1 -run LeftInFlight ./worker -record

fuzz: ## each fuzz target for 20 s
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime 20s $$pkg || exit 1; \
		done; \
	done

simulate: ## the order protocol in virtual time: RUNS=50000 lives from SEED=1 on
	go test ./internal/simulation -count=1 -timeout 60m -v -run NoFault -runs $(RUNS) -seed $(SEED)

mutants: tools ## every lock of the order protocol is missed by a named test
	go run ./internal/mutants

.env: ## passwords and paper keys for docker compose
	@umask 077; for name in OWNER_PASSWORD PROPOSALS_PASSWORD ORDERS_PASSWORD SCANS_PASSWORD API_PASSWORD OPERATOR_PASSWORD \
		TEMPORAL_DB_PASSWORD TRADE_KEY TRADE_SECRET READONLY_KEY READONLY_SECRET; do \
		echo "$$name=$$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"; done >$@.new && mv $@.new $@

check: vet lint workflowcheck replay ## everything but the tests

$(CACHE)/golangci-lint-$(LINT_VERSION):
	GOBIN=$(CACHE)/.new go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv $(CACHE)/.new/golangci-lint $@

$(CACHE)/workflowcheck-$(WORKFLOWCHECK_VERSION):
	GOBIN=$(CACHE)/.new go install go.temporal.io/sdk/contrib/tools/workflowcheck@$(WORKFLOWCHECK_VERSION)
	mv $(CACHE)/.new/workflowcheck $@
