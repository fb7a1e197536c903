package services

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// toxiproxy is the TCP proxy through which tests break connections.
func toxiproxy() service {
	return service{
		name:  "toxiproxy",
		ports: map[string]int{"api": 474},
		command: func(s site) (*exec.Cmd, error) {
			return exec.Command(filepath.Join(s.Bin, "server"), "-host", "127.0.0.1", "-port", s.port("api")), nil
		},
		stop: syscall.SIGTERM,
	}
}

func (p place) bin() string { return filepath.Join(p.cache, "bin") }

func toxiproxyProgram(p place) step {
	return step{
		name: "toxiproxy (go install)",
		have: func() bool { return exists(filepath.Join(p.bin(), "server")) },
		do: func(ctx context.Context) error {
			return download(ctx, []string{"GOBIN=" + p.bin()}, "go", "install", "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0")
		},
	}
}

// ToxiProxy is a TCP proxy in front of one address, and the switch for its
// faults. Its methods end the test if the proxy does not obey.
type ToxiProxy struct {
	Addr string // where to connect instead of the upstream

	t   testing.TB
	url string
}

// Proxy returns a proxy in front of upstream (host:port) that lives as long as
// the test.
func Proxy(t testing.TB, upstream string) *ToxiProxy {
	t.Helper()
	api := running(t).ToxiProxy
	if api == "" {
		missing(t, "toxiproxy is not running")
	}
	port := strconv.Itoa(reserve(t, 1)[0])
	p := &ToxiProxy{t: t, Addr: net.JoinHostPort("127.0.0.1", port), url: "http://" + api + "/proxies"}
	p.call(http.MethodPost, "", map[string]any{"name": port, "listen": p.Addr, "upstream": upstream, "enabled": true})
	p.url += "/" + port
	t.Cleanup(func() { p.call(http.MethodDelete, "", nil) })
	return p
}

// Cut drops all connections and refuses new ones.
func (p *ToxiProxy) Cut() { p.t.Helper(); p.enable(false) }

// BlackHole keeps connections open, and accepts new ones, but lets nothing
// through any more.
func (p *ToxiProxy) BlackHole() {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.poison(stream, "timeout", map[string]any{"timeout": 0})
	}
}

// Slow delays everything by delay, once in each direction.
func (p *ToxiProxy) Slow(delay time.Duration) {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.poison(stream, "latency", map[string]any{"latency": delay.Milliseconds()})
	}
}

// Restore ends all faults. Connections that went through a black hole, whose
// bytes are lost, are dropped.
func (p *ToxiProxy) Restore() {
	p.t.Helper()
	var toxics []struct{ Name string }
	if err := json.Unmarshal(p.call(http.MethodGet, "/toxics", nil), &toxics); err != nil {
		p.t.Fatalf("toxiproxy: list faults: %v", err)
	}
	for _, toxic := range toxics {
		p.call(http.MethodDelete, "/toxics/"+toxic.Name, nil)
	}
	p.enable(true)
}

func (p *ToxiProxy) enable(on bool) {
	p.t.Helper()
	p.call(http.MethodPatch, "", map[string]any{"enabled": on})
}

func (p *ToxiProxy) poison(stream, kind string, attributes map[string]any) {
	p.t.Helper()
	p.call(http.MethodPost, "/toxics", map[string]any{
		"name": kind + "_" + stream, "type": kind, "stream": stream, "attributes": attributes,
	})
}

// call sends one request to the proxy's API and returns the body of the answer.
func (p *ToxiProxy) call(method, path string, body any) []byte {
	p.t.Helper()
	answer, err := p.request(method, path, body)
	if err != nil {
		p.t.Fatalf("toxiproxy: %s %s%s: %v", method, p.url, path, err)
	}
	return answer
}

func (p *ToxiProxy) request(method, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, p.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}
