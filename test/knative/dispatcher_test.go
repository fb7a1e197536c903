package knative

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/triggers/sink"
)

// TestClassesOfDispatcher compares what "fairlead source" posts again with what
// Knative's dispatcher does.
func TestClassesOfDispatcher(t *testing.T) {
	var ours []string
	for status := 300; status < 600; status++ {
		if sink.Retryable(status) {
			ours = append(ours, fmt.Sprint(status))
		}
	}
	if got := strings.Fields(run(t, t.TempDir(), nil, peer(t, "dispatcher"))); strings.Join(got, " ") != strings.Join(ours, " ") {
		t.Errorf("the dispatcher tries again after %v, we after %v", got, ours)
	}
}

// A recorder counts what it gets, and keeps the last of it.
type recorder struct {
	mu     sync.Mutex
	calls  int
	header http.Header
	body   string
}

func (r *recorder) ServeHTTP(_ http.ResponseWriter, in *http.Request) {
	body, _ := io.ReadAll(in.Body) // what there is of it is compared
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	r.header, r.body = in.Header, string(body)
}

// TestDispatcherToOurFunctions lets Knative's dispatcher post to functions that
// fail, and compares how often they are called and what becomes of the event.
func TestDispatcherToOurFunctions(t *testing.T) {
	const retries = 2
	calls := make(map[string]int)
	var mu sync.Mutex
	functions := framework.Functions{"f": func(ctx context.Context, in event.Event) (*event.Event, error) {
		mu.Lock()
		calls[in.ID()]++
		n := calls[in.ID()]
		mu.Unlock()
		switch string(in.Data()) {
		case "fail":
			return nil, errors.New("no luck")
		case "fail once":
			if n == 1 {
				return nil, errors.New("no luck yet")
			}
		case "panic":
			panic("oh")
		case "terminal":
			return nil, framework.Terminal(errors.New("never"))
		case "later":
			return nil, framework.RetryAfter(time.Second, errors.New("later"))
		case "unavailable":
			return nil, fmt.Errorf("send: %w", framework.ErrUnavailable)
		case "slow":
			<-ctx.Done()
			return nil, ctx.Err()
		case "answer":
			out := event.New()
			out.SetID("a")
			out.SetSource("/f")
			out.SetType("answer")
			return &out, out.SetData("text/plain", "hello")
		case "words":
			out, err := framework.Data("hello")
			return &out, err
		}
		return nil, nil
	}}
	file := filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(file, []byte("{version: 1, store: none, functions: {f: {timeout: 200ms}}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := host.New(functions)
	if err := h.Start(t.Context(), map[string]string{"FAIRLEAD_CONFIG": file}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Stop(context.Background()) })
	server := httptest.NewServer(http.HandlerFunc(h.Handle))
	t.Cleanup(server.Close)
	dispatcher := peer(t, "dispatcher")
	for data, want := range map[string]struct {
		calls   int
		code    string // of the dead letter; else there is none
		says    string // its words
		replies string // data of the answer; else there is none
	}{
		"ok":          {1, "", "", ""},
		"answer":      {1, "", "", "hello"},
		"words":       {1, "", "", "hello"},
		"fail once":   {2, "", "", ""},
		"fail":        {1 + retries, "500", "no luck", ""},
		"panic":       {1 + retries, "500", "panicked", ""},
		"later":       {1 + retries, "503", "later", ""},
		"unavailable": {1 + retries, "503", "unavailable", ""},
		"slow":        {1 + retries, "504", "", ""},
		"terminal":    {1, "422", "never", ""},
	} {
		t.Run(data, func(t *testing.T) {
			t.Parallel()
			var dead, answer recorder
			letters, answers := httptest.NewServer(&dead), httptest.NewServer(&answer)
			defer letters.Close()
			defer answers.Close()
			said := run(t, t.TempDir(), nil, dispatcher, "-id", data, "-retry", fmt.Sprint(retries), "-dead-letter", letters.URL, "-reply", answers.URL, server.URL, data)
			mu.Lock()
			n := calls[data]
			mu.Unlock()
			if n != want.calls {
				t.Errorf("got %d calls, want %d; the dispatcher said %s", n, want.calls, said)
			}
			if (dead.calls == 1) != (want.code != "") || dead.calls > 1 {
				t.Fatalf("got %d dead letters, want code %q", dead.calls, want.code)
			}
			if want.code != "" {
				words, err := base64.StdEncoding.DecodeString(dead.header.Get("Ce-Knativeerrordata"))
				if dead.header.Get("Ce-Knativeerrorcode") != want.code || dead.body != data || err != nil || !strings.Contains(string(words), want.says) {
					t.Errorf("got the dead letter %q with %v (%s, %v); want code %s and %q", dead.body, dead.header, words, err, want.code, want.says)
				}
			}
			if answer.body != want.replies || answer.calls > 1 || (answer.calls == 1) != (want.replies != "") {
				t.Errorf("got %d answers, the last %q; want %q", answer.calls, answer.body, want.replies)
			}
		})
	}
}
