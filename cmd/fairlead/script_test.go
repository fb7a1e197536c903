package main

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/host"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fairlead": main})
}

// TestScripts runs the scripts in testdata/script, each of which is a person at
// a terminal.
func TestScripts(t *testing.T) { testscript.Run(t, scripts(t, "testdata/script")) }

// scripts says how the scripts of a folder are run.
func scripts(t *testing.T, dir string) testscript.Params {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("REPOSITORY", repository)
			for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
				value, err := goEnv(name)
				if err != nil {
					return err
				}
				env.Setenv(name, value)
			}
			env.Setenv("GOPROXY", "off")
			env.Setenv("GOFLAGS", "-mod=mod")
			env.Setenv("GOTOOLCHAIN", "local")
			env.Setenv("LISTEN_ADDRESS", "127.0.0.1:0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await,
			"code":  code,
		},
	}
}

func goEnv(name string) (string, error) {
	out, err := exec.Command("go", "env", name).Output()
	return strings.TrimSpace(string(out)), err
}

// awaitTimeout is long because a function folder is built in it, maybe with an
// empty cache.
const awaitTimeout = 2 * time.Minute

// await waits until the status of the host in the working folder, in JSON, holds
// the words that are the argument.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await WORDS")
	}
	ctx, cancel := context.WithTimeout(context.Background(), awaitTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	status := ""
	for !strings.Contains(status, args[0]) {
		select {
		case <-tick.C:
			status = statusOf(ctx, ts.MkAbs("fairlead.yaml"))
		case <-ctx.Done():
			ts.Fatalf("the status does not say %q within %v: %s", args[0], awaitTimeout, status)
		}
	}
}

func statusOf(ctx context.Context, configFile string) string {
	f, ok := readServer(host.ServerFilePath(configFile))
	if !ok {
		return "no host runs"
	}
	s, err := (&admin.Client{URL: f.URL, Token: f.Token}).Status(ctx)
	if err != nil {
		return err.Error()
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// code runs fairlead, which must end with the exit code that is the first argument.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: code N ARGUMENT...")
	}
	got := 0
	err := ts.Exec("fairlead", args[1:]...)
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("got exit code %d, want %s", got, args[0])
	}
}
