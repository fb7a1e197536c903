package broker

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"

	"github.com/fairlead/fairlead/test/services"
)

// peer is the other side, in Python with stomp.py: it takes a message from
// /queue/to.python, refuses it the first time if the version can, and answers
// with what it got, in a transaction.
const peer = `
import queue, sys, stomp
host, port, version = sys.argv[1:]
kind = {"1.0": stomp.StompConnection10, "1.1": stomp.StompConnection11, "1.2": stomp.StompConnection12}[version]
options = {} if version == "1.0" else {"heartbeats": (1000, 1000)}
conn = kind([(host, int(port))], auto_decode=False, **options)
frames = queue.Queue()
class Listener(stomp.ConnectionListener):
    def on_message(self, frame): frames.put(frame)
    def on_error(self, frame): frames.put(frame)
conn.set_listener("", Listener())
conn.connect("me", "secret", wait=True)
conn.subscribe("/queue/to.python", id="1", ack="client-individual" if version != "1.0" else "client")
def settle(method, frame, **headers):
    if version == "1.2": method(frame.headers["ack"], **headers)
    elif version == "1.1": method(frame.headers["message-id"], "1", **headers)
    else: method(frame.headers["message-id"], **headers)
frame = frames.get(timeout=20)
if version != "1.0":
    settle(conn.nack, frame)
    frame = frames.get(timeout=20)
    assert frame.headers["redelivered"] == "true" and frame.headers["delivery-count"] == "1", frame.headers
assert "content-length" in frame.headers and "receipt" not in frame.headers, frame.headers
tx = conn.begin()
conn.send(frame.headers["reply-to"], b"got " + frame.body, transaction=tx,
    headers={"correlation-id": frame.headers["correlation-id"], "path": frame.headers["path"]})
settle(conn.ack, frame, transaction=tx)
conn.commit(tx)
conn.disconnect()
`

func TestStompPy(t *testing.T) {
	python := services.Python(t)
	for _, version := range []string{"1.0", "1.1", "1.2"} {
		t.Run(version, func(t *testing.T) {
			address, err := Start(t.Context(), "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c, err := stomp.Dial("tcp", address, stomp.ConnOpt.Logger(quiet{}))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Disconnect(); err != nil {
					t.Error(err)
				}
			}()
			sub, err := c.Subscribe("/queue/answers", stomp.AckAuto)
			if err != nil {
				t.Fatal(err)
			}
			header := stomp.SendOpt.Header
			err = c.Send("/queue/to.python", "", []byte("a\x00b"), stomp.SendOpt.Receipt,
				header("reply-to", "/queue/answers"), header("correlation-id", "7"), header("path", "etc/x"))
			if err != nil {
				t.Fatal(err)
			}
			host, port, _ := strings.Cut(address, ":")
			cmd := exec.CommandContext(t.Context(), python, "-c", peer, host, port, version)
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Run(); err != nil {
				t.Fatal(fmt.Errorf("the peer in Python: %w", err))
			}
			var m *stomp.Message
			select {
			case m = <-sub.C:
			case <-time.After(20 * time.Second):
				t.Fatal("got no answer in 20s")
			}
			if m.Err != nil || string(m.Body) != "got a\x00b" || m.Header.Get("correlation-id") != "7" || m.Header.Get("path") != "etc/x" {
				t.Errorf("got %q, %v, %v, want got a\\x00b with correlation-id 7", m.Body, m.Header, m.Err)
			}
		})
	}
}
