package grpc

import (
	"encoding/binary"
	"errors"
	"io"
)

// maxRequest is the longest request that is read, in bytes.
const maxRequest = 1 << 20

// A message is on the wire behind a byte that says whether it is compressed, and
// its length.
const prefixLength = 5

// readFrame returns the only message of a body.
func readFrame(body io.Reader) ([]byte, error) {
	var prefix [prefixLength]byte
	if _, err := io.ReadFull(body, prefix[:]); err != nil {
		return nil, Errorf(Internal, "read the request: %w", err)
	}
	length := binary.BigEndian.Uint32(prefix[1:])
	switch {
	case prefix[0] != 0:
		return nil, Errorf(Unimplemented, "found a compressed request, expected a plain one")
	case length > maxRequest:
		return nil, Errorf(ResourceExhausted, "found a request of %d bytes, expected at most %d", length, maxRequest)
	}
	message := make([]byte, length)
	if _, err := io.ReadFull(body, message); err != nil {
		return nil, Errorf(Internal, "read the request: %w", err)
	}
	if n, err := body.Read(prefix[:1]); n > 0 || !errors.Is(err, io.EOF) {
		return nil, Errorf(Internal, "found more than one request in a call, expected one")
	}
	return message, nil
}

// writeFrame writes a message.
func writeFrame(w io.Writer, message []byte) error {
	frame := make([]byte, prefixLength, prefixLength+len(message))
	binary.BigEndian.PutUint32(frame[1:], uint32(len(message)))
	_, err := w.Write(append(frame, message...))
	return err
}
