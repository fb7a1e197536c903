#!/bin/sh
# Builds the queue-manager double, and runs all tests that need IBM MQ's client
# against it: the driver and the double with -race, mq-golang's own tests, and
# both again with the address and undefined-behaviour sanitizers. Arguments go to
# the tests of our own, as in
#
#	test/mqdouble/run-tests.sh -run TestKill -v
#
# FAIRLEAD_MQ_ADDRESS and its like point the conformance suite at a real queue
# manager: docs/ibm-mq.md.
set -eu
cd "$(dirname "$0")/../.."

settings=$(go run ./test/mqdouble/cmd/mqdouble env)
eval "$settings"
go test -tags mq -race "$@" ./connections/mq/... ./test/mqdouble/...
go vet -tags mq ./connections/mq/... ./test/mqdouble/...
go test github.com/ibm-messaging/mq-golang/v5/ibmmq

settings=$(go run ./test/mqdouble/cmd/mqdouble env -asan)
eval "$settings"
go test -tags mq -asan "$@" ./connections/mq ./test/mqdouble
