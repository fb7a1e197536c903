package amqp

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// security are the packages that are linked for the sake of SASL alone, be it used or not.
var security = regexp.MustCompile(`^(github\.com/jcmturner/|github\.com/hashicorp/go-uuid|golang\.org/x/crypto/|golang\.org/x/net/http2/hpack|golang\.org/x/text/|encoding/gob)`)

// maxStartUp is how much memory these may allocate before main, in bytes. The time
// that this takes (about 0.3 ms) follows, but differs from run to run.
const maxStartUp = 64 << 10

func TestStartUpCost(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var clock float64
	var bytes, found int
	for line := range strings.Lines(string(out)) {
		var (
			name        string
			at, ms      float64
			size, times int
		)
		if n, _ := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &name, &at, &ms, &size, &times); n == 5 && security.MatchString(name) {
			t.Logf("%s: %.3f ms, %d bytes", name, ms, size)
			clock, bytes, found = clock+ms, bytes+size, found+1
		}
	}
	if t.Logf("in all %.3f ms, %d bytes", clock, bytes); found == 0 || bytes > maxStartUp {
		t.Errorf("found %d packages that allocate %d bytes at the start, want some, and at most %d bytes", found, bytes, maxStartUp)
	}
}
