package host

import (
	"cmp"
	"context"
	"encoding/json"
	"net"
	"net/http"

	"github.com/fairlead/fairlead/framework/config"
)

// defaultListen is where functions are served if nothing says otherwise.
const defaultListen = "127.0.0.1:8080"

// ListenAddress says where a program with cfg serves functions: LISTEN_ADDRESS,
// then PORT on all interfaces, as Knative sets them, then http.listen. getenv is
// os.Getenv, or like it.
func ListenAddress(cfg *config.Config, getenv func(string) string) string {
	if a := getenv("LISTEN_ADDRESS"); a != "" {
		return a
	}
	if p := getenv("PORT"); p != "" {
		return ":" + p
	}
	return cmp.Or(cfg.HTTP.Listen, defaultListen)
}

// listenTCP listens on a TCP address.
func listenTCP(address string) (*net.TCPListener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// mux serves the functions, and the probes that Knative asks.
func (h *host) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", h.Handle)
	mux.HandleFunc("GET /health/readiness", probe(h.Ready, h.missing))
	mux.HandleFunc("GET /health/liveness", probe(h.Alive, func() []string { return nil }))
	return mux
}

func probe(check func(context.Context) (bool, error), missing func() []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ok, err := check(r.Context())
		w.Header().Set("Content-Type", "application/json")
		status := http.StatusOK
		if !ok {
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		waitsFor := missing()
		said := map[string]any{"ok": ok, "missing": waitsFor}
		if err != nil && waitsFor == nil {
			said["error"] = err.Error()
		}
		json.NewEncoder(w).Encode(said) // a probe that hung up wants no error
	}
}
