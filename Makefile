# The two that matter to a newcomer are "make demo" and "make test".

GO ?= go
BIN := bin/pullrun
# Plain build, with the commit in "pullrun version" where git knows it.
export CGO_ENABLED ?= 0
# Without the trace pages of grpc, which comes with the exporter and is not
# called: they are HTML templates, which keep every exported method linked.
TAGS := grpcnotrace

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/pullrun
	$(GO) build -trimpath -tags $(TAGS) -o $(BIN) ./cmd/pullrun

.PHONY: demo
demo: build ## Run the URL check through a server and a worker, and end
	sh examples/demo.sh $(BIN)

.PHONY: test
test: ## Run all tests, under the race detector, on SQLite and PostgreSQL
	CGO_ENABLED=1 sh tools/postgres.sh sh tools/network.sh sh tools/prometheus.sh $(GO) test -race -timeout 10m ./...

JAEGER := bin/jaeger
PROMETHEUS := bin/prometheus

# Each is a module of its own, with its own sums, and is built once.
$(JAEGER): tools/jaeger/go.mod tools/jaeger/go.sum
	$(GO) build -C tools/jaeger -trimpath -o $(CURDIR)/$@ github.com/jaegertracing/jaeger/cmd/all-in-one

# Without its pages, which are not in the module, and its service discoveries.
$(PROMETHEUS): tools/prometheus/go.mod tools/prometheus/go.sum
	$(GO) build -C tools/prometheus -trimpath -tags remove_all_sd -o $(CURDIR)/$@ github.com/prometheus/prometheus/cmd/prometheus

.PHONY: jaeger
jaeger: $(JAEGER) ## Check the traces of runs in a real Jaeger; building it takes minutes
	PULLRUN_TEST_JAEGER=$(CURDIR)/$(JAEGER) $(GO) test -count=1 -run 'InJaeger$$' -v ./cmd/pullrun

.PHONY: prometheus
prometheus: $(PROMETHEUS) $(JAEGER) ## Check the metrics in a real Prometheus, beside Jaeger; building them takes minutes
	PULLRUN_TEST_PROMETHEUS=$(CURDIR)/$(PROMETHEUS) PULLRUN_TEST_JAEGER=$(CURDIR)/$(JAEGER) \
		sh tools/network.sh $(GO) test -count=1 -run 'InPrometheus$$|AndPrometheus$$' -v ./cmd/pullrun

FUZZTIME ?= 10m

.PHONY: fuzz
fuzz: ## Fuzz the language and the redactor, each target for FUZZTIME (10m)
	@for pkg in ./engine/expr ./engine ./otel; do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			GOMEMLIMIT=256MiB $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -parallel 1 -fuzzminimizetime 2s $$pkg || exit 1; \
		done; \
	done

.PHONY: check
check: format vet lint test vuln ## Everything that CI runs

.PHONY: format
format: ## Complain about files that gofmt would change
	@changed=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$changed" ]; then echo "gofmt would change:"; echo "$$changed"; exit 1; fi

.PHONY: vet
vet: ## Run go vet
	$(GO) vet ./...

.PHONY: lint
lint: ## Run staticcheck
	$(GO) tool -modfile=tools/go.mod staticcheck ./...

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the program uses
	sh tools/vulncheck.sh ./...

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
