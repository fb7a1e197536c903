//go:build mq && cgo

package bench

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ibm-messaging/mq-golang/v5/ibmmq"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq"
)

// The benchmarks of IBM MQ compare with bare loops of mq-golang at the same size
// of units of work, on the queue-manager double as a process of its own. They say
// what Fairlead costs, and nothing about IBM MQ.
//
// Where messages are received, each side connects and opens the queue in its turn,
// and closes and disconnects after it. Where they are sent, all sides keep their
// connections. A bare loop looks neither at headers nor at the body.

var unitSizes = []int{1, 50}

const (
	mqTurn  = 1000 // messages of each turn: short ones, so that both meet the same load of the machine
	mqTurns = 48
)

// startDouble runs a queue manager until the benchmark ends, and returns its
// address as MQ writes it.
func startDouble(b *testing.B) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "mqdouble")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/fairlead/fairlead/test/mqdouble/cmd/mqdouble").CombinedOutput(); err != nil {
		b.Fatalf("build the queue-manager double: %v: %s", err, out)
	}
	cmd := exec.Command(program, "serve", "-listen", "127.0.0.1:0")
	said, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(said).ReadString('\n')
	address := regexp.MustCompile(`127\.0\.0\.1\(\d+\)`).FindString(line)
	if address == "" {
		b.Fatalf("the queue-manager double said %q: %v", line, err)
	}
	return address
}

// A bareMQ is a connection of mq-golang alone.
type bareMQ struct {
	b  *testing.B
	qm ibmmq.MQQueueManager
}

func dialBareMQ(b *testing.B, address string) bareMQ {
	b.Helper()
	cd := ibmmq.NewMQCD()
	cd.ChannelName, cd.ConnectionName = "DEV.APP.SVRCONN", address
	cno := ibmmq.NewMQCNO()
	cno.Options, cno.ClientConn = ibmmq.MQCNO_CLIENT_BINDING|ibmmq.MQCNO_HANDLE_SHARE_NO_BLOCK, cd
	qm, err := ibmmq.Connx("QM1", cno)
	if err != nil {
		b.Fatal(err)
	}
	return bareMQ{b, qm}
}

func (m bareMQ) close() {
	if err := m.qm.Disc(); err != nil {
		m.b.Error(err)
	}
}

func (m bareMQ) open(queue string, options int32) ibmmq.MQObject {
	od := ibmmq.NewMQOD()
	od.ObjectName = queue
	o, err := m.qm.Open(od, options)
	if err != nil {
		m.b.Fatal(err)
	}
	return o
}

func (m bareMQ) commitAt(i, unit int) {
	if (i+1)%unit != 0 {
		return
	}
	if err := m.qm.Cmit(); err != nil {
		m.b.Fatal(err)
	}
}

// receive leaves the queue open, which close closes.
func (m bareMQ) receive(queue string, n, unit int) {
	o := m.open(queue, ibmmq.MQOO_INPUT_SHARED)
	gmo, buf := ibmmq.NewMQGMO(), make([]byte, 16<<10)
	gmo.Options, gmo.WaitInterval = ibmmq.MQGMO_SYNCPOINT|ibmmq.MQGMO_WAIT|ibmmq.MQGMO_FAIL_IF_QUIESCING|ibmmq.MQGMO_PROPERTIES_FORCE_MQRFH2, 1000
	for i := range n {
		if _, err := o.Get(ibmmq.NewMQMD(), gmo, buf); err != nil {
			m.b.Fatal(err)
		}
		m.commitAt(i, unit)
	}
}

func (m bareMQ) send(queue string, n, unit int) {
	o := m.open(queue, ibmmq.MQOO_OUTPUT)
	pmo, body := ibmmq.NewMQPMO(), []byte(strings.Repeat("x", 1000))
	pmo.Options = ibmmq.MQPMO_SYNCPOINT
	for i := range n {
		md := ibmmq.NewMQMD()
		md.Format = ibmmq.MQFMT_STRING
		if err := o.Put(md, pmo, body); err != nil {
			m.b.Fatal(err)
		}
		m.commitAt(i, unit)
	}
	if err := o.Close(ibmmq.MQCO_NONE); err != nil {
		m.b.Fatal(err)
	}
}

func mqSettings(address string) *mq.Connection {
	return &mq.Connection{Address: address, QueueManager: "QM1", Channel: "DEV.APP.SVRCONN", JMS: true}
}

func openMQ(b *testing.B, address string) connections.Dial {
	b.Helper()
	dial, err := mq.Driver().Open("bench", mqSettings(address))
	if err != nil {
		b.Fatal(err)
	}
	return dial
}

// fillMQ puts n messages on a queue, as JMS clients do.
func fillMQ(b *testing.B, s connections.Sender, n int) {
	b.Helper()
	batch := make([]connections.Message, n)
	for i := range batch {
		batch[i] = mqMessage()
	}
	for _, err := range s.Send(b.Context(), batch) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func mqMessage() connections.Message {
	return connections.Message{Body: []byte(strings.Repeat("x", 1000)), Text: true, Header: map[string]any{"a": "b"}}
}

// Queues of the double exist when they are opened.
const mqQueue = "BENCH.Q"

func BenchmarkReceiveMQ(b *testing.B) {
	address := startDouble(b)
	dial := openMQ(b, address)
	filler := mqSender(b, dial)
	for _, unit := range unitSizes {
		from := &mq.Source{Batch: unit}
		from.SetAddress(mqQueue, false)
		turn := func(name string, work func() func()) contestant {
			return contestant{name, func() func() func() {
				fillMQ(b, filler, mqTurn)
				return work
			}}
		}
		b.Run(fmt.Sprintf("unit=%d", unit), func(b *testing.B) {
			race(b, mqTurns, mqTurn,
				turn("raw", func() func() {
					raw := dialBareMQ(b, address)
					raw.receive(mqQueue, mqTurn, unit)
					return raw.close
				}),
				turn("driver", func() func() { return drain(b, dial, from, mqTurn) }),
				turn("trigger", func() func() { return runTrigger(b, dial, from, true, mqTurn) }),
			)
		})
	}
}

func mqSender(b *testing.B, dial connections.Dial) connections.Sender {
	b.Helper()
	conn, err := dial(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	to := &mq.Target{}
	to.SetAddress(mqQueue, false)
	s, err := conn.Sender(b.Context(), to)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkSendMQ(b *testing.B) {
	address := startDouble(b)
	dial := openMQ(b, address)
	raw := dialBareMQ(b, address)
	defer raw.close()
	s := mqSender(b, dial)
	pool := bindings.NewPool("c", dial, connections.Reconnect{})
	defer pool.Close()
	binding := &bindings.Binding{Name: "out", Pool: pool, Target: &mq.Target{}}
	turn := func(name string, work func()) contestant {
		return contestant{name, func() func() func() {
			return func() func() {
				work()
				return func() {
					drain := dialBareMQ(b, address)
					drain.receive(mqQueue, mqTurn, 50)
					drain.close()
				}
			}
		}}
	}
	for _, unit := range unitSizes {
		turns := []contestant{
			turn("raw", func() { raw.send(mqQueue, mqTurn, unit) }),
			turn("driver", func() {
				for range mqTurn / unit {
					fillMQ(b, s, unit)
				}
			}),
		}
		if unit == 1 { // a Send is a unit of work by itself
			turns = append(turns, turn("binding", func() { sendAll(b, binding, mqQueue, mqTurn, 1) }))
		}
		b.Run(fmt.Sprintf("unit=%d", unit), func(b *testing.B) { race(b, mqTurns, mqTurn, turns...) })
	}
}
