package mq

import (
	"time"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// onEngine is a client library that calls the queue-manager double directly, so
// that everything but the real client is tested without cgo. What the client
// loses on the way to C is not lost here; the tests with -tags mq see to that.
func onEngine(m *engine.Manager) connector {
	return func(c *Connection) (queueManager, error) {
		conn, r := m.Connect(engine.Login{
			QueueManager: c.QueueManager, Channel: c.Channel, User: c.User, Password: c.Password, ApplName: c.applName(),
		})
		if err := outcome("MQCONNX", r); err != nil {
			return nil, err
		}
		return &engineConn{conn}, nil
	}
}

func outcome(verb string, r engine.Result) error {
	if r.Code == mqi.MQCC_OK {
		return nil
	}
	return &mqi.Error{Verb: verb, Code: r.Code, Reason: r.Reason}
}

type engineConn struct{ c *engine.Conn }

func (e *engineConn) open(o opening) (object, error) {
	od := engine.OD{Type: mqi.MQOT_Q, Name: o.queue.queue, QueueManager: o.queue.manager}
	if od.Name == "" {
		od.Type = mqi.MQOT_Q_MGR
	}
	handle, r := e.c.Open(&od, o.options)
	if err := outcome("MQOPEN", r); err != nil {
		return nil, err
	}
	return &engineObject{e.c, handle}, nil
}

func (e *engineConn) commit() error     { return outcome("MQCMIT", e.c.Commit()) }
func (e *engineConn) back() error       { return outcome("MQBACK", e.c.Back()) }
func (e *engineConn) disconnect() error { return outcome("MQDISC", e.c.Disconnect()) }

type engineObject struct {
	c      *engine.Conn
	handle int32
}

func (o *engineObject) get(md *mqi.MD, options getOptions, buf []byte) (int, error) {
	gmo := engine.GMO{Options: options.options, WaitInterval: int32(options.wait / time.Millisecond)}
	data, n, r := o.c.Get(o.handle, md, &gmo, len(buf))
	copy(buf, data)
	return n, outcome("MQGET", r)
}

func (o *engineObject) put(md *mqi.MD, options putOptions, data []byte) error {
	pmo := engine.PMO{Options: options.options}
	if from, ok := options.context.(*engineObject); ok {
		pmo.Context = from.handle
	}
	return outcome("MQPUT", o.c.Put(o.handle, md, &pmo, data))
}

func (o *engineObject) inquire(selectors []int32) (map[int32]any, error) {
	list, r := o.c.Inquire(o.handle, selectors)
	values := make(map[int32]any)
	for i, v := range list {
		values[selectors[i]] = v
	}
	return values, outcome("MQINQ", r)
}

func (o *engineObject) close() error { return outcome("MQCLOSE", o.c.Close(o.handle, mqi.MQCO_NONE)) }
