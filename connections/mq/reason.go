package mq

import (
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/framework"
)

// A class says what a reason code means to a caller.
type class int

const (
	refusal class = iota // this verb was refused; the handle goes on
	lost                 // the handle is of no use any more
	denied               // we are not let in, now and in a minute
	held                 // another has what only one may have
)

// classify sorts reason codes. Those that are not here concern one verb alone.
func classify(reason int32) class {
	switch reason {
	case mqi.MQRC_CONNECTION_BROKEN, mqi.MQRC_HCONN_ERROR, mqi.MQRC_Q_MGR_NOT_AVAILABLE, mqi.MQRC_Q_MGR_NOT_ACTIVE,
		mqi.MQRC_Q_MGR_QUIESCING, mqi.MQRC_Q_MGR_STOPPING, mqi.MQRC_CONNECTION_QUIESCING, mqi.MQRC_CONNECTION_STOPPING,
		mqi.MQRC_CHANNEL_NOT_AVAILABLE, mqi.MQRC_HOST_NOT_AVAILABLE, mqi.MQRC_CHANNEL_CONFIG_ERROR,
		mqi.MQRC_UNEXPECTED_ERROR, mqi.MQRC_CHANNEL_STOPPED_BY_USER,
		mqi.MQRC_MAX_CONNS_LIMIT_REACHED, mqi.MQRC_RESOURCE_PROBLEM, mqi.MQRC_STORAGE_NOT_AVAILABLE,
		mqi.MQRC_BACKED_OUT,                                                                      // what was received comes again
		mqi.MQRC_GET_INHIBITED, mqi.MQRC_OBJECT_CHANGED, mqi.MQRC_Q_DELETED, mqi.MQRC_HOBJ_ERROR: // open it again, after a pause
		return lost
	case mqi.MQRC_NOT_AUTHORIZED, mqi.MQRC_SECURITY_ERROR, mqi.MQRC_Q_MGR_NAME_ERROR,
		mqi.MQRC_UNKNOWN_CHANNEL_NAME, mqi.MQRC_CHANNEL_BLOCKED, mqi.MQRC_CD_ERROR, mqi.MQRC_CLIENT_CONN_ERROR, mqi.MQRC_CCDT_URL_ERROR,
		mqi.MQRC_KEY_REPOSITORY_ERROR, mqi.MQRC_SSL_NOT_ALLOWED, mqi.MQRC_SSL_ALREADY_INITIALIZED, mqi.MQRC_SSL_INITIALIZATION_ERROR,
		mqi.MQRC_SSL_CONFIG_ERROR, mqi.MQRC_SSL_PEER_NAME_MISMATCH, mqi.MQRC_SSL_CERTIFICATE_REVOKED, mqi.MQRC_UNSUPPORTED_CIPHER_SUITE:
		return denied
	case mqi.MQRC_OBJECT_IN_USE:
		return held
	}
	return refusal
}

// reasonOf returns the reason code of err, or MQRC_NONE if it has none.
func reasonOf(err error) int32 {
	if e, ok := errors.AsType[*mqi.Error](err); ok {
		return e.Reason
	}
	return mqi.MQRC_NONE
}

// declined reports whether err is a queue manager's answer that it does not do
// something, over a connection that goes on.
func declined(err error) bool {
	reason := reasonOf(err)
	return reason != mqi.MQRC_NONE && classify(reason) != lost
}

// done returns the error of an MQGET or MQPUT that did not do its work. One that
// completes with a warning has: the message is there, and must not be got or put
// again. Only a buffer that is too small for it is no such warning.
func done(err error) error {
	e, ok := errors.AsType[*mqi.Error](err)
	if !ok || e.Code != mqi.MQCC_WARNING || e.Reason == mqi.MQRC_TRUNCATED_MSG_FAILED || e.Reason == mqi.MQRC_TRUNCATED_MSG_ACCEPTED {
		return err
	}
	return nil
}

// opened says what an error means to one who connects or opens something.
func opened(err error) error {
	if err == nil || errors.Is(err, connections.ErrConnLost) {
		return err
	}
	reason := reasonOf(err)
	switch classify(reason) {
	case lost:
		return fmt.Errorf("%w: %w", connections.ErrConnLost, err)
	case denied:
		return fmt.Errorf("%w: %w%s", connections.ErrRefused, err, hint(reason))
	case held:
		return fmt.Errorf("%w: %w", connections.ErrStandby, err)
	}
	return err
}

// hint says what to look at.
func hint(reason int32) string {
	switch reason {
	case mqi.MQRC_NOT_AUTHORIZED:
		return " (check user, password, the channel's authentication records and the user's authorities)"
	case mqi.MQRC_UNKNOWN_CHANNEL_NAME:
		return " (the queue manager has no server-connection channel of that name)"
	case mqi.MQRC_Q_MGR_NAME_ERROR:
		return " (another queue manager listens there)"
	case mqi.MQRC_SSL_ALREADY_INITIALIZED:
		return " (all connections of one process must have the same tls)"
	}
	return ""
}

// refused returns err as a refusal of one message, or as it is if it is none.
func refused(err error) error {
	e, ok := errors.AsType[*mqi.Error](err)
	if !ok || classify(e.Reason) == lost {
		return err
	}
	return &framework.SendError{
		Outcome:     framework.Reject,
		Condition:   fmt.Sprintf("%d %s", e.Reason, mqi.ReasonName(e.Reason)),
		Description: e.Verb,
	}
}
