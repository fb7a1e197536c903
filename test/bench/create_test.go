package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCreate measures what a newcomer waits for: "fairlead create", "fairlead
// run" in the new folder and a first answer, in folders of their own. What it
// takes from the build cache is there, but not the function, as that is new.
func BenchmarkCreate(b *testing.B) {
	dir := b.TempDir()
	fairlead := filepath.Join(dir, "fairlead")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-o", fairlead, "../../cmd/fairlead")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build the command: %v\n%s", err, out)
	}
	create(b, fairlead, dir, "warm")
	var wall, cpu []time.Duration
	const times = 11
	for i := range times {
		took, worked := create(b, fairlead, dir, fmt.Sprintf("function%d", i))
		wall, cpu = append(wall, took), append(cpu, worked)
	}
	b.ReportMetric(float64(median(wall).Milliseconds()), "ms")
	b.ReportMetric(float64(median(cpu).Milliseconds()), "cpu-ms")
	b.ReportMetric(0, "ns/op") // hides a figure that says nothing here
}

// create creates a function and runs it, until it has answered.
func create(b *testing.B, fairlead, dir, name string) (wall, cpu time.Duration) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // the function is served there
	began := time.Now()
	scaffold := exec.CommandContext(b.Context(), fairlead, "create", name, "-t", "http")
	scaffold.Dir = dir
	if out, err := scaffold.CombinedOutput(); err != nil {
		b.Fatalf("create: %v\n%s", err, out)
	}
	var said strings.Builder
	run := exec.Command(fairlead, "run")
	run.Dir = filepath.Join(dir, name)
	run.Env = append(os.Environ(), "LISTEN_ADDRESS="+address)
	run.Stdout, run.Stderr = &said, &said
	if err := run.Start(); err != nil {
		b.Fatal(err)
	}
	answered := greet(b.Context(), address)
	wall = time.Since(began)
	run.Process.Signal(syscall.SIGINT) // it may have ended
	if err := run.Wait(); err != nil || !answered {
		b.Fatalf("run: answered: %v, %v\n%s", answered, err, &said)
	}
	for _, s := range []*os.ProcessState{scaffold.ProcessState, run.ProcessState} {
		cpu += s.UserTime() + s.SystemTime() // of what they started, too
	}
	return wall, cpu
}

// greet reports whether the template's function answers within a minute.
func greet(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address, strings.NewReader(`{"name": "Ada"}`))
		if err != nil {
			return false
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return true
		}
	}
	return false
}
