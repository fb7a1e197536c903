package main

import (
	"context"
	"errors"
	"os"
)

// clusterLimit is how long the tests of test/cluster may take where Kubernetes and
// KEDA are not built yet, which takes most of it. Then it is two minutes.
const clusterLimit = "90m"

// deploying runs the tests of what is said to Kubernetes, Knative, KEDA and Docker,
// whose modules are not ours. They start programs and wait, so that there is little
// for the race detector.
func deploying(ctx context.Context, r *report) error {
	return errors.Join(
		r.runIn(ctx, "tools", nil, "./dockerfile"),
		r.runIn(ctx, "test/cluster", nil, "-timeout", clusterLimit, "."),
	)
}

// onlyDeploying is deploying alone.
func onlyDeploying(ctx context.Context) error {
	r := newReport(os.Stdout)
	return errors.Join(deploying(ctx, r), r.summary())
}
