package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/fairlead/fairlead/admin/access"
)

// maxBody is the longest request body, in bytes.
const maxBody = 16 << 20

// Handler serves the API to those whom a lets in: who is not known gets 401, and
// who may not do what is asked 403. Everybody may read what there is, at
// /openapi.json.
func Handler(b Backend, a *access.Access) http.Handler {
	s := &server{backend: b, access: a}
	routes := s.routes()
	described := sync.OnceValue(func() []byte { return document(b.Status().Version, routes) })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if _, err := w.Write(described()); err != nil {
			slog.Debug("the client did not wait for its answer", "err", err)
		}
	})
	mux.Handle("/", newRouter(routes))
	return a.Authenticate(mux)
}

type server struct {
	backend Backend
	access  *access.Access
	replays replays
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
	if c, ok := errors.AsType[*VersionConflict](err); ok {
		const status = http.StatusPreconditionFailed
		answerProblem(w, Problem{
			Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: c.Error(), Version: c.Found, Difference: c.Difference,
		})
		return
	}
	if wait, ok := errors.AsType[*access.WaitError](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.After.Seconds())+1))
		problem(w, http.StatusTooManyRequests, wait.Error())
		return
	}
	var large *http.MaxBytesError
	status := http.StatusBadGateway // the API works; what it asked does not
	switch {
	case errors.As(err, &large):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrNotFound), errors.Is(err, access.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, ErrBadRequest), errors.Is(err, access.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, access.ErrRefused):
		status = http.StatusForbidden
	case errors.Is(err, ErrConflict), errors.Is(err, access.ErrTaken):
		status = http.StatusConflict
	case errors.Is(err, ErrRefused):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, ErrNoStore), errors.Is(err, access.ErrNoStore), errors.Is(err, errors.ErrUnsupported):
		status = http.StatusNotImplemented
	case errors.Is(err, ErrUnavailable), errors.Is(err, access.ErrUnavailable):
		status = http.StatusServiceUnavailable
	}
	problem(w, status, err.Error())
}

func problem(w http.ResponseWriter, status int, detail string) {
	answerProblem(w, Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail})
}

func answerProblem(w http.ResponseWriter, p Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		slog.Debug("the client did not wait for its answer", "err", err)
	}
}
