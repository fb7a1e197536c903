package grpc

import (
	"errors"
	"fmt"
	"strings"
)

// A Code is a status code of gRPC.
type Code int

// The codes that are used here.
const (
	OK                 Code = 0
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
)

// A Status is the error of a call as its client sees it.
type Status struct {
	Code    Code
	Message string
	err     error
}

// Errorf returns a Status with a message as [fmt.Errorf] makes it.
func Errorf(code Code, format string, args ...any) *Status {
	err := fmt.Errorf(format, args...)
	return &Status{code, err.Error(), errors.Unwrap(err)}
}

func (s *Status) Error() string { return s.Message }

// Unwrap returns the error that the status was made of.
func (s *Status) Unwrap() error { return s.err }

// StatusOf returns the Status in err, or what stands for an error without one.
func StatusOf(err error) *Status {
	if err == nil {
		return new(Status)
	}
	if s, ok := errors.AsType[*Status](err); ok {
		return s
	}
	return &Status{Unknown, err.Error(), err}
}

// escape percent-encodes what the trailer grpc-message may not hold.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
