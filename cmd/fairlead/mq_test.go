//go:build mq && cgo

package main

import (
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/test/mqdouble"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// TestMQScripts runs the scripts in testdata/mq, on a queue-manager double on
// which every queue exists.
func TestMQScripts(t *testing.T) {
	d := mqdouble.Start(t, engine.Config{Users: map[string]string{"app": "apppw"}, Define: &engine.Attributes{}})
	p := scripts(t, "testdata/mq")
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("MQ_ADDRESS", d.Address)
		env.Setenv("MQ_PASSWORD", "apppw")
		for _, name := range []string{"CGO_ENABLED", "CGO_CFLAGS", "CGO_LDFLAGS"} {
			env.Setenv(name, os.Getenv(name))
		}
		if err := setup(env); err != nil {
			return err
		}
		env.Setenv("GOFLAGS", env.Getenv("GOFLAGS")+" -race") // as this program was, so that mq-golang is not compiled again
		return nil
	}
	p.Cmds["empty"] = func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: empty QUEUE")
		}
		deadline := time.Now().Add(awaitTimeout)
		for d.Depth(args[0]) > 0 {
			if time.Now().After(deadline) {
				ts.Fatalf("queue %s is not empty within %v", args[0], awaitTimeout)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	testscript.Run(t, p)
}
