package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/scaler"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/host"
)

func scalerCommand(o *options) *cobra.Command {
	var s scalerServer
	c := &cobra.Command{
		Use:   "scaler",
		Short: "Tell KEDA how much waits, as an external scaler",
		Long: `Answer KEDA by its external scaler protocol (gRPC): how much waits in the queues of the configuration's
connections, asked by the protocol that the messages travel by, and in topics of its store. The metadata
of a ScaledObject names a connection and a queue, a trigger, a topic or a function. Nothing of the
configuration is started; a change of it is followed.`,
		Example: `  fairlead scaler
  fairlead scaler -f fairlead.yaml --listen :9090`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c.Context(), o) },
	}
	flags := c.Flags()
	flags.StringVar(&s.listen, "listen", ":9090", "`ADDRESS` to serve gRPC at")
	flags.StringVar(&s.cert, "tls-cert", "", "serve with TLS, by the certificate in `FILE` (PEM)")
	flags.StringVar(&s.key, "tls-key", "", "its key, in `FILE` (PEM)")
	flags.StringVar(&s.clientCA, "tls-client-ca", "", "answer only who shows a certificate of an authority in `FILE` (PEM)")
	return c
}

// A scalerServer serves the external scaler.
type scalerServer struct{ listen, cert, key, clientCA string }

func (s scalerServer) run(ctx context.Context, o *options) (err error) {
	cfg, err := loadConfig(o.file())
	if errors.Is(err, os.ErrNotExist) {
		return usagef("there is no %s; name with -f a configuration whose connections lead to the queues", o.file())
	}
	if err != nil {
		return err
	}
	security, err := s.tls()
	if err != nil {
		return err
	}
	log := host.SetUpLog()
	depths, err := scaler.NewDepths(cfg, drivers.All(), openStore, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, depths.Close()) }()
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("serve the scaler: %w; choose another address with --listen", err)
	}
	methods := make(grpc.Server)
	(&scaler.Service{Gauge: depths}).AddTo(methods)
	f := configFollower{file: o.file(), use: depths.Use, now: cfg, log: log}
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { f.run(ctx) })
	defer following.Wait()
	defer cancel()
	fmt.Fprintf(os.Stderr, "Serving KEDA's external scaler protocol at %s. Ctrl-C stops it.\n", l.Addr())
	return serveGRPC(ctx, l, methods, security)
}

// openStore implements [scaler.OpenStore].
func openStore(ctx context.Context, cfg *config.Config) (scaler.Store, func(), error) {
	return host.OpenStore(ctx, cfg, slog.New(slog.DiscardHandler)) // what goes wrong is in the errors, too
}

// A configFollower hands on each change of a configuration that is valid. One
// goroutine uses it.
type configFollower struct {
	file string
	use  func(*config.Config) error
	log  *slog.Logger

	now     *config.Config
	refused string // why the files as they are now are not used; empty: they are
}

func (f *configFollower) run(ctx context.Context) {
	if config.CanWatch(f.file) {
		config.Watch(ctx, f.files, f.reload)
	}
}

func (f *configFollower) files() []string {
	return append(f.now.Files(), f.file, filepath.Join(filepath.Dir(f.file), envFile))
}

// reload reads the configuration, and keeps the one before if it is wrong.
func (f *configFollower) reload() (again time.Duration) {
	const retry = 2 * time.Second // what it refers to may come
	cfg, err := loadConfig(f.file)
	if err == nil {
		err = f.use(cfg)
	}
	if err != nil {
		if err.Error() != f.refused {
			f.log.Error("the new configuration is refused; the one before goes on", "err", err)
		}
		f.refused = err.Error()
		return retry
	}
	if changes := config.Diff(f.now, cfg); len(changes) > 0 || f.refused != "" {
		f.log.Info("configuration changed", "changes", changes.String())
	}
	f.now, f.refused = cfg, ""
	return 0
}

// tls returns what the flags say about TLS; nil: in clear.
func (s scalerServer) tls() (*tls.Config, error) {
	switch {
	case (s.cert == "") != (s.key == ""):
		return nil, usagef("found one of --tls-cert and --tls-key, expected both or none")
	case s.cert == "" && s.clientCA != "":
		return nil, usagef("found --tls-client-ca without --tls-cert and --tls-key, expected all three")
	case s.cert == "":
		return nil, nil
	}
	if _, err := tls.LoadX509KeyPair(s.cert, s.key); err != nil {
		return nil, usagef("--tls-cert, --tls-key: %w", err)
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { // read for each: it is renewed on disk
			pair, err := tls.LoadX509KeyPair(s.cert, s.key)
			return &pair, err
		},
	}
	if s.clientCA == "" {
		return c, nil
	}
	text, err := os.ReadFile(s.clientCA)
	if err != nil {
		return nil, usagef("--tls-client-ca: %w", err)
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, usagef("--tls-client-ca: found no certificate in %s, expected PEM", s.clientCA)
	}
	return c, nil
}

// serveGRPC serves until ctx ends. What is asked then is answered, streams are ended.
func serveGRPC(ctx context.Context, l net.Listener, methods grpc.Server, security *tls.Config) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(security != nil)
	protocols.SetUnencryptedHTTP2(security == nil)
	server := &http.Server{
		Handler: methods, Protocols: protocols, TLSConfig: security, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	served := make(chan error, 1)
	go func() {
		if security != nil {
			served <- server.ServeTLS(l, "", "")
		} else {
			served <- server.Serve(l)
		}
	}()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) { // KEDA keeps its connection, and connects elsewhere
		err = server.Close()
	}
	<-served // http.ErrServerClosed
	return err
}
