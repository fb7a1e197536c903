package rfh2

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMap(t *testing.T) {
	const body = `<map><elt name="k" dt='i4'>1</elt><elt name="a&quot;'&lt;">x&amp;y</elt><elt name="n" xsi:nil='true'></elt></map>`
	want := []Property{{"k", int32(1)}, {`a"'<`, "x&y"}, {"n", nil}}
	got, err := DecodeMap([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if again, err := EncodeMap(want); err != nil || string(again) != body {
		t.Errorf("written again: got %s, %v; want %s", again, err, body)
	}
}

func TestOldMap(t *testing.T) {
	got, err := DecodeMap([]byte(` <map><k dt="r8">1.5</k></map> `))
	if diff := cmp.Diff([]Property{{"k", 1.5}}, got); err != nil || diff != "" {
		t.Errorf("error %v; entries (-want +got):\n%s", err, diff)
	}
}

func TestStream(t *testing.T) {
	const body = `<stream><elt dt='i4'>1</elt><elt>two</elt><elt dt='char'>c</elt><elt dt='bin.hex'>00ff</elt></stream>`
	want := []Property{{"", int32(1)}, {"", "two"}, {"", Char('c')}, {"", []byte{0, 255}}}
	got, err := DecodeStream([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if again, err := EncodeStream(want); err != nil || string(again) != body {
		t.Errorf("written again: got %s, %v; want %s", again, err, body)
	}
}

// TestLongStream has many values that are as short as they can be.
func TestLongStream(t *testing.T) {
	for _, value := range []string{"<elt></elt>", "<elt>a</elt>", "<elt dt='i4'>1</elt>"} {
		const n = 20_000
		got, err := DecodeStream([]byte("<stream>" + strings.Repeat(value, n) + "</stream>"))
		if err != nil || len(got) != n {
			t.Errorf("%s: got %d values, error %v; want %d", value, len(got), err, n)
		}
	}
}

func TestWrongBodies(t *testing.T) {
	for _, body := range []string{"", "x", "<map>", "<stream></stream>", "<map></map><map></map>", "<map>x</map>", "<map><elt name='k' dt='i4'>x</elt></map>", "<map><elt name='&x;'>x</elt></map>"} {
		if got, err := DecodeMap([]byte(body)); err == nil {
			t.Errorf("%q: got %v, want an error", body, got)
		}
	}
	if got, err := EncodeMap([]Property{{"\xff", "a"}}); err == nil {
		t.Errorf("got %s, want an error", got)
	}
	if got, err := EncodeStream([]Property{{"", uint8(1)}}); err == nil {
		t.Errorf("got %s, want an error", got)
	}
	if _, err := DecodeMap([]byte("<map>" + strings.Repeat("<a/>", 1_000_000) + "</map>")); err == nil {
		t.Error("a million entries in 4 MB: want an error")
	}
}
