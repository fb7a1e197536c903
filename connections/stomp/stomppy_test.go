package stomp_test

import (
	"bytes"
	"net"
	"os/exec"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// peer is the other side, in Python with stomp.py: it takes a message, checks
// what our driver wrote, and answers.
const peer = `
import queue, sys, stomp
host, port, vhost, user, password, source = sys.argv[1:]
conn = stomp.StompConnection12([(host, int(port))], vhost=vhost, auto_decode=False)
frames = queue.Queue()
class Listener(stomp.ConnectionListener):
    def on_message(self, frame): frames.put(frame)
    def on_error(self, frame): frames.put(frame)
conn.set_listener("", Listener())
conn.connect(user, password, wait=True)
conn.subscribe(source, id="1", ack="client-individual")
frame = frames.get(timeout=20)
h = frame.headers
assert frame.body == b"a\x00b", frame.body
assert h["content-type"] == "application/x-test" and h["path"] == "C:\\x\ny" and h["persistent"] == "true", h
assert h["correlation-id"] == "c-1" and h["cloudEvents_id"] == "e-1", h
conn.send(h["reply-to"], "got \u00e9", content_type="text/plain", headers={"correlation-id": h["correlation-id"], "path": "C:\\x\ny", "priority": "7", "persistent": "true"})
conn.ack(h["ack"])
conn.disconnect(receipt="bye")
`

func TestStompPy(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, to, replies := settingsOf(b), newQueue(), newQueue()
		c := dial(t, s)
		r := receiver(t, c, &stomp.Source{Destination: queue(replies)}, 1)
		request := connections.Message{
			Body: []byte("a\x00b"), ContentType: "application/x-test", CorrelationID: "c-1", ReplyTo: "/queue/" + replies,
			Header: map[string]any{"path": "C:\\x\ny", "cloudEvents_id": "e-1"},
		}
		send(t, s, to, request)
		host, port, err := net.SplitHostPort(b.STOMP)
		if err != nil {
			t.Fatal(err)
		}
		vhost := b.STOMPHost
		if vhost == "" {
			vhost = host
		}
		if out, err := exec.CommandContext(t.Context(), services.Python(t), "-c", peer, host, port, vhost, b.User, b.Password, "/queue/"+to).CombinedOutput(); err != nil {
			t.Fatalf("stomp.py: %v\n%s", err, out)
		}
		d := receive(t, r)
		if !bytes.Equal(d.Body, []byte("got é")) || d.ContentType != "text/plain" || d.CorrelationID != "c-1" || d.Header["path"] != "C:\\x\ny" || d.Priority == nil || *d.Priority != 7 {
			t.Errorf("got %+v, want the answer of stomp.py", d.Message)
		}
		settle(t, d, framework.Accept)
		wantEmpty(t, s, to)
	})
}
