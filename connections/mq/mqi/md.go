package mqi

import "time"

// An MD is a message descriptor (MQMD, version 2). Its fields are described in
// IBM's documentation. Text has no blanks at the end.
type MD struct {
	Report           int32
	MsgType          int32
	Expiry           int32 // tenths of a second, or MQEI_UNLIMITED
	Feedback         int32
	Encoding         int32
	CodedCharSetID   int32
	Format           string
	Priority         int32
	Persistence      int32
	MsgID            ID
	CorrelID         ID
	BackoutCount     int32
	ReplyToQ         string
	ReplyToQMgr      string
	UserIdentifier   string
	AccountingToken  [32]byte
	ApplIdentityData string
	PutApplType      int32
	PutApplName      string
	PutDate          string // YYYYMMDD, UTC
	PutTime          string // HHMMSSTH, UTC
	ApplOriginData   string
	GroupID          ID
	MsgSeqNumber     int32
	Offset           int32
	MsgFlags         int32
	OriginalLength   int32
}

// NewMD returns a descriptor with the defaults of the MQI.
func NewMD() MD {
	return MD{
		MsgType: MQMT_DATAGRAM, Expiry: MQEI_UNLIMITED, Encoding: MQENC_NATIVE, CodedCharSetID: MQCCSI_Q_MGR,
		Priority: MQPRI_PRIORITY_AS_Q_DEF, Persistence: MQPER_PERSISTENCE_AS_Q_DEF,
		MsgSeqNumber: 1, OriginalLength: MQOL_UNDEFINED,
	}
}

// PutAt returns when the message was put; zero if that is unknown.
func (md *MD) PutAt() time.Time {
	if len(md.PutDate) != 8 || len(md.PutTime) != 8 {
		return time.Time{}
	}
	date, ok1 := number(md.PutDate)
	clock, ok2 := number(md.PutTime)
	hour, minute, second := clock/1_000_000, clock/10_000%100, clock/100%100
	month, day := date/100%100, date%100
	if !ok1 || !ok2 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}
	}
	return time.Date(date/10_000, time.Month(month), day, hour, minute, second, clock%100*int(10*time.Millisecond), time.UTC)
}

// number returns what eight digits say.
func number(digits string) (n int, ok bool) {
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// PutStamp returns t as PutDate and PutTime.
func PutStamp(t time.Time) (date, clock string) {
	s := t.UTC().Format("20060102150405.00")
	return s[:8], s[8:14] + s[15:]
}
