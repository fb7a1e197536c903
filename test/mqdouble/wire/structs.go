// Package wire is the side of the queue-manager double that the C shim talks to:
// it reads requests from a socket, runs them on the engine, and answers.
package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// Structures of the MQI as C lays them out on a 64-bit machine. The length of an
// older version ends before the fields of the next.

type cMD struct {
	StrucID          [4]byte
	Version          int32
	Report           int32
	MsgType          int32
	Expiry           int32
	Feedback         int32
	Encoding         int32
	CodedCharSetID   int32
	Format           [8]byte
	Priority         int32
	Persistence      int32
	MsgID            mqi.ID
	CorrelID         mqi.ID
	BackoutCount     int32
	ReplyToQ         [48]byte
	ReplyToQMgr      [48]byte
	UserIdentifier   [12]byte
	AccountingToken  [32]byte
	ApplIdentityData [32]byte
	PutApplType      int32
	PutApplName      [28]byte
	PutDate          [8]byte
	PutTime          [8]byte
	ApplOriginData   [4]byte
	GroupID          mqi.ID // version 2
	MsgSeqNumber     int32
	Offset           int32
	MsgFlags         int32
	OriginalLength   int32
}

type cOD struct {
	StrucID          [4]byte
	Version          int32
	ObjectType       int32
	ObjectName       [48]byte
	ObjectQMgrName   [48]byte
	DynamicQName     [48]byte
	AlternateUserID  [12]byte
	Lists            [40]byte // version 2: distribution lists, which we do not have
	SecurityID       [40]byte // version 3
	ResolvedQName    [48]byte
	ResolvedQMgrName [48]byte
	Strings          [72]byte // version 4: of topics and selectors, with pointers
	ResolvedType     int32
	_                [4]byte
}

type cGMO struct {
	StrucID        [4]byte
	Version        int32
	Options        int32
	WaitInterval   int32
	Signal1        int32
	Signal2        int32
	ResolvedQName  [48]byte
	MatchOptions   int32 // version 2
	GroupStatus    byte
	SegmentStatus  byte
	Segmentation   byte
	Reserved1      byte
	MsgToken       [16]byte // version 3
	ReturnedLength int32
	Reserved2      int32 // version 4
	MsgHandle      int64
}

type cPMO struct {
	StrucID           [4]byte
	Version           int32
	Options           int32
	Timeout           int32
	Context           int32
	KnownDestCount    int32
	UnknownDestCount  int32
	InvalidDestCount  int32
	ResolvedQName     [48]byte
	ResolvedQMgrName  [48]byte
	Lists             [32]byte // version 2
	OriginalMsgHandle int64    // version 3
	NewMsgHandle      int64
	Action            int32
	PubLevel          int32
}

// decode reads a structure of any version into v, a pointer. What the version
// does not have stays as it is.
func decode(data []byte, id string, v any) error {
	if len(data) < 8 || string(data[:4]) != id {
		return fmt.Errorf("found %.4q, expected a structure %q", data, id)
	}
	full := encode(v)
	copy(full, data)
	_, err := binary.Decode(full, binary.LittleEndian, v)
	return err
}

func encode(v any) []byte {
	data, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err) // only if a type above has no fixed size
	}
	return data
}

func text(field []byte) string {
	field, _, _ = bytes.Cut(field, []byte{0})
	return strings.TrimRight(string(field), " ")
}

// pad fills a field with blanks behind s.
func pad(field []byte, s string) {
	for i := copy(field, s); i < len(field); i++ {
		field[i] = ' '
	}
}

func (c *cMD) md() mqi.MD {
	return mqi.MD{
		Report: c.Report, MsgType: c.MsgType, Expiry: c.Expiry, Feedback: c.Feedback,
		Encoding: c.Encoding, CodedCharSetID: c.CodedCharSetID, Format: text(c.Format[:]),
		Priority: c.Priority, Persistence: c.Persistence, MsgID: c.MsgID, CorrelID: c.CorrelID,
		BackoutCount: c.BackoutCount, ReplyToQ: text(c.ReplyToQ[:]), ReplyToQMgr: text(c.ReplyToQMgr[:]),
		UserIdentifier: text(c.UserIdentifier[:]), AccountingToken: c.AccountingToken, ApplIdentityData: text(c.ApplIdentityData[:]),
		PutApplType: c.PutApplType, PutApplName: text(c.PutApplName[:]), PutDate: text(c.PutDate[:]), PutTime: text(c.PutTime[:]),
		ApplOriginData: text(c.ApplOriginData[:]), GroupID: c.GroupID, MsgSeqNumber: c.MsgSeqNumber,
		Offset: c.Offset, MsgFlags: c.MsgFlags, OriginalLength: c.OriginalLength,
	}
}

func (c *cMD) set(md *mqi.MD) {
	c.Report, c.MsgType, c.Expiry, c.Feedback = md.Report, md.MsgType, md.Expiry, md.Feedback
	c.Encoding, c.CodedCharSetID = md.Encoding, md.CodedCharSetID
	c.Priority, c.Persistence, c.BackoutCount = md.Priority, md.Persistence, md.BackoutCount
	c.MsgID, c.CorrelID, c.GroupID, c.AccountingToken = md.MsgID, md.CorrelID, md.GroupID, md.AccountingToken
	c.PutApplType, c.MsgSeqNumber, c.Offset = md.PutApplType, md.MsgSeqNumber, md.Offset
	c.MsgFlags, c.OriginalLength = md.MsgFlags, md.OriginalLength
	pad(c.Format[:], md.Format)
	pad(c.ReplyToQ[:], md.ReplyToQ)
	pad(c.ReplyToQMgr[:], md.ReplyToQMgr)
	pad(c.UserIdentifier[:], md.UserIdentifier)
	pad(c.ApplIdentityData[:], md.ApplIdentityData)
	pad(c.PutApplName[:], md.PutApplName)
	pad(c.PutDate[:], md.PutDate)
	pad(c.PutTime[:], md.PutTime)
	pad(c.ApplOriginData[:], md.ApplOriginData)
}

func (c *cOD) od() engine.OD {
	return engine.OD{
		Type: c.ObjectType, Name: text(c.ObjectName[:]), QueueManager: text(c.ObjectQMgrName[:]), DynamicName: text(c.DynamicQName[:]),
	}
}

func (c *cOD) set(od *engine.OD) {
	pad(c.ObjectName[:], od.Name)
	pad(c.ResolvedQName[:], od.ResolvedName)
	pad(c.ResolvedQMgrName[:], od.ResolvedQMgrName)
	c.ResolvedType = od.Type
}

func (c *cGMO) gmo() engine.GMO {
	g := engine.GMO{Options: c.Options, WaitInterval: c.WaitInterval, MatchOptions: c.MatchOptions, Properties: c.MsgHandle}
	if c.Version < 2 {
		g.MatchOptions = mqi.MQMO_MATCH_MSG_ID | mqi.MQMO_MATCH_CORREL_ID
	}
	if c.Version < 4 || g.Properties < 0 {
		g.Properties = 0
	}
	return g
}

func (c *cPMO) pmo() engine.PMO {
	p := engine.PMO{Options: c.Options, Context: c.Context, Properties: c.OriginalMsgHandle}
	if c.NewMsgHandle > 0 {
		p.Properties = c.NewMsgHandle
	}
	if c.Version < 3 || p.Properties < 0 {
		p.Properties = 0
	}
	return p
}

func (c *cPMO) set(p *engine.PMO) {
	pad(c.ResolvedQName[:], p.ResolvedQName)
	pad(c.ResolvedQMgrName[:], p.ResolvedQMgr)
}
