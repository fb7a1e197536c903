package connections_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue returns a certificate and its key, in PEM, for name at this machine.
func (a *authority) issue(t *testing.T, name string, until time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// serve accepts TLS connections at address, reads a byte from each, and answers with the
// name of the client's certificate. It returns where it listens.
func serve(t *testing.T, address string, cfg *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				secure := tls.Server(conn, cfg)
				if _, err := io.ReadFull(secure, make([]byte, 1)); err != nil {
					return
				}
				name := "nobody"
				if known := secure.ConnectionState().PeerCertificates; len(known) > 0 {
					name = known[0].Subject.CommonName
				}
				io.WriteString(secure, name)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		served.Wait()
	})
	return listener.Addr().String()
}

// whoAmI returns how the server at address names us.
func whoAmI(ctx context.Context, h *connections.Handshake, address, host string) (string, error) {
	conn, err := h.Dial(ctx, address, host)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{1}); err != nil {
		return "", h.Refusal(err)
	}
	name, err := io.ReadAll(conn)
	return string(name), h.Refusal(err)
}

// A folder holds PEM files.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

// write replaces a file, in one step, and returns its path.
func (f folder) write(name string, text []byte) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		f.t.Fatal(err)
	}
	return path
}

func serverConfig(t *testing.T, ca *authority) *tls.Config {
	t.Helper()
	cert, err := tls.X509KeyPair(ca.issue(t, "server", time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
}

// Each refusal says which side refused what, with both versions of TLS.
func TestRefusals(t *testing.T) {
	ca, other, files := newAuthority(t, "ca"), newAuthority(t, "other"), newFolder(t)
	cert, key := ca.issue(t, "client", time.Now().Add(time.Hour))
	strange, strangeKey := other.issue(t, "stranger", time.Now().Add(time.Hour))
	old, oldKey := ca.issue(t, "old", time.Now().Add(-time.Minute))
	trust := connections.TLS{CA: files.write("ca.pem", ca.pem())}
	with := func(cert, key []byte) connections.TLS {
		c := trust
		c.Cert = files.write("c"+rand.Text(), append(cert, key...))
		return c
	}
	for _, tt := range []struct {
		name   string
		client connections.TLS
		host   string
		server func(*tls.Config)
		want   string // part of the error; empty: let in
		gentle bool   // it is no refusal
	}{
		{name: "let in", client: with(cert, key)},
		{name: "let in as nobody", client: trust},
		{name: "let in by name", client: trust, host: "localhost"},
		{name: "let in by IPv6 address", client: trust, host: "::1"},
		{name: "let in by IPv6 address with a zone", client: trust, host: "::1%lo"},
		{name: "let in unseen", client: connections.TLS{Verify: new(false)}, host: "elsewhere"},
		{name: "let in by another name", client: func() connections.TLS { c := trust; c.ServerName = "localhost"; return c }(), host: "elsewhere"},
		{name: "unknown authority", client: connections.TLS{}, want: "refused: we do not trust the broker's certificate: "},
		{name: "other name", client: trust, host: "elsewhere", want: "refused: we do not trust the broker's certificate: "},
		{name: "expired", client: trust, want: "refused: we do not trust the broker's certificate: ",
			server: func(c *tls.Config) {
				pair, _ := tls.X509KeyPair(ca.issue(t, "server", time.Now().Add(-time.Minute)))
				c.Certificates = []tls.Certificate{pair}
			}},
		{name: "certificate wanted", client: trust, want: "a client certificate (tls.cert): ",
			server: func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert }},
		{name: "client unknown", client: with(strange, strangeKey), want: "refused: the broker does not trust our certificate (tls.cert): "},
		{name: "client expired", client: with(old, oldKey), want: "refused: the broker does not trust our certificate (tls.cert): "},
		{name: "old version", client: trust, want: "no version of TLS that tls.minVersion allows", server: func(c *tls.Config) { c.MaxVersion, c.MinVersion = tls.VersionTLS11, tls.VersionTLS10 }},
	} {
		for _, version := range []string{"1.2", "1.3"} {
			t.Run(tt.name+"/"+version, func(t *testing.T) {
				cfg := serverConfig(t, ca)
				if version == "1.2" {
					cfg.MaxVersion = tls.VersionTLS12
				}
				if tt.server != nil {
					tt.server(cfg)
				}
				host := tt.host
				if host == "" {
					host = "127.0.0.1"
				}
				_, err := whoAmI(t.Context(), tt.client.Handshake(), serve(t, "127.0.0.1:0", cfg), host)
				switch {
				case tt.want == "" && err != nil:
					t.Fatalf("got error %v, want none", err)
				case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
					t.Fatalf("got error %v, want one with %q", err, tt.want)
				case tt.want != "" && !errors.Is(err, connections.ErrRefused):
					t.Errorf("got error %v, want one that is ErrRefused", err)
				}
			})
		}
	}
}

// Some brokers hang up where others say that they want a certificate.
func TestHungUp(t *testing.T) {
	ca, files := newAuthority(t, "ca"), newFolder(t)
	for _, asks := range []tls.ClientAuthType{tls.NoClientCert, tls.RequestClientCert} {
		cfg := serverConfig(t, ca)
		cfg.ClientAuth = asks
		settings := connections.TLS{CA: files.write("ca.pem", ca.pem())}
		h := settings.Handshake()
		if _, err := whoAmI(t.Context(), h, serve(t, "127.0.0.1:0", cfg), "127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		err := h.Refusal(io.EOF)
		if hint := strings.Contains(err.Error(), "client certificate (tls.cert)"); hint != (asks == tls.RequestClientCert) || !errors.Is(err, io.EOF) {
			t.Errorf("asked for a certificate: %t, got error %v", asks == tls.RequestClientCert, err)
		}
	}
}

func TestMinVersion(t *testing.T) {
	ca, files := newAuthority(t, "ca"), newFolder(t)
	cfg := serverConfig(t, ca)
	cfg.MaxVersion = tls.VersionTLS12
	settings := connections.TLS{CA: files.write("ca.pem", ca.pem()), MinVersion: "1.3"}
	if _, err := whoAmI(t.Context(), settings.Handshake(), serve(t, "127.0.0.1:0", cfg), "127.0.0.1"); err == nil || !strings.Contains(err.Error(), "tls.minVersion") {
		t.Errorf("got error %v, want one that names tls.minVersion", err)
	}
}

func TestMissingFiles(t *testing.T) {
	ca, files := newAuthority(t, "ca"), newFolder(t)
	cert, key := ca.issue(t, "client", time.Now().Add(time.Hour))
	_, otherKey := ca.issue(t, "client", time.Now().Add(time.Hour))
	empty, pair := files.write("empty", nil), files.write("pair", append(cert, key...))
	for _, tt := range []struct {
		settings connections.TLS
		want     string
	}{
		{connections.TLS{CA: "/does/not/exist"}, "tls.ca: open /does/not/exist"},
		{connections.TLS{CA: empty}, "tls.ca: " + empty},
		{connections.TLS{Cert: "/does/not/exist"}, "tls.cert: open /does/not/exist"},
		{connections.TLS{Cert: empty}, "tls.cert: " + empty},
		{connections.TLS{Cert: pair, Key: "/does/not/exist"}, "tls.key: open /does/not/exist"},
		{connections.TLS{Cert: pair, Key: empty}, "tls.key: " + empty},
		{connections.TLS{Cert: pair, Key: files.write("other", otherKey)}, "tls.cert: " + pair},
	} {
		_, err := tt.settings.Handshake().Dial(t.Context(), "127.0.0.1:1", "127.0.0.1")
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || errors.Is(err, connections.ErrRefused) {
			t.Errorf("%+v: got error %v, want %s…", tt.settings, err, tt.want)
		}
	}
}

// Files are used as they are at each handshake; while they are of no use, as they were.
func TestRenewal(t *testing.T) {
	ca, files := newAuthority(t, "ca"), newFolder(t)
	address := serve(t, "127.0.0.1:0", serverConfig(t, ca))
	hour := time.Now().Add(time.Hour)
	cert, key := ca.issue(t, "first", hour)
	settings := connections.TLS{CA: files.write("ca.pem", ca.pem()), Cert: files.write("c.pem", cert), Key: files.write("k.pem", key)}
	h := settings.Handshake()
	named := func(want string) {
		t.Helper()
		if got, err := whoAmI(t.Context(), h, address, "127.0.0.1"); err != nil || got != want {
			t.Errorf("got name %q and error %v, want %s", got, err, want)
		}
	}
	named("first")
	cert, key = ca.issue(t, "second", hour)
	files.write("c.pem", cert[:len(cert)/2]) // half of it is there
	named("first")
	files.write("c.pem", cert) // its key is not
	named("first")
	files.write("k.pem", key)
	named("second")
	if err := os.Remove(settings.CA); err != nil {
		t.Fatal(err)
	}
	named("second")
	// What is in use is no good any more, and neither is what there is now.
	old, oldKey := ca.issue(t, "old", time.Now().Add(-time.Minute))
	files.write("ca.pem", ca.pem())
	files.write("c.pem", old)
	files.write("k.pem", oldKey)
	if _, err := whoAmI(t.Context(), h, address, "127.0.0.1"); !errors.Is(err, connections.ErrRefused) {
		t.Errorf("expired: got error %v, want one that is ErrRefused", err)
	}
	files.write("k.pem", key)
	if _, err := whoAmI(t.Context(), h, address, "127.0.0.1"); err == nil || !strings.Contains(err.Error(), "what was used is old: tls.cert: ") {
		t.Errorf("expired, and the files are broken: got error %v, want one that says so", err)
	}
	files.write("c.pem", cert)
	named("second")
}

// Certificates expire and are renewed while many connect: nobody is turned away. A
// certificate is good for an hour by the server's clock, and renewed every
// three quarters.
func TestRenewalUnderLoad(t *testing.T) {
	const life, step = time.Hour, 45 * time.Minute
	ca, files := newAuthority(t, "ca"), newFolder(t)
	cfg := serverConfig(t, ca)
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	cfg.Time = func() time.Time { return time.Unix(0, clock.Load()) }
	ca.cert.NotAfter = time.Now().AddDate(1, 0, 0)
	cfg.ClientCAs, cfg.ClientAuth = lasting(t, ca), tls.RequireAndVerifyClientCert
	address := serve(t, "127.0.0.1:0", cfg)
	renew := func() { // the files do not fit together all the time
		cert, key := ca.issue(t, "client", cfg.Time().Add(life))
		files.write("c.pem", cert)
		files.write("k.pem", key)
	}
	renew()
	settings := connections.TLS{CA: files.write("ca.pem", ca.pem()), Cert: filepath.Join(files.dir, "c.pem"), Key: filepath.Join(files.dir, "k.pem")}
	h, first := settings.Handshake(), newFolder(t)
	kept := settings
	kept.Cert, kept.Key = first.write("c.pem", read(t, settings.Cert)), first.write("k.pem", read(t, settings.Key))
	for _, h := range []*connections.Handshake{h, kept.Handshake()} {
		if name, err := whoAmI(t.Context(), h, address, "127.0.0.1"); err != nil || name != "client" {
			t.Fatalf("got name %q and error %v, want client", name, err)
		}
	}

	const clients = 4
	stop, done := make(chan struct{}), make(chan int)
	var running sync.WaitGroup
	for client := range clients {
		running.Go(func() {
			for {
				if got, err := whoAmI(t.Context(), h, address, "127.0.0.1"); err != nil || got != "client" {
					t.Errorf("got name %q and error %v, want client", got, err)
				}
				select {
				case <-stop:
					return
				case done <- client:
				}
			}
		})
	}
	for range 20 {
		renew()
		// Two from each: the second began after the renewal.
		for count := make(map[int]int); len(count) < clients || slices.Min(slices.Collect(maps.Values(count))) < 2; {
			count[<-done]++
		}
		clock.Add(int64(step))
	}
	close(stop)
	running.Wait()
	if _, err := whoAmI(t.Context(), kept.Handshake(), address, "127.0.0.1"); !errors.Is(err, connections.ErrRefused) {
		t.Errorf("with the first certificate: got error %v, want one that is ErrRefused", err)
	}
}

// lasting returns ca with a certificate that is good for long.
func lasting(t *testing.T, ca *authority) *x509.CertPool {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, ca.cert, ca.cert, &ca.key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Brokers at addresses of version 6 are reached by them.
func TestIPv6(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Log("this machine has no IPv6:", err) // the name in the certificate is tested by TestRefusals
		return
	}
	probe.Close()
	ca, files := newAuthority(t, "ca"), newFolder(t)
	settings := connections.TLS{CA: files.write("ca.pem", ca.pem())}
	if _, err := whoAmI(t.Context(), settings.Handshake(), serve(t, "[::1]:0", serverConfig(t, ca)), "::1"); err != nil {
		t.Error(err)
	}
}
