package mqi

import (
	"testing"
	"time"
)

func TestID(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"order-17":                   "order-17",
		"exactly 24 characters!!!":   "ID:65786163746c7920323420636861726163746572732121" + "21",
		"a very long correlation id": "ID:612076657279206c6f6e6720636f7272656c6174696f6e20",
		"ID:414d5120514d31202020202020202020abcdef0102030405": "ID:414d5120514d31202020202020202020abcdef0102030405",
		"ID:ABCDEF": "ID:ABCDEF",
		"é":         "ID:c3a900000000000000000000000000000000000000000000",
		"x":         "ID:780000000000000000000000000000000000000000000000",
	} {
		if got := ParseID(text).String(); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	long := "an id that is longer than an identifier of MQ"
	if a, b := HashID(long), HashID(long+"!"); a == b || a != HashID(long) {
		t.Errorf("got %s and %s, want ids that differ and stay", a, b)
	}
	if got := HashID("short"); got != ParseID("short") {
		t.Errorf("got %s, want the text", got)
	}
}

func TestPutAt(t *testing.T) {
	want := time.Date(2026, 2, 3, 4, 5, 6, 780_000_000, time.UTC)
	var md MD
	md.PutDate, md.PutTime = PutStamp(want.Add(3 * time.Millisecond))
	if got := md.PutAt(); !got.Equal(want) {
		t.Errorf("got %v from %s %s, want %v", got, md.PutDate, md.PutTime, want)
	}
	for _, wrong := range []MD{
		{}, {PutDate: "20260203"}, {PutDate: "2026020x", PutTime: "04050678"}, {PutDate: "20261303", PutTime: "04050678"},
		{PutDate: "20260203", PutTime: "24050678"}, {PutDate: "20260203", PutTime: "-4050678"},
	} {
		if got := wrong.PutAt(); !got.IsZero() {
			t.Errorf("%s %s: got %v, want none", wrong.PutDate, wrong.PutTime, got)
		}
	}
}

func TestError(t *testing.T) {
	err := &Error{Verb: "MQGET", Code: MQCC_FAILED, Reason: MQRC_NOT_AUTHORIZED}
	if got, want := err.Error(), "MQGET: 2035 MQRC_NOT_AUTHORIZED"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	err.Reason = 1
	if got, want := err.Error(), "MQGET: 1 unknown reason"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
