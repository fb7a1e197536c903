package host

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers"
	"github.com/fairlead/fairlead/triggers/http/security"
)

type customer struct {
	Name string `json:"name"`
}

var customers = framework.Functions{
	"customer.create": framework.Func(func(ctx context.Context, c customer) (customer, error) {
		return customer{c.Name + " " + framework.Source(ctx).Path["id"]}, nil
	}),
	"customer.drop": framework.Sink(func(context.Context, []byte) error { return nil }),
}

// ask makes one request of a host.
func ask(h *host, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.Handle(w, r)
	return w
}

func TestChannels(t *testing.T) {
	r := newRig(t, customers)
	apply := func(document string) {
		t.Helper()
		if err := r.Apply(t.Context(), r.parse(document)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, got *httptest.ResponseRecorder, status int, body string) {
		t.Helper()
		if got.Code != status || !strings.Contains(got.Body.String(), body) {
			t.Errorf("%s: got %d %s, want %d %s", what, got.Code, got.Body, status, body)
		}
	}
	apply(`version: 1`)
	check("direct", ask(r.host, "POST", "/functions/customer.create", `{"name":"a"}`), 200, `{"name":"a "}`)

	apply(`{version: 1, triggers: {create: {http: "POST /customers/{id}", function: customer.create}}}`)
	check("a channel", ask(r.host, "POST", "/customers/7", `{"name":"a"}`), 200, `{"name":"a 7"}`)
	check("direct is off now", ask(r.host, "POST", "/functions/customer.create", `{}`), 404, "nothing is served")

	secured := `{version: 1, http: {direct: true, security: [ops]}, security: {partners: {type: apikey, keys: [%q]}, ops: {type: apikey, header: X-Ops, keys: [o]}},
		triggers: {create: {http: "POST /customers/{id}", function: customer.create, security: [partners]}}}`
	apply(fmt.Sprintf(secured, "first"))
	check("no key", ask(r.host, "POST", "/customers/7", `{}`), 401, "credentials")
	check("a key", ask(r.host, "POST", "/customers/7", `{}`, "X-API-Key", "first"), 200, "7")
	check("direct, another's key", ask(r.host, "POST", "/functions/customer.create", `{}`, "X-API-Key", "first"), 403, "")
	check("direct, no such function, no key", ask(r.host, "POST", "/functions/none", `{}`), 401, "")
	check("direct", ask(r.host, "POST", "/functions/customer.create", `{}`, "X-Ops", "o"), 200, "")
	apply(fmt.Sprintf(secured, "second"))
	check("the key before", ask(r.host, "POST", "/customers/7", `{}`, "X-API-Key", "first"), 401, "")
	check("the key now", ask(r.host, "POST", "/customers/7", `{}`, "X-API-Key", "second"), 200, "7")

	status := r.Status().Triggers["create"]
	if status.State != triggers.Running || status.Received != 5 || status.Succeeded != 3 {
		t.Errorf("status: got %+v, want 5 received and 3 that succeeded", status)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []map[string]any
		}
		Components struct{ Schemas map[string]any }
	}
	document := ask(r.host, "GET", "/openapi.json", "")
	if err := json.Unmarshal(document.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	op := doc.Paths["/customers/{id}"]["post"]
	if op.OperationID != "create" || len(op.Security) != 1 || op.Security[0]["partners"] == nil || doc.Components.Schemas["host.customer"] == nil {
		t.Errorf("document: got %s", document.Body)
	}
	if len(doc.Paths) != 3 || strings.Contains(document.Body.String(), "second") {
		t.Errorf("document: got %s, want the channel and two functions, and no key", document.Body)
	}
}

// TestApplyDropsNoRequest changes the routes under load: every request to a route
// that is always there is answered by its function.
func TestApplyDropsNoRequest(t *testing.T) {
	h := newHost(customers)
	h.log = slog.New(slog.DiscardHandler)
	server := httptest.NewServer(http.HandlerFunc(h.Handle))
	defer server.Close()
	defer func() {
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	apply := func(i int) {
		document := fmt.Sprintf(`{version: 1, triggers: {create: {http: "POST /customers/{id}", function: customer.create}, t%d: {http: "POST /t%d/{id}", function: customer.drop}}}`, i, i)
		cfg, err := config.Parse([]byte(document), "fairlead.yaml", h.loadOptions())
		if err == nil {
			err = h.Apply(t.Context(), cfg)
		}
		if err != nil {
			t.Error(err)
		}
	}
	apply(0)
	var done atomic.Bool
	var answered atomic.Int64
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for i := 0; !done.Load(); i++ {
				want := fmt.Sprintf(`{"name":"n %d-%d"}`, c, i)
				resp, err := http.Post(fmt.Sprintf("%s/customers/%d-%d", server.URL, c, i), "application/json", strings.NewReader(`{"name":"n"}`))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || string(got) != want {
					t.Errorf("got %d %s %v, want %s", resp.StatusCode, got, err, want)
					return
				}
				answered.Add(1)
			}
		})
	}
	for i := range 100 {
		apply(i + 1)
	}
	done.Store(true)
	wg.Wait()
	if got := h.Status().Triggers["create"]; got.Succeeded != uint64(answered.Load()) || got.Received != got.Succeeded {
		t.Errorf("%d requests were answered, the status is %+v", answered.Load(), got)
	}
}

// writePair writes a certificate for 127.0.0.1 and its key, and returns the
// certificate.
func writePair(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + "-key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestHTTPSWithClientCertificates(t *testing.T) {
	dir := t.TempDir()
	serverCert := writePair(t, dir, "server")
	writePair(t, dir, "one")
	writePair(t, dir, "two")
	h := newHost(customers)
	h.log = slog.New(slog.DiscardHandler)
	apply := func(ca string) *config.Config {
		t.Helper()
		document := fmt.Sprintf(`{version: 1, http: {tls: {cert: server.pem, key: server-key.pem}}, security: {machines: {type: mtls, ca: %s.pem}},
			triggers: {drop: {http: POST /drop, function: customer.drop, security: [machines]}}}`, ca)
		cfg, err := config.Parse([]byte(document), filepath.Join(dir, "fairlead.yaml"), h.loadOptions())
		if err == nil {
			err = h.Apply(t.Context(), cfg)
		}
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	cfg := apply("one")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h.mux(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	served := make(chan error, 1)
	go func() { served <- h.serveHTTP(server, cfg, l) }()
	defer func() {
		server.Close()
		<-served
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	roots := x509.NewCertPool()
	roots.AddCert(serverCert)
	call := func(client string) int {
		t.Helper()
		c := &tls.Config{RootCAs: roots}
		if client != "" {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, client+".pem"), filepath.Join(dir, client+"-key.pem"))
			if err != nil {
				t.Fatal(err)
			}
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Post("https://"+l.Addr().String()+"/drop", "text/plain", bytes.NewReader(nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Errorf("got %s, want HTTP/2", resp.Proto)
		}
		return resp.StatusCode
	}
	for client, want := range map[string]int{"one": 204, "two": 401, "": 401} {
		if got := call(client); got != want {
			t.Errorf("client %q: got %d, want %d", client, got, want)
		}
	}
	apply("two")
	if one, two := call("one"), call("two"); one != 401 || two != 204 {
		t.Errorf("after the change: got %d for one and %d for two", one, two)
	}
	if resp, err := http.Get("http://" + l.Addr().String() + "/"); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: got %d", resp.StatusCode)
		}
	}
	bad := *cfg
	bad.HTTP.TLS = &config.HTTPTLS{Cert: filepath.Join(dir, "one.pem"), Key: filepath.Join(dir, "two-key.pem")}
	if err := h.Apply(t.Context(), &bad); err == nil || !strings.Contains(err.Error(), "http.tls") {
		t.Errorf("a key of another certificate: got %v", err)
	}
	if got := call("two"); got != 204 {
		t.Errorf("after a change that was refused: got %d", got)
	}
}

func TestARenewedCertificateIsShown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dir := t.TempDir()
		first := writePair(t, dir, "server")
		h := newHost()
		h.log = slog.New(slog.DiscardHandler)
		cfg := &config.Config{}
		cfg.HTTP.TLS = &config.HTTPTLS{Cert: filepath.Join(dir, "server.pem"), Key: filepath.Join(dir, "server-key.pem")}
		c, err := h.serverTLS(cfg, &security.Set{})
		if err != nil {
			t.Fatal(err)
		}
		shows := func(what string, want *x509.Certificate) {
			t.Helper()
			got, err := c.GetCertificate(nil)
			if err != nil || !bytes.Equal(got.Certificate[0], want.Raw) {
				t.Errorf("%s: got another certificate, %v", what, err)
			}
		}
		shows("at first", first)
		second := writePair(t, dir, "server")
		for _, file := range []string{"server.pem", "server-key.pem"} { // file systems have coarse clocks
			if err := os.Chtimes(filepath.Join(dir, file), time.Time{}, time.Unix(2e9, 0)); err != nil {
				t.Fatal(err)
			}
		}
		shows("at once", first)
		pass(5 * time.Second)
		shows("a while later", second)
		if err := os.WriteFile(filepath.Join(dir, "server.pem"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		shows("half written", second)
	})
}
