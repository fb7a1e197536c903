// Package grpc serves gRPC methods with net/http: unary ones and those that
// stream their answers, with deadlines and status codes. It knows nothing of the
// messages, which are bytes to it, and nothing of compression, which a client
// may not use then.
package grpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Method answers one request: it calls send for each answer, once if the method
// is unary. Its error is the status of the call: a [*Status], else Unknown. ctx
// ends with the client's deadline and when the client leaves.
type Method func(ctx context.Context, request []byte, send func(answer []byte) error) error

// A Server serves methods by their paths, as in "/grpc.health.v1.Health/Check". It
// is an [http.Handler] for HTTP/2.
type Server map[string]Method

// contentType is the media type of all requests and answers, maybe with a
// suffix such as +proto.
const contentType = "application/grpc"

// ServeHTTP implements [http.Handler].
func (s Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	media := r.Header.Get("Content-Type")
	if r.ProtoMajor < 2 || r.Method != http.MethodPost || !isGRPC(media) {
		http.Error(w, "this is a gRPC server", http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", media)
	finish(w, s.call(w, r))
}

// isGRPC reports whether a media type is one of gRPC.
func isGRPC(media string) bool {
	rest, ok := strings.CutPrefix(media, contentType)
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

func (s Server) call(w http.ResponseWriter, r *http.Request) error {
	method := s[r.URL.Path]
	if method == nil {
		return Errorf(Unimplemented, "there is no method %.200q; there are: %s", r.URL.Path, strings.Join(slices.Sorted(maps.Keys(s)), ", "))
	}
	ctx, cancel, err := limit(r)
	if err != nil {
		return err
	}
	defer cancel()
	request, err := readFrame(r.Body)
	if err != nil {
		return err
	}
	flush := http.NewResponseController(w).Flush
	err = method(ctx, request, func(answer []byte) error {
		if err := writeFrame(w, answer); err != nil {
			return err
		}
		return flush()
	})
	if err != nil && ctx.Err() != nil {
		return ended(ctx.Err())
	}
	return err
}

// ended is the status of a call whose ctx has ended.
func ended(cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return Errorf(DeadlineExceeded, "the time for it is over")
	}
	return Errorf(Unavailable, "it was ended")
}

// limit returns the ctx of a request, which ends at the client's deadline.
func limit(r *http.Request) (context.Context, context.CancelFunc, error) {
	text := r.Header.Get("Grpc-Timeout")
	if text == "" {
		ctx, cancel := context.WithCancel(r.Context())
		return ctx, cancel, nil
	}
	d, err := timeout(text)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), d)
	return ctx, cancel, nil
}

var units = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// longest is as long as anybody waits; what is longer is as good as for ever.
const longest = 24 * time.Hour

// timeout reads the value of the header grpc-timeout: at most eight digits and a
// unit.
func timeout(text string) (time.Duration, error) {
	const digits, bits = 8, 32
	last := len(text) - 1
	n, err := strconv.ParseUint(text[:last], 10, bits)
	unit := units[text[last]]
	if err != nil || last > digits || unit == 0 {
		return 0, Errorf(Internal, "header grpc-timeout: found %.20q, expected up to %d digits and one of H, M, S, m, u, n", text, digits)
	}
	if n > uint64(longest/unit) {
		return longest, nil
	}
	return time.Duration(n) * unit, nil
}

// finish sends the status of a call, behind all its answers.
func finish(w http.ResponseWriter, err error) {
	s := StatusOf(err)
	h := w.Header()
	h.Set(http.TrailerPrefix+"Grpc-Status", fmt.Sprint(int(s.Code)))
	if s.Message != "" {
		h.Set(http.TrailerPrefix+"Grpc-Message", escape(s.Message))
	}
}
