# What CI runs is "make test" (.ci/run); the rest is for the hours before.
.DEFAULT_GOAL := help
.PHONY: help test quick build lint fuzz mq cluster bench services services-down

# Pinned, so that a new check does not fail an old commit.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.0

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

test: ## Run everything that must hold: install and start the services, gofmt, vet, all tests with -race
	go run ./test/suite test

quick: ## Run the tests that need nothing; those that need a service are skipped if none is up
	go test ./...

build: ## Build the fairlead command into bin/
	go build -o bin/ ./cmd/...

lint: ## Run vet and staticcheck
	go vet ./...
	go run $(STATICCHECK) ./...

fuzz: ## Run every fuzz target for 10 seconds
	go run ./test/suite fuzz

mq: ## Run the tests that need the interface of IBM MQ's client, on the queue-manager double
	go run ./test/suite mq

cluster: ## Run the tests that deploy, to an API server and a KEDA that are built once and run here
	go run ./test/suite cluster

bench: ## Run every benchmark, with the services
	go run ./test/suite bench

services: ## Install and start the brokers and the database that tests need, on loopback
	go run ./test/services/cmd/services up

services-down: ## Stop them
	go run ./test/services/cmd/services down
