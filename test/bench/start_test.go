package bench

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/services"
)

// A startable is a program and the configuration that it is started with.
type startable struct {
	name, program, config string
	ready                 bool // its readiness counts, too: its triggers receive

	wall, cpu []time.Duration // to the first answer of 2xx, to its end
	rss       []float64       // MiB, soon after
}

// BenchmarkStart measures a program from its start to its first answer of 2xx,
// and the memory that it holds when nothing happens, side by side with net/http.
// What it is called with is that of a real start: no store, a function, and no
// triggers or three of them on a real broker. The size is that of the program as
// "fairlead run" links it.
func BenchmarkStart(b *testing.B) {
	broker := services.Artemis(b)
	dir := b.TempDir()
	for _, name := range []string{"bare", "host"} {
		cmd := exec.CommandContext(b.Context(), "go", "build", "-ldflags=-s -w", "-o", dir, "./start/"+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	triggers := fmt.Sprintf(`
connections:
  a: {type: amqp, url: "amqp://%s", user: %s, password: %s, sasl: {mechanisms: [PLAIN]}}
  s: {type: stomp, url: "stomp://%s", user: %s, password: %s}
triggers:
  one: {connection: a, queue: q.start.1, function: f}
  two: {connection: a, queue: q.start.2, function: f}
  three: {connection: s, queue: q.start.3, function: f}
http: {direct: true}
`, broker.AMQP, broker.User, broker.Password, broker.STOMP, broker.User, broker.Password)
	all := []*startable{
		{name: "bare", program: "bare"},
		{name: "host", program: "host"},
		{name: "triggers", program: "host", config: triggers, ready: true},
	}
	const times = 21
	for range times {
		for _, s := range all {
			s.start(b, dir)
		}
	}
	for _, s := range all {
		b.ReportMetric(float64(median(s.wall).Microseconds())/1000, s.name+"-ms")
		b.ReportMetric(float64(median(s.cpu).Microseconds())/1000, s.name+"-cpu-ms")
		b.ReportMetric(slices.Max(s.rss), s.name+"-rss-MiB")
	}
	b.ReportMetric(ratio(all[1].wall, all[0].wall), "host-ratio")
	info, err := os.Stat(filepath.Join(dir, "host"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/(1<<20), "size-MiB")
	b.ReportMetric(0, "ns/op") // hides a figure that says nothing here
}

// start starts the program, waits for its first answer, and ends it.
func (s *startable) start(b *testing.B, dir string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // the program listens there
	config := filepath.Join(b.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(config, []byte("version: 1\nstore: none\nadmin: {listen: \"127.0.0.1:0\"}\n"+s.config), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, s.program))
	cmd.Env = append(os.Environ(), "LISTEN_ADDRESS="+address, "FAIRLEAD_CONFIG="+config)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer cmd.Wait() // it was killed
	defer cmd.Process.Kill()
	s.answer(b, address)
	s.wall = append(s.wall, time.Since(began))
	time.Sleep(300 * time.Millisecond) // idle, it grows no more
	s.rss = append(s.rss, residentMiB(b, cmd.Process.Pid))
	cmd.Process.Signal(syscall.SIGKILL) // it has not ended
	cmd.Wait()                          // likewise
	s.cpu = append(s.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
}

// answer returns once the program has answered with 2xx.
func (s *startable) answer(b *testing.B, address string) {
	b.Helper()
	const patience = time.Minute
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	path := "/"
	if s.ready {
		path = "/health/readiness"
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		conn, err := net.Dial("tcp", address) // cheaper than a request while nobody listens
		if err != nil {
			continue
		}
		conn.Close()
		method := http.MethodPost
		if s.ready {
			method = http.MethodGet
		}
		r, err := http.NewRequest(method, "http://"+address+path, strings.NewReader("x"))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/plain")
		resp, err := client.Do(r)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode < http.StatusMultipleChoices {
			return
		}
	}
	b.Fatalf("%s did not answer within %v", s.name, patience)
}

// residentMiB returns how much memory a process holds.
func residentMiB(b *testing.B, pid int) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		b.Fatal("found no VmRSS")
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
