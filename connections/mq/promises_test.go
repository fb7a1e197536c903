package mq

import (
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/connectiontest"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// config is a queue manager on which every queue exists.
func config() engine.Config {
	return engine.Config{
		DeadLetterQueue: "SYSTEM.DEAD.LETTER.QUEUE",
		Users:           map[string]string{"app": "apppw"},
		Define:          &engine.Attributes{},
	}
}

// settings connects to where nobody listens.
func settings() *Connection {
	return &Connection{
		Address: "127.0.0.1(1)", QueueManager: "QM1", Channel: "DEV.APP.SVRCONN",
		User: "app", Password: "apppw", JMS: true,
	}
}

// TestEngine runs the suite on the queue-manager double without the client.
func TestEngine(t *testing.T) {
	m := engine.New(config())
	s := subject(onEngine(m), settings())
	s.Break = func(testing.TB) { m.Break() }
	connectiontest.Run(t, s)
}

// subject is the suite's view of a queue manager on which every queue exists.
func subject(connect connector, c *Connection) connectiontest.Subject {
	with := func(change func(*Connection)) *Connection {
		changed := *c
		change(&changed)
		return &changed
	}
	const tooLong = "A.NAME.THAT.IS.MUCH.TOO.LONG.FOR.AN.OBJECT.OF.IBM.MQ"
	return connectiontest.Subject{
		Driver:        driver(connect),
		Connection:    c,
		Queue:         func(testing.TB) string { return queueName() },
		ReplyTo:       func(queue string) string { return address{queue: queue}.uri() },
		Refused:       func(m *connections.Message) { m.Priority = new(-99) },
		Malformed:     func(t testing.TB, queue string) { putMalformed(t, connect, c, queue) },
		WrongPassword: with(func(c *Connection) { c.Password = "wr0ng-secret" }),
		Password:      "wr0ng-secret",
		WrongSettings: map[string]any{
			"address":           with(func(c *Connection) { c.Address = "mq.example.com:1414" }),
			"channel":           with(func(c *Connection) { c.Channel = "A.CHANNEL.NAME.TOO.LONG" }),
			"queueManager":      with(func(c *Connection) { c.QueueManager = tooLong }),
			"ccdt":              with(func(c *Connection) { c.CCDT = "gopher://example.com/ccdt.json" }),
			"password":          with(func(c *Connection) { c.User, c.Password = "", "p" }),
			"applName":          with(func(c *Connection) { c.ApplName = tooLong }),
			"tls.keyRepository": with(func(c *Connection) { c.TLS = &TLS{} }),
			"tls.cipherSpec":    with(func(c *Connection) { c.TLS = &TLS{KeyRepository: "a", CipherSpec: tooLong} }),
		},
		Cannot: connectiontest.Cannot{CloseUncounted: true, ReleaseUncounted: true},
	}
}

// putMalformed puts what says that it has an MQRFH2, and has none.
func putMalformed(t testing.TB, connect connector, c *Connection, queue string) {
	t.Helper()
	qm, err := connect(c)
	if err != nil {
		t.Fatal(err)
	}
	defer qm.disconnect()
	o, err := qm.open(opening{address{queue: queue}, mqi.MQOO_OUTPUT})
	if err != nil {
		t.Fatal(err)
	}
	md := mqi.NewMD()
	md.Format = rfh2.FormatRFH2
	if err := o.put(&md, putOptions{options: mqi.MQPMO_NO_SYNCPOINT}, []byte("RFH of no version at all, and long enough")); err != nil {
		t.Fatal(err)
	}
}
