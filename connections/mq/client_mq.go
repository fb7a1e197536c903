//go:build mq && cgo

package mq

import (
	"cmp"
	"errors"
	"time"

	"github.com/ibm-messaging/mq-golang/v5/ibmmq"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// client returns what connects through IBM's client library.
func client() connector { return connectIBM }

// maxMessage is the longest message that a channel may carry. The queue
// manager's end of the channel has a limit of its own.
const maxMessage = 100 << 20

func connectIBM(c *Connection) (queueManager, error) {
	cno := ibmmq.NewMQCNO()
	cno.Options = ibmmq.MQCNO_CLIENT_BINDING | ibmmq.MQCNO_HANDLE_SHARE_NO_BLOCK | ibmmq.MQCNO_RECONNECT_DISABLED
	cno.ApplName = c.applName()
	if c.CCDT != "" {
		url, err := c.ccdtURL()
		if err != nil {
			return nil, err
		}
		cno.CCDTUrl = url
	} else {
		cno.ClientConn = channel(c)
	}
	if c.TLS != nil {
		cno.SSLConfig = ibmmq.NewMQSCO()
		cno.SSLConfig.KeyRepository = c.TLS.KeyRepository
		cno.SSLConfig.KeyRepoPassword = c.TLS.KeyRepositoryPassword
		cno.SSLConfig.CertificateLabel = c.TLS.CertificateLabel
	}
	if c.User != "" {
		cno.SecurityParms = ibmmq.NewMQCSP()
		cno.SecurityParms.AuthenticationType = ibmmq.MQCSP_AUTH_USER_ID_AND_PWD
		cno.SecurityParms.UserId, cno.SecurityParms.Password = c.User, c.Password
	}
	qm, err := ibmmq.Connx(c.QueueManager, cno)
	if err := answered("MQCONNX", err); err != nil {
		if e, ok := errors.AsType[*mqi.Error](err); ok && e.Code == mqi.MQCC_WARNING {
			_ = qm.Disc() // it is connected, but not as it should be
		}
		return nil, err
	}
	return &ibmQueueManager{qm}, nil
}

func channel(c *Connection) *ibmmq.MQCD {
	cd := ibmmq.NewMQCD()
	cd.ChannelName, cd.ConnectionName, cd.MaxMsgLength = c.Channel, c.Address, maxMessage
	if c.TLS != nil {
		cd.SSLCipherSpec, cd.SSLPeerName = cmp.Or(c.TLS.CipherSpec, "ANY_TLS12_OR_HIGHER"), c.TLS.PeerName
	}
	return cd
}

// answered turns an error of mq-golang into ours.
func answered(verb string, err error) error {
	if err == nil {
		return nil
	}
	if r, ok := errors.AsType[*ibmmq.MQReturn](err); ok {
		return &mqi.Error{Verb: verb, Code: r.MQCC, Reason: r.MQRC}
	}
	return err
}

type ibmQueueManager struct{ qm ibmmq.MQQueueManager }

func (q *ibmQueueManager) open(o opening) (object, error) {
	od := ibmmq.NewMQOD()
	od.ObjectName, od.ObjectQMgrName = o.queue.queue, o.queue.manager
	if o.queue.queue == "" {
		od.ObjectType = ibmmq.MQOT_Q_MGR
	}
	opened, err := q.qm.Open(od, o.options)
	if err != nil {
		return nil, answered("MQOPEN", err)
	}
	return &ibmObject{o: opened, md: newMD(), gmo: ibmmq.NewMQGMO(), pmo: ibmmq.NewMQPMO()}, nil
}

func (q *ibmQueueManager) commit() error     { return answered("MQCMIT", q.qm.Cmit()) }
func (q *ibmQueueManager) back() error       { return answered("MQBACK", q.qm.Back()) }
func (q *ibmQueueManager) disconnect() error { return answered("MQDISC", q.qm.Disc()) }

// An ibmObject uses its structures again for each verb.
type ibmObject struct {
	o   ibmmq.MQObject
	md  *ibmmq.MQMD
	gmo *ibmmq.MQGMO
	pmo *ibmmq.MQPMO
}

func newMD() *ibmmq.MQMD {
	md := ibmmq.NewMQMD()
	md.Version = ibmmq.MQMD_VERSION_2
	return md
}

func (o *ibmObject) get(md *mqi.MD, options getOptions, buf []byte) (int, error) {
	toIBM(o.md, md)
	o.gmo.Version, o.gmo.Options, o.gmo.MatchOptions = ibmmq.MQGMO_VERSION_2, options.options, ibmmq.MQMO_NONE
	o.gmo.WaitInterval = int32(options.wait / time.Millisecond)
	o.gmo.ResolvedQName = "" // the last answer, which mq-golang would copy to C for nothing
	n, err := o.o.Get(o.md, o.gmo, buf)
	fromIBM(md, o.md)
	return n, answered("MQGET", err)
}

func (o *ibmObject) put(md *mqi.MD, options putOptions, data []byte) error {
	toIBM(o.md, md)
	o.pmo.Options, o.pmo.Context = options.options, nil
	o.pmo.ResolvedQName, o.pmo.ResolvedQMgrName = "", "" // likewise
	if from, ok := options.context.(*ibmObject); ok {
		o.pmo.Context = &from.o
	}
	return answered("MQPUT", o.o.Put(o.md, o.pmo, data))
}

func (o *ibmObject) inquire(selectors []int32) (map[int32]any, error) {
	values, err := o.o.Inq(selectors)
	return values, answered("MQINQ", err)
}

func (o *ibmObject) close() error { return answered("MQCLOSE", o.o.Close(ibmmq.MQCO_NONE)) }

// toIBM fills to, whose identifiers have the right length and stay its own.
func toIBM(to *ibmmq.MQMD, from *mqi.MD) {
	to.Report, to.MsgType, to.Expiry, to.Feedback = from.Report, from.MsgType, from.Expiry, from.Feedback
	to.Encoding, to.CodedCharSetId, to.Format = from.Encoding, from.CodedCharSetID, from.Format
	to.Priority, to.Persistence, to.BackoutCount = from.Priority, from.Persistence, from.BackoutCount
	copy(to.MsgId, from.MsgID[:])
	copy(to.CorrelId, from.CorrelID[:])
	copy(to.GroupId, from.GroupID[:])
	copy(to.AccountingToken, from.AccountingToken[:])
	to.ReplyToQ, to.ReplyToQMgr = from.ReplyToQ, from.ReplyToQMgr
	to.UserIdentifier, to.ApplIdentityData, to.ApplOriginData = from.UserIdentifier, from.ApplIdentityData, from.ApplOriginData
	to.PutApplType, to.PutApplName, to.PutDate, to.PutTime, to.PutDateTime = from.PutApplType, from.PutApplName, "", "", time.Time{}
	if len(from.PutDate) == 8 && len(from.PutTime) == 8 { // mq-golang refuses others, which some applications put
		to.PutDate, to.PutTime = from.PutDate, from.PutTime
	}
	to.MsgSeqNumber, to.Offset, to.MsgFlags, to.OriginalLength = from.MsgSeqNumber, from.Offset, from.MsgFlags, from.OriginalLength
}

func fromIBM(to *mqi.MD, from *ibmmq.MQMD) {
	*to = mqi.MD{
		Report: from.Report, MsgType: from.MsgType, Expiry: from.Expiry, Feedback: from.Feedback,
		Encoding: from.Encoding, CodedCharSetID: from.CodedCharSetId, Format: from.Format,
		Priority: from.Priority, Persistence: from.Persistence, BackoutCount: from.BackoutCount,
		MsgID: mqi.ID(from.MsgId), CorrelID: mqi.ID(from.CorrelId), GroupID: mqi.ID(from.GroupId),
		AccountingToken: [32]byte(from.AccountingToken), ReplyToQ: from.ReplyToQ, ReplyToQMgr: from.ReplyToQMgr,
		UserIdentifier: from.UserIdentifier, ApplIdentityData: from.ApplIdentityData, ApplOriginData: from.ApplOriginData,
		PutApplType: from.PutApplType, PutApplName: from.PutApplName, PutDate: from.PutDate, PutTime: from.PutTime,
		MsgSeqNumber: from.MsgSeqNumber, Offset: from.Offset, MsgFlags: from.MsgFlags, OriginalLength: from.OriginalLength,
	}
}
