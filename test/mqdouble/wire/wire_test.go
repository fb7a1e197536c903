package wire

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// TestSizes compares the structures with the lengths that mq-golang names
// (MQMD_LENGTH_2, …).
func TestSizes(t *testing.T) {
	for name, test := range map[string]struct {
		v    any
		want int
	}{
		"MQMD": {cMD{}, 364}, "MQOD": {cOD{}, 424}, "MQGMO": {cGMO{}, 112}, "MQPMO": {cPMO{}, 184},
	} {
		if got := binary.Size(test.v); got != test.want {
			t.Errorf("%s is %d bytes long, want %d", name, got, test.want)
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	m := engine.New(engine.Config{})
	if s, err := Listen("0.0.0.0:0", m); err == nil {
		s.Close()
		t.Error("it listens on all interfaces")
	}
}

// A client writes requests as the shim does.
type client struct {
	t    *testing.T
	conn net.Conn
}

func dial(t *testing.T, m *engine.Manager) client {
	t.Helper()
	s, err := Listen("127.0.0.1:0", m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return client{t, c}
}

// call sends a request and returns the reason code and the rest of the answer.
func (c client) call(verb int32, args ...any) (int32, []byte) {
	c.t.Helper()
	out := answer(nil)
	out.int(0)
	out.int(verb)
	for _, arg := range args {
		switch arg := arg.(type) {
		case int32:
			out.int(arg)
		case string:
			out.bytes([]byte(arg))
		default:
			out.bytes(encode(arg))
		}
	}
	binary.LittleEndian.PutUint32(out, uint32(len(out)-4))
	if _, err := c.conn.Write(out); err != nil {
		c.t.Fatal(err)
	}
	in, err := readFrame(c.conn)
	if err != nil {
		c.t.Fatal(err)
	}
	return int32(binary.LittleEndian.Uint32(in[4:])), in[8:]
}

func (c client) connect() {
	c.t.Helper()
	if reason, _ := c.call(connx, "QM1", "CHANNEL", "", "", "test"); reason != 0 {
		c.t.Fatalf("connect: reason %d", reason)
	}
}

// TestShortRequests answers requests that lack what they must have.
func TestShortRequests(t *testing.T) {
	c := dial(t, engine.New(engine.Config{}))
	c.connect()
	for verb := open; verb <= dltmp; verb++ {
		if verb == cmit || verb == back || verb == crtmh {
			continue
		}
		if reason, rest := c.call(verb); reason == 0 || len(rest) != 0 {
			t.Errorf("verb %d without arguments: reason %d and %d bytes, want a failure", verb, reason, len(rest))
		}
	}
	if reason, _ := c.call(99); reason != mqi.MQRC_FUNCTION_NOT_SUPPORTED {
		t.Errorf("an unknown verb: reason %d, want %d", reason, mqi.MQRC_FUNCTION_NOT_SUPPORTED)
	}
	if reason, _ := c.call(connx, "QM1", "CHANNEL", "", "", "test"); reason != mqi.MQRC_HCONN_ERROR {
		t.Errorf("a second connect: reason %d, want %d", reason, mqi.MQRC_HCONN_ERROR)
	}
}

// TestHugeFrame does not believe a length.
func TestHugeFrame(t *testing.T) {
	c := dial(t, engine.New(engine.Config{}))
	if _, err := c.conn.Write([]byte{0xff, 0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want that the connection is closed", err)
	}
}

// FuzzRequest runs any request after a good MQCONNX and MQOPEN.
func FuzzRequest(f *testing.F) {
	md, gmo, pmo := cMD{StrucID: [4]byte([]byte("MD  ")), Version: 2}, cGMO{StrucID: [4]byte([]byte("GMO ")), Version: 4}, cPMO{StrucID: [4]byte([]byte("PMO ")), Version: 3}
	seed := func(verb int32, args ...any) {
		out := answer(nil)
		for _, arg := range args {
			switch arg := arg.(type) {
			case int32:
				out.int(arg)
			case int64:
				out.long(arg)
			case string:
				out.bytes([]byte(arg))
			default:
				out.bytes(encode(arg))
			}
		}
		f.Add(verb, []byte(out))
	}
	seed(put, int32(1), md, pmo, "data")
	seed(get, int32(1), md, gmo, int32(100))
	seed(inq, int32(1), "\x16\x00\x00\x00", int32(1), int32(0))
	seed(set, int32(1), "\x0a\x00\x00\x00", "\x01\x00\x00\x00", "")
	seed(setmp, int64(2), "name", mqi.MQTYPE_INT32, "\x01\x00\x00\x00")
	seed(inqmp, int64(2), "%", int32(0), int32(100))
	f.Fuzz(func(t *testing.T, verb int32, args []byte) {
		m := engine.New(engine.Config{Define: &engine.Attributes{}})
		conn, _ := m.Connect(engine.Login{})
		conn.Open(&engine.OD{Type: mqi.MQOT_Q, Name: "Q"}, mqi.MQOO_INPUT_SHARED|mqi.MQOO_OUTPUT|mqi.MQOO_INQUIRE|mqi.MQOO_SET)
		conn.CreateHandle()
		s := &session{conn: conn}
		in, out := &request{data: args}, make(answer, head, 512)
		if verb != connx && !waits(verb, args) {
			s.perform(verb, in, &out)
		}
	})
}

// waits reports whether it is an MQGET that may wait for a message.
func waits(verb int32, args []byte) bool {
	in := &request{data: args}
	in.int()
	var md cMD
	var gmo cGMO
	in.structure("MD  ", &md)
	in.structure("GMO ", &gmo)
	return verb == get && in.err == nil && gmo.Options&mqi.MQGMO_WAIT != 0
}
