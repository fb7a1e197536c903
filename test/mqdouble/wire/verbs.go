package wire

import (
	"encoding/binary"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// Requests; wire.h of the shim has the same list.
const (
	connx int32 = iota + 1
	disc
	open
	closeObject
	put
	put1
	get
	cmit
	back
	inq
	set
	crtmh
	dltmh
	setmp
	inqmp
	dltmp
)

// perform runs a verb. It reads its arguments from in and appends to out what
// it returns.
func (s *session) perform(verb int32, in *request, out *answer) engine.Result {
	switch verb {
	case connx:
		return s.connx(in)
	case disc:
		s.done = true
		return s.conn.Disconnect()
	case open:
		return s.open(in, out)
	case closeObject:
		return s.conn.Close(in.int(), in.int())
	case put:
		return s.put(in, out)
	case put1:
		return s.put1(in, out)
	case get:
		return s.get(in, out)
	case cmit:
		return s.conn.Commit()
	case back:
		return s.conn.Back()
	case inq:
		return s.inq(in, out)
	case set:
		return s.set(in)
	case crtmh:
		handle, r := s.conn.CreateHandle()
		out.long(handle)
		return r
	case dltmh:
		return s.conn.DeleteHandle(in.long())
	case setmp:
		return s.setmp(in)
	case inqmp:
		return s.inqmp(in, out)
	case dltmp:
		return s.conn.DeleteProperty(in.long(), string(in.bytes()))
	}
	return engine.Result{Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_FUNCTION_NOT_SUPPORTED}
}

func (s *session) connx(in *request) engine.Result {
	login := engine.Login{
		QueueManager: text(in.bytes()), Channel: text(in.bytes()),
		User: string(in.bytes()), Password: string(in.bytes()), ApplName: text(in.bytes()),
	}
	if in.err != nil || s.conn != nil {
		return engine.Result{Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_HCONN_ERROR}
	}
	c, r := s.server.manager.Connect(login)
	if c != nil {
		s.connected(c)
	}
	return r
}

func (s *session) open(in *request, out *answer) engine.Result {
	var c cOD
	in.structure("OD  ", &c)
	options := in.int()
	if in.err != nil {
		return engine.Result{}
	}
	od := c.od()
	handle, r := s.conn.Open(&od, options)
	c.set(&od)
	out.bytes(encode(&c))
	out.int(handle)
	return r
}

func (s *session) put(in *request, out *answer) engine.Result {
	handle := in.int()
	var m cMD
	var p cPMO
	in.structure("MD  ", &m)
	in.structure("PMO ", &p)
	data := in.bytes()
	if in.err != nil {
		return engine.Result{}
	}
	md, pmo := m.md(), p.pmo()
	if m.Version < 2 {
		md.MsgSeqNumber = 1
	}
	r := s.conn.Put(handle, &md, &pmo, data)
	answerPut(out, &m, &md, &p, &pmo)
	return r
}

func (s *session) put1(in *request, out *answer) engine.Result {
	var c cOD
	var m cMD
	var p cPMO
	in.structure("OD  ", &c)
	in.structure("MD  ", &m)
	in.structure("PMO ", &p)
	data := in.bytes()
	if in.err != nil {
		return engine.Result{}
	}
	od, md, pmo := c.od(), m.md(), p.pmo()
	if m.Version < 2 {
		md.MsgSeqNumber = 1
	}
	r := s.conn.PutOne(&od, &md, &pmo, data)
	c.set(&od)
	out.bytes(encode(&c))
	answerPut(out, &m, &md, &p, &pmo)
	return r
}

func answerPut(out *answer, m *cMD, md *mqi.MD, p *cPMO, pmo *engine.PMO) {
	m.set(md)
	p.set(pmo)
	out.bytes(encode(m))
	out.bytes(encode(p))
}

func (s *session) get(in *request, out *answer) engine.Result {
	handle := in.int()
	var m cMD
	var g cGMO
	in.structure("MD  ", &m)
	in.structure("GMO ", &g)
	size := in.int()
	if in.err != nil || size < 0 {
		return engine.Result{Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_BUFFER_LENGTH_ERROR}
	}
	md, gmo := m.md(), g.gmo()
	data, length, r := s.conn.Get(handle, &md, &gmo, int(size))
	if r.Code != mqi.MQCC_FAILED {
		m.set(&md)
		pad(g.ResolvedQName[:], gmo.ResolvedQName)
	}
	out.bytes(encode(&m))
	out.bytes(encode(&g))
	out.int(int32(length))
	out.bytes(data)
	return r
}

func (s *session) inq(in *request, out *answer) engine.Result {
	handle, selectors := in.int(), in.ints()
	in.int() // how many integers fit
	chars := in.int()
	if in.err != nil {
		return engine.Result{}
	}
	values, r := s.conn.Inquire(handle, selectors)
	var ints, texts []byte
	for _, v := range values {
		switch v := v.(type) {
		case int32:
			ints = binary.LittleEndian.AppendUint32(ints, uint32(v))
		case string:
			field := make([]byte, mqi.MQ_OBJECT_NAME_LENGTH)
			pad(field, v)
			texts = append(texts, field...)
		}
	}
	if len(texts) > int(chars) {
		return engine.Result{Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_CHAR_ATTR_LENGTH_ERROR}
	}
	out.bytes(ints)
	out.bytes(texts)
	return r
}

func (s *session) set(in *request) engine.Result {
	handle, selectors, values := in.int(), in.ints(), in.ints()
	in.bytes() // no text can be set
	if in.err != nil {
		return engine.Result{}
	}
	if len(selectors) != len(values) {
		return engine.Result{Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_INT_ATTR_COUNT_ERROR}
	}
	attributes := make(map[int32]int32, len(selectors))
	for i, selector := range selectors {
		attributes[selector] = values[i]
	}
	return s.conn.Set(handle, attributes)
}
