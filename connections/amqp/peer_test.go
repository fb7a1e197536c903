package amqp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// startPeer runs testdata/peer.py, maybe in a mode of it, and returns the settings
// of a connection to it.
func startPeer(t *testing.T, mode ...string) *amqp.Connection {
	t.Helper()
	python := services.Python(t)
	for range 5 {
		port := fmt.Sprint(12000 + rand.IntN(3000))
		cmd := exec.CommandContext(t.Context(), python, append([]string{"testdata/peer.py", port}, mode...)...)
		cmd.Stderr = t.Output()
		out := check(cmd.StdoutPipe())(t)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		if line, _ := bufio.NewReader(out).ReadString('\n'); line == "ready\n" {
			return &amqp.Connection{URL: "amqp://127.0.0.1:" + port}
		}
	}
	t.Fatal("the peer finds no port")
	return nil
}

// Each outcome of a message that is sent is told apart, and is no other message's.
func TestSendOutcomes(t *testing.T) {
	conn := dial(t, startPeer(t))
	s := check(conn.Sender(within(t), queueTarget("outcomes")))(t)
	want := []*framework.SendError{
		nil,
		{Outcome: framework.Reject, Condition: "app:no", Description: "not like that"},
		{Outcome: framework.Release},
		nil,
		{Outcome: framework.Modify},
		{Outcome: framework.Reject},
		nil,
	}
	var batch []connections.Message
	for _, body := range []string{"accepted", "rejected", "released", "accepted", "modified", "rejected silently", "accepted"} {
		batch = append(batch, text(body))
	}
	for i, err := range s.Send(within(t), batch) {
		got, _ := errors.AsType[*framework.SendError](err)
		if want[i] != nil {
			want[i].Destination = "outcomes"
		}
		if (got == nil) != (want[i] == nil) || got != nil && *got != *want[i] || got == nil && err != nil {
			t.Errorf("%s: got %#v, want %#v", batch[i].Body, err, want[i])
		}
	}
}

// A target that is not there is the broker's refusal of what is sent, and leaves
// the connection alone.
func TestSendToMissingNode(t *testing.T) {
	conn := dial(t, startPeer(t))
	_, err := conn.Sender(within(t), queueTarget("missing"))
	refusal, ok := errors.AsType[*framework.SendError](err)
	if !ok || refusal.Condition != "amqp:not-found" || refusal.Destination != "missing" {
		t.Fatalf("got error %v, want a SendError with amqp:not-found", err)
	}
	_, err = conn.Receiver(within(t), queueSource("missing"), 1)
	if err == nil || errors.Is(err, connections.ErrConnLost) || !strings.Contains(err.Error(), "amqp:not-found: there is no such node") {
		t.Fatalf("receive: got error %v, want amqp:not-found in words", err)
	}
	send(t, conn, queueTarget("outcomes"), text("accepted"))
}

func TestNoAddress(t *testing.T) {
	conn := dial(t, startPeer(t))
	if _, err := conn.Sender(within(t), new(amqp.Target)); err == nil || !strings.Contains(err.Error(), "queue: expected") {
		t.Errorf("sender: got error %v, want one about the queue", err)
	}
	if _, err := conn.Receiver(within(t), new(amqp.Source), 1); err == nil || !strings.Contains(err.Error(), "queue: expected") {
		t.Errorf("receiver: got error %v, want one about the queue", err)
	}
}

func TestSendWithoutCredit(t *testing.T) {
	conn := dial(t, startPeer(t))
	s := check(conn.Sender(within(t), queueTarget("blocked")))(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	errs := s.Send(ctx, []connections.Message{text("a"), text("b")})
	wantError(t, errs[0], context.DeadlineExceeded)
	wantError(t, errs[1], context.DeadlineExceeded)
	wantError(t, s.Send(within(t), []connections.Message{text("c")})[0], connections.ErrConnLost) // "a" may be there in part
	send(t, conn, queueTarget("outcomes"), text("accepted"))
}

func TestDetached(t *testing.T) {
	conn := dial(t, startPeer(t))
	r := receiver(t, conn, queueSource("detach"), 5)
	err := receiveError(t, r)
	wantError(t, err, connections.ErrConnLost)
	if !strings.Contains(err.Error(), "amqp:link:detach-forced: the peer is tired of it") {
		t.Errorf("got error %v, want the peer's words", err)
	}
	if err := conn.(connections.Pinger).Ping(within(t)); err != nil {
		t.Errorf("ping: got error %v, want a live connection", err)
	}
}

func TestClosedByBroker(t *testing.T) {
	conn := dial(t, startPeer(t))
	r, err := conn.Receiver(within(t), queueSource("close"), 1)
	if err == nil { // it had opened the link before it closed the connection
		err = receiveError(t, r)
	}
	wantError(t, err, connections.ErrConnLost)
	if !strings.Contains(err.Error(), "amqp:connection:forced: the peer has enough") {
		t.Errorf("got error %v, want the peer's words", err)
	}
	<-conn.(connections.Watched).Done()
	if err := conn.Close(); err != nil {
		t.Errorf("close: got error %v, want none", err)
	}
}

// A broker may settle what it sends, so that it can be lost, but not twice.
func TestPresettled(t *testing.T) {
	r := receiver(t, dial(t, startPeer(t)), queueSource("settled"), 5)
	take(t, r, "settled")
}

// A selector that is not honoured would let the function see what it must not.
func TestSelectorIgnored(t *testing.T) {
	source := queueSource("unfiltered")
	source.Selector = "a = 1"
	_, err := dial(t, startPeer(t)).Receiver(within(t), source, 1)
	wantError(t, err, connections.ErrRefused)
}

// Types that go-amqp does not know arrive as ours, in one frame or several.
func TestStrangeMessages(t *testing.T) {
	r := receiver(t, dial(t, startPeer(t)), queueSource("strange"), 10)
	for _, want := range []string{`7E-101`, `{"price":0E-6176}`, `"x"`, `["x","` + strings.Repeat("y", 200_000) + `"]`, `["EUR",5]`} {
		if d := take(t, r, want); d.Identity != "strange" || d.ContentType != "application/json" {
			t.Errorf("%.20s: got identity %q, content type %q", want, d.Identity, d.ContentType)
		}
	}
	take(t, r, "ordinary")
}
