package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const recorded = `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"    a_test.go:1: nobody needs to see this\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestSkipped","Output":"=== RUN   TestSkipped\n"}
{"Action":"output","Package":"m/a","Test":"TestSkipped","Output":"    a_test.go:2: REASON\n"}
{"Action":"output","Package":"m/a","Test":"TestSkipped","Output":"--- SKIP: TestSkipped (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestSkipped"}
{"Action":"output","Package":"m/a","Output":"PASS\n"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a"}
{"Action":"output","Package":"m/none","Output":"?   \tm/none\t[no test files]\n"}
{"Action":"skip","Package":"m/none"}
{"Action":"build-output","ImportPath":"m/broken","Output":"broken.go:1: no\n"}
{"Action":"output","Package":"m/broken","Output":"FAIL\tm/broken [build failed]\n"}
{"Action":"fail","Package":"m/broken"}
{"Action":"output","Package":"m/b","Test":"TestBad","Output":"    b_test.go:1: got 1, want 2\n"}
{"Action":"fail","Package":"m/b","Test":"TestBad"}
{"Action":"output","Package":"m/b","Test":"TestPanics","Output":"panic: oh\n"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b\t0.1s\n"}
{"Action":"fail","Package":"m/b"}
`

// What is shown is what "go test" shows, and the summary.
func TestReport(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	if err := r.read(strings.NewReader(strings.ReplaceAll(recorded, "REASON", "needs a printer"))); err != nil {
		t.Fatal(err)
	}
	if err := r.summary(); err != nil {
		t.Errorf("a test skipped for a reason that is no service: got %v, want no error", err)
	}
	want := `ok  	m/a	0.1s
?   	m/none	[no test files]
broken.go:1: no
FAIL	m/broken [build failed]
    b_test.go:1: got 1, want 2
panic: oh
FAIL	m/b	0.1s
skipped: m/a TestSkipped: a_test.go:2: needs a printer
failed: m/broken
failed: m/b TestBad
failed: m/b TestPanics
tests: 1 passed, 3 failed, 1 skipped
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// A skip for want of a service, and one that says nothing, is no success.
func TestSummaryRefusesSkips(t *testing.T) {
	for _, reason := range []string{"", "service missing: artemis is not running", "no PostgreSQL here"} {
		var out strings.Builder
		r := newReport(&out)
		r.skipped[name{"m/a", "TestX"}] = reason
		if err := r.summary(); err == nil {
			t.Errorf("a test skipped because of %q: got no error, want one", reason)
		}
	}
}

func TestReportRefusesWhatIsNotJSON(t *testing.T) {
	if err := newReport(&strings.Builder{}).read(strings.NewReader("FAIL")); err == nil {
		t.Error("events that are not JSON: got no error, want one")
	}
}

func TestParseTargets(t *testing.T) {
	list := "FuzzA\nFuzzB\nok  \tm/a\t0.1s\nok  \tm/b\t0.1s\n?   \tm/none\t[no test files]\nFuzzC\nok  \tm/c\t0.1s\n"
	got, want := parseTargets(list), []name{{"m/a", "FuzzA"}, {"m/a", "FuzzB"}, {"m/c", "FuzzC"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(name{})); diff != "" {
		t.Errorf("fuzz targets (-want +got):\n%s", diff)
	}
}
