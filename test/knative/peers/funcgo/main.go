// The command funcgo is a function of Knative's func-go that does what an event's
// data says: "ok", "answer", an HTTP status, or "STATUS N" for that status the
// first N times that the event comes. It prints a line for each call: the
// event's id, type and extensions that begin with "x".
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"knative.dev/func-go/cloudevents"
)

func main() {
	if err := cloudevents.Start(&function{calls: make(map[string]int)}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type function struct {
	mu    sync.Mutex
	calls map[string]int
}

// Handle has one of the signatures that func-go knows.
func (f *function) Handle(_ context.Context, in event.Event) (*event.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[in.ID()]++
	fmt.Println("call", in.ID(), in.Type(), in.Extensions()["xtenant"])
	text := strings.Trim(string(in.Data()), `"`)
	var status, times int
	switch n, _ := fmt.Sscan(text, &status, &times); {
	case text == "answer":
		out := event.New()
		out.SetID("answer to " + in.ID())
		out.SetSource("/funcgo")
		out.SetType("answer")
		return &out, out.SetData("text/plain", "hello")
	case n == 1, n == 2 && f.calls[in.ID()] <= times:
		return nil, cehttp.NewResult(status, "as %s asked", in.ID())
	}
	return nil, nil
}
