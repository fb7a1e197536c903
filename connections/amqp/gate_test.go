package amqp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A gate is TLS before the plain port of a broker. It and its clients have short-lived
// certificates, by a clock of its own, and it hangs up on who has an old one.
type gate struct {
	t      *testing.T
	dir    string // ca.pem, client.crt and client.key
	port   int
	broker string
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey

	mu      sync.Mutex
	now     time.Time        // guarded by mu, as what follows
	server  *tls.Certificate // good until the next renewal
	through map[net.Conn]time.Time
	refuses int
}

// life is how long a certificate of a gate is good.
const life = 30 * time.Minute

func newGate(t *testing.T, broker string) *gate {
	t.Helper()
	g := &gate{t: t, dir: t.TempDir(), broker: broker, now: time.Now(), through: make(map[net.Conn]time.Time)}
	g.key = check(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: g.now.Add(-time.Hour), NotAfter: g.now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der := check(x509.CreateCertificate(rand.Reader, template, template, &g.key.PublicKey, g.key))(t)
	g.ca = check(x509.ParseCertificate(der))(t)
	g.write("ca.pem", "CERTIFICATE", der)
	g.renew(0)
	l := check(net.Listen("tcp", "127.0.0.1:0"))(t)
	g.port = l.Addr().(*net.TCPAddr).Port
	var serving sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		g.hangUp(time.Now().AddDate(10, 0, 0))
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { g.pass(c) })
		}
	})
	return g
}

// pass does the handshake and then carries bytes both ways.
func (g *gate) pass(c net.Conn) {
	defer c.Close()
	roots := x509.NewCertPool()
	roots.AddCert(g.ca)
	g.mu.Lock()
	now, server := g.now, g.server
	g.mu.Unlock()
	secure := tls.Server(c, &tls.Config{
		Certificates: []tls.Certificate{*server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
		Time: func() time.Time { return now },
	})
	if err := secure.HandshakeContext(g.t.Context()); err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.t.Context().Err() == nil && now.Equal(g.now) { // else it was renewed meanwhile
			g.refuses++
		}
		return
	}
	behind, err := net.Dial("tcp", g.broker)
	if err != nil {
		return
	}
	defer behind.Close()
	g.mu.Lock()
	g.through[c] = secure.ConnectionState().PeerCertificates[0].NotAfter
	late := g.now.After(g.through[c]) // renewed during the handshake
	g.mu.Unlock()
	if late {
		return
	}
	var carrying sync.WaitGroup
	carrying.Go(func() { _, _ = io.Copy(behind, secure); behind.Close() })
	carrying.Go(func() { _, _ = io.Copy(secure, behind); secure.Close() })
	carrying.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.through, c)
}

// renew replaces the certificates of both sides, moves the clock to after the start,
// and hangs up on those whose certificates are old by then.
func (g *gate) renew(after time.Duration) {
	g.t.Helper()
	g.mu.Lock()
	now := g.now
	g.mu.Unlock()
	if after > 0 {
		now = time.Now().Add(after)
	}
	cert, key := g.issue("client", now)
	g.write("client.crt", "CERTIFICATE", cert) // the files do not fit together for a moment
	g.write("client.key", "PRIVATE KEY", key)
	cert, key = g.issue("localhost", now)
	server := check(tls.X509KeyPair(encode("CERTIFICATE", cert), encode("PRIVATE KEY", key)))(g.t)
	g.mu.Lock()
	g.now, g.server = now, &server
	g.mu.Unlock()
	g.hangUp(now)
}

// hangUp ends the connections whose certificates are old at that time.
func (g *gate) hangUp(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c, until := range g.through {
		if now.After(until) {
			c.Close()
			delete(g.through, c)
		}
	}
}

func (g *gate) refused() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refuses
}

// issue returns a certificate that is good by both clocks for a while, and its key.
func (g *gate) issue(name string, now time.Time) (cert, key []byte) {
	g.t.Helper()
	private := check(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(g.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: g.ca.NotBefore, NotAfter: now.Add(life), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert = check(x509.CreateCertificate(rand.Reader, template, g.ca, &private.PublicKey, g.key))(g.t)
	return cert, check(x509.MarshalPKCS8PrivateKey(private))(g.t)
}

func (g *gate) write(name, kind string, der []byte) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), encode(kind, der), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
