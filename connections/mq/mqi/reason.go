package mqi

import "fmt"

// An Error is what a verb of the MQI answered when it did not just succeed.
type Error struct {
	Verb   string // such as MQGET
	Code   int32  // completion code: MQCC_WARNING or MQCC_FAILED
	Reason int32  // MQRC_…
}

func (e *Error) Error() string {
	name := ReasonName(e.Reason)
	if name == "" {
		name = "unknown reason"
	}
	return fmt.Sprintf("%s: %d %s", e.Verb, e.Reason, name)
}
