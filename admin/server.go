package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
)

// maxBody is the longest request body, in bytes.
const maxBody = 16 << 20

// Handler serves the API. Requests without the token get 401.
func Handler(b Backend, token string) http.Handler {
	s := &server{backend: b}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/status", s.status)
	mux.HandleFunc("POST /api/v1/connections/{name}/ping", s.ping)
	mux.HandleFunc("POST /api/v1/connections/{name}/receive", s.receive)
	mux.HandleFunc("POST /api/v1/bindings/{name}/send", s.send)
	mux.HandleFunc("POST /api/v1/functions/{name}/invoke", s.invoke)
	s.handleConfig(mux)
	s.handleTopics(mux)
	s.handleDeadLetters(mux)
	if m, ok := b.(MetricsWriter); ok {
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) { scrape(w, r, m) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, fmt.Errorf("%w: there is no %s %s", ErrNotFound, r.Method, r.URL.Path))
	})
	return authenticate(mux, token)
}

type server struct {
	backend Backend
	replays replays
}

// authenticate lets only requests with the token pass; without a token, none.
// Hashes are compared, so that the time it takes tells nothing, not even the
// token's length.
func authenticate(next http.Handler, token string) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		same := subtle.ConstantTimeCompare(got[:], want[:]) == 1
		if !same || token == "" || !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem(w, http.StatusUnauthorized, "a token is needed: Authorization: Bearer TOKEN")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func (s *server) status(w http.ResponseWriter, _ *http.Request) { write(w, s.backend.Status()) }

func (s *server) ping(w http.ResponseWriter, r *http.Request) {
	d, err := s.backend.Ping(r.Context(), r.PathValue("name"))
	if err != nil {
		fail(w, err)
		return
	}
	write(w, Pong{float64(d.Microseconds()) / 1000})
}

func (s *server) send(w http.ResponseWriter, r *http.Request) {
	m, err := read[Message](r)
	if err == nil {
		m.ID, err = s.backend.Send(r.Context(), r.PathValue("name"), m)
	}
	if err != nil {
		fail(w, err)
		return
	}
	write(w, SendResult{m.ID})
}

func (s *server) invoke(w http.ResponseWriter, r *http.Request) {
	m, err := read[Message](r)
	if err != nil {
		fail(w, err)
		return
	}
	reply, err := s.backend.Invoke(r.Context(), r.PathValue("name"), m)
	switch {
	case err != nil:
		fail(w, err)
	case reply == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		write(w, reply)
	}
}

// receive answers with one JSON document a line, as messages come, until count
// were taken or the client hangs up.
func (s *server) receive(w http.ResponseWriter, r *http.Request) {
	count, err := strconv.Atoi(r.FormValue("count"))
	if err != nil || count < 0 {
		fail(w, fmt.Errorf("%w: count: found %q, expected a number from 0 (no limit)", ErrBadRequest, r.FormValue("count")))
		return
	}
	destination := r.FormValue("destination")
	if destination == "" {
		fail(w, fmt.Errorf("%w: destination: found none, expected the name of a queue, or topic:NAME", ErrBadRequest))
		return
	}
	out := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	sent := false
	err = s.backend.Receive(r.Context(), r.PathValue("name"), destination, count, func(m Message) error {
		sent = true
		return errors.Join(out.Encode(m), flush.Flush())
	})
	switch {
	case err == nil || r.Context().Err() != nil:
	case !sent:
		fail(w, err)
	default: // the status is gone: break the stream, so that the client notices
		slog.Warn("receive ended", "err", err)
		panic(http.ErrAbortHandler)
	}
}

// read decodes a body, strictly.
func read[T any](r *http.Request) (T, error) {
	var m T
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("%w: body: %w", ErrBadRequest, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%w: body: more after the JSON object", ErrBadRequest)
	}
	return m, nil
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		slog.Debug("the client did not wait for its answer", "err", err)
	}
}

// fail answers with the status that err deserves.
func fail(w http.ResponseWriter, err error) {
	var large *http.MaxBytesError
	status := http.StatusBadGateway // the API works; what it asked does not
	switch {
	case errors.As(err, &large):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, ErrBadRequest):
		status = http.StatusBadRequest
	case errors.Is(err, ErrConflict):
		status = http.StatusConflict
	case errors.Is(err, ErrNoStore):
		status = http.StatusNotImplemented
	case errors.Is(err, ErrUnavailable):
		status = http.StatusServiceUnavailable
	}
	problem(w, status, err.Error())
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(Problem{"about:blank", http.StatusText(status), status, detail}); err != nil {
		slog.Debug("the client did not wait for its answer", "err", err)
	}
}
