package http

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// What a client may still send when it has its answer.
const (
	lingerBytes = 1 << 30
	lingerTime  = 10 * time.Second
)

// linger lets a client whose body is too long finish, and drops what it sends:
// most clients look for the answer only then, and a connection that is closed in
// the middle is all they would see. It is called before the answer is written,
// and what it returns after that.
func linger(w http.ResponseWriter, r *http.Request, err error) func() {
	var large *http.MaxBytesError
	if !errors.As(err, &large) || r.ProtoMajor != 1 || r.Header.Get("Expect") != "" { // who asks first gets the answer at once
		return func() {}
	}
	c := http.NewResponseController(w)
	if c.EnableFullDuplex() != nil {
		return func() {} // no real connection
	}
	return func() {
		if c.Flush() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
			return
		}
		io.CopyN(io.Discard, r.Body, lingerBytes) // the client has its answer: what happens to the rest does not matter
	}
}
