package host

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	httptrigger "github.com/fairlead/fairlead/triggers/http"
	"github.com/fairlead/fairlead/triggers/http/openapi"
	"github.com/fairlead/fairlead/triggers/http/rate"
	"github.com/fairlead/fairlead/triggers/http/security"
)

// A gateway is everything that one configuration says of HTTP. It does not
// change; requests that began with one end with it.
type gateway struct {
	*httptrigger.Router
	security *security.Set
	tls      *tls.Config // nil: plain HTTP
}

// gateway returns what serves HTTP as cfg wants it. The caller holds h.changing.
func (h *host) gateway(cfg *config.Config) (*gateway, error) {
	old := h.http.Load()
	if old == nil {
		old = &gateway{}
	}
	set, err := security.New(cfg.Security, old.security)
	if err != nil {
		return nil, err
	}
	g := &gateway{security: set}
	if g.tls, err = h.serverTLS(cfg, set); err != nil {
		return nil, err
	}
	if old.Router != nil && (old.tls == nil) != (g.tls == nil) {
		h.log.Warn("http.tls turns HTTPS on or off when the program is started again", "now", old.tls != nil)
	}
	channels := h.channels(cfg, set)
	handler := h.direct(cfg, set)
	document := sync.OnceValue(func() []byte { return h.describe(cfg, handler.Default) })
	g.Router = httptrigger.NewRouter(handler, servesDirectly(cfg), channels, document, old.Router)
	return g, nil
}

// direct returns what serves functions without a trigger.
func (h *host) direct(cfg *config.Config, set *security.Set) *httptrigger.Handler {
	def := cfg.HTTP.Function
	if def == "" && len(h.functions) == 1 {
		def = h.Functions()[0]
	}
	return &httptrigger.Handler{
		Functions: h.functions, Default: def, Runtime: h, Timeout: h.timeout, MaxBody: cfg.HTTP.MaxBody, Gate: set.Gate(cfg.HTTP.Security),
	}
}

// servesDirectly reports whether functions are served without a trigger: unless
// the document says so, only where no trigger is for HTTP.
func servesDirectly(cfg *config.Config) bool {
	if d := cfg.HTTP.Direct; d != nil {
		return *d
	}
	for _, t := range cfg.Triggers {
		if t.Channel != nil {
			return false
		}
	}
	return true
}

// channels returns the triggers for HTTP requests.
func (h *host) channels(cfg *config.Config, set *security.Set) []httptrigger.Channel {
	var all []httptrigger.Channel
	for _, name := range slices.Sorted(maps.Keys(cfg.Triggers)) {
		t := cfg.Triggers[name]
		if t.Channel == nil {
			continue
		}
		c := httptrigger.Channel{Trigger: name, Route: t.Channel.Route, Function: t.Function, Format: t.Format, Gate: set.Gate(t.Channel.Security), Paused: h.paused[name]}
		if r := t.Channel.Rate; r != nil {
			c.Limit = &rate.Limit{PerSecond: r.PerSecond, Burst: r.Burst}
		}
		all = append(all, c)
	}
	return all
}

// describe returns the OpenAPI document of what is served by HTTP.
func (h *host) describe(cfg *config.Config, def string) []byte {
	var all []openapi.Operation
	add := func(id, route, function, format string, security []string) {
		method, path, _ := strings.Cut(route, " ")
		in, out := framework.TypesOf(h.meters.original(function))
		all = append(all, openapi.Operation{
			ID: id, Method: method, Path: path, Function: function, Format: format, In: in, Out: out, Security: security,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Triggers)) {
		if t := cfg.Triggers[name]; t.Channel != nil {
			add(name, t.Channel.Route, t.Function, t.Format, t.Channel.Security)
		}
	}
	if servesDirectly(cfg) {
		for _, name := range h.Functions() {
			add("functions/"+name, http.MethodPost+" /functions/"+name, name, "", cfg.HTTP.Security)
		}
		if def != "" {
			add("functions", http.MethodPost+" /", def, "", cfg.HTTP.Security)
		}
	}
	title := "Fairlead"
	if cfg.File != "" {
		title = cmp.Or(filepath.Base(filepath.Dir(cfg.File)), title)
	}
	return openapi.Document(title, Version(), all, cfg.Security)
}

// serverTLS returns how HTTPS is served, or nil. Certificates are read again
// when their files change.
func (h *host) serverTLS(cfg *config.Config, set *security.Set) (*tls.Config, error) {
	if cfg.HTTP.TLS == nil {
		return nil, nil
	}
	t, err := h.certified("http.tls", cfg.HTTP.TLS)
	if err != nil {
		return nil, err
	}
	if set.WantsCertificates() {
		t.ClientAuth = tls.RequestClientCert // each channel verifies what it wants
	}
	return t, nil
}

// certified returns how HTTPS is served with what the key where says.
func (h *host) certified(where string, files *config.HTTPTLS) (*tls.Config, error) {
	pair, err := security.NewRenewable("the certificate of "+where, []string{files.Cert, files.Key}, h.log, func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		return &pair, err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.Get(), nil },
	}, nil
}

// serveHTTP serves HTTPS if cfg says so, with what the configuration of the time
// says of each handshake; else plain HTTP.
func (h *host) serveHTTP(server *http.Server, cfg *config.Config, l net.Listener) error {
	if cfg.HTTP.TLS == nil {
		return server.Serve(l)
	}
	server.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			if g := h.http.Load(); g.tls != nil {
				return g.tls, nil
			}
			return nil, errors.New("http.tls is not configured any more; the program must be started again")
		},
	}
	return server.ServeTLS(l, "", "")
}
