//go:build mq && cgo

package mqdouble

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExports looks at what the library offers to those who are linked with it:
// the verbs of the MQI that mq-golang calls, and nothing else.
func TestExports(t *testing.T) {
	l, err := Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("nm", "-D", "--defined-only", filepath.Join(l.Dir, "lib", "libmqm_r.so")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		got = append(got, fields[len(fields)-1])
	}
	slices.Sort(got)
	want := strings.Fields(`MQBACK MQBEGIN MQCB MQCLOSE MQCMIT MQCONNX MQCRTMH MQCTL MQDISC MQDLTMH MQDLTMP
		MQGET MQINQ MQINQMP MQOPEN MQPUT MQPUT1 MQSET MQSETMP MQSTAT MQSUB MQSUBRQ`)
	if !slices.Equal(got, want) {
		t.Errorf("it exports %v, want %v", got, want)
	}
	again, err := Build(t.Context(), filepath.Dir(l.Dir), false)
	if err != nil || again != l {
		t.Errorf("built again: got %v, %v; want the same, %v", again, err, l)
	}
}
