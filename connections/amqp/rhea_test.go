package amqp_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// rhea is a client of rhea, in JavaScript.
func rhea(t *testing.T) peer {
	t.Helper()
	modules := services.Rhea(t)
	return func(t *testing.T, broker services.Broker, command, queue string) []string {
		return run(t, "env", "NODE_PATH="+modules, "node", "testdata/client.js", fmt.Sprintf("amqp://%s:%s@%s", broker.User, broker.Password, broker.AMQP), command, queue)
	}
}

// startRhea runs rhea as a peer that listens, and returns the settings of a connection
// to it, and the lines that it prints.
func startRhea(t *testing.T) (*amqp.Connection, <-chan string) {
	t.Helper()
	modules := services.Rhea(t)
	for range 5 {
		url := fmt.Sprintf("amqp://127.0.0.1:%d", 12000+rand.IntN(3000))
		cmd := exec.CommandContext(t.Context(), "node", "testdata/client.js", url, "listen", "")
		cmd.Env = append(cmd.Environ(), "NODE_PATH="+modules)
		cmd.Stderr = t.Output()
		out := bufio.NewScanner(check(cmd.StdoutPipe())(t))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if !out.Scan() || out.Text() != "ready" {
			_ = cmd.Wait() // the port is somebody else's
			continue
		}
		lines, read := make(chan string, 100), make(chan struct{})
		go func() {
			defer close(read)
			for out.Scan() {
				lines <- out.Text()
			}
		}()
		t.Cleanup(func() {
			cmd.Process.Kill()
			<-read
			cmd.Wait()
		})
		return &amqp.Connection{URL: url}, lines
	}
	t.Fatal("rhea finds no port")
	return nil, nil
}

// What rhea sends arrives with its types, and rhea is told that it was accepted.
func TestFromRhea(t *testing.T) {
	client := rhea(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		told := client.start(t, broker, "send", queue)
		r := receiver(t, dial(t, settings(broker)), queueSource(queue), 10)
		d := take(t, r, "héllo")
		header := map[string]any{"colour": "red", "number": int32(-42), "big": int64(9007199254740991), "half": 0.5, "yes": true, "sym": "s"}
		if diff := cmp.Diff(header, d.Header); diff != "" || d.Identity != "ulong:7" || d.Key != "group" || !d.Text {
			t.Errorf("got %+v, want what rhea sent; properties (-want +got):\n%s", d.Message, diff)
		}
		if d := take(t, r, "\x00\xff"); d.Text || d.ContentType != "application/x-test" || d.CorrelationID != uint64(5) || d.Identity != "id" {
			t.Errorf("got %+v, want what rhea sent", d.Message)
		}
		if d := take(t, r, `{"n":5,"name":"wörth"}`); d.Identity != "uuid:00000000-0000-0000-0000-000000000007" {
			t.Errorf("got identity %q, want the uuid", d.Identity)
		}
		if d := take(t, r, `[1,"two"]`); d.Identity != "binary:37" {
			t.Errorf("got identity %q, want the bytes", d.Identity)
		}
		money := take(t, r, `[["EUR",5]]`).Native.(*goamqp.Message).Value
		if diff := cmp.Diff([]any{amqp.Described{Descriptor: goamqp.Symbol("com.example:money"), Value: []any{"EUR", int32(5)}}}, money); diff != "" {
			t.Errorf("a described type (-want +got):\n%s", diff)
		}
		take(t, r, `"2023-11-14T22:13:20.123Z"`)
		take(t, r, "[1,2]")
		take(t, r, "end")
		if got, want := <-told, slices.Repeat([]string{"accepted"}, 8); !slices.Equal(got, want) {
			t.Errorf("rhea was told %q, want %q", got, want)
		}
	})
}

// What is sent to rhea is what it gets.
func TestToRhea(t *testing.T) {
	client := rhea(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		lines := client.start(t, broker, "receive", queue)
		send(t, dial(t, settings(broker)), queueTarget(queue), outgoing(t)...)
		const json = "7b2261223a317d"
		want := []string{
			"string:héllo - durable=true {big=number:1099511627776,colour=string:red,half=number:0.5,number=number:-42,yes=boolean:true}",
			"section117:binary:00ff - durable=true {}",
			`string:{"a":1} application/json durable=true {}`,
			"section117:binary:" + json + " application/json durable=true {}",
			"section117:binary:" + json + " application/json durable=true {cloudEvents_id=string:1,cloudEvents_source=string:/s,cloudEvents_specversion=string:1.0,cloudEvents_type=string:t}",
			"section117:binary: - durable=true {}",
			"string:end - durable=true {}",
		}
		if diff := cmp.Diff(want, <-lines); diff != "" {
			t.Errorf("what rhea got (-want +got):\n%s", diff)
		}
	})
}

// rhea asks with a dynamic reply address, and gets the answer.
func TestRheaRequest(t *testing.T) {
	client := rhea(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		conn := dial(t, settings(broker))
		r := receiver(t, conn, queueSource(queue), 1)
		lines := client.start(t, broker, "ask", queue)
		d := take(t, r, "question")
		send(t, conn, nativeTarget(d.ReplyTo), connections.Message{Body: []byte("answer"), Text: true, CorrelationID: d.Correlate})
		if got := <-lines; got[0] != "answer request" {
			t.Errorf("got %q, want the answer to the request", got)
		}
	})
}

// rhea as the peer sees each outcome as it was meant, and its own are told apart.
func TestRheaSettles(t *testing.T) {
	c, lines := startRhea(t)
	conn := dial(t, c)
	want := []*framework.SendError{
		nil,
		{Destination: "q", Outcome: framework.Reject, Condition: "app:no", Description: "not like that"},
		{Destination: "q", Outcome: framework.Release},
		{Destination: "q", Outcome: framework.Modify},
	}
	s := check(conn.Sender(within(t), queueTarget("q")))(t)
	for i, name := range []string{"accepted", "rejected", "released", "modified"} { // of what comes together, rhea mixes the outcomes up
		err := s.Send(within(t), []connections.Message{text(name)})[0]
		var got *framework.SendError
		if e, ok := err.(*framework.SendError); ok { //nolint:errorlint // it is that, or wrong
			got = e
		}
		if diff := cmp.Diff(want[i], got); diff != "" || (err == nil) != (want[i] == nil) {
			t.Errorf("message %d: error %v (-want +got):\n%s", i, err, diff)
		}
	}
	r := receiver(t, conn, queueSource("q"), 10)
	for _, o := range []framework.Outcome{framework.Accept, framework.Reject, framework.Release, framework.Modify} {
		settle(t, receive(t, r), o)
	}
	for _, want := range []string{"accepted", "rejected", "released", "modified failed=true elsewhere=false"} {
		select {
		case line := <-lines:
			if !strings.HasSuffix(line, " "+want) {
				t.Errorf("rhea saw %q, want %q", line, want)
			}
		case <-time.After(soon):
			t.Fatalf("rhea has not seen %q", want)
		}
	}
}

// rhea comes in by other ways, and what one side sends reaches the other.
func TestRheaSecurity(t *testing.T) {
	modules := services.Rhea(t)
	artemis, classic, brokerj := services.Artemis(t), services.Classic(t), services.BrokerJ(t)
	for name, tt := range map[string]struct {
		broker services.Broker
		url    string
	}{
		"artemis PLAIN with TLS": {artemis, "amqps://app:apppw@" + artemis.AMQPS},
		"artemis EXTERNAL":       {artemis, "amqps://" + artemis.AMQPExternal},
		"classic PLAIN with TLS": {classic, "amqps://app:apppw@" + classic.AMQPS},
		"brokerj PLAIN with TLS": {brokerj, "amqps://app:apppw@" + brokerj.AMQPS},
		"brokerj EXTERNAL":       {brokerj, "amqps://" + brokerj.AMQPExternal},
		"brokerj ANONYMOUS":      {brokerj, "amqp://" + brokerj.AMQPAnonymous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := newQueue()
			conn := dial(t, settings(tt.broker))
			send(t, conn, queueTarget(queue), text(name))
			run(t, "env", "NODE_PATH="+modules, "node", "testdata/client.js", strings.Replace(tt.url, "127.0.0.1", "localhost", 1), "echo", queue, tt.broker.Certs)
			take(t, receiver(t, conn, queueSource(queue+".back"), 1), name)
		})
	}
}
