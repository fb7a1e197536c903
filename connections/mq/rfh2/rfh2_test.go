package rfh2

import (
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// header returns an MQRFH2 in big-endian with the given blocks of folders.
func header(t testing.TB, next Layout, blocks ...string) []byte {
	t.Helper()
	r := &RFH2{Next: next}
	for _, b := range blocks {
		r.Folders = append(r.Folders, Folder{Text: b})
	}
	data, err := r.Append(nil, BigEndian)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var plain = Layout{FormatRFH2, BigEndian, UTF8}

func decodeAll(data []byte) (*RFH2, error) {
	headers, _, _, err := Split(plain, data)
	if err != nil {
		return nil, err
	}
	r, err := Decode(headers[0])
	if err != nil {
		return nil, err
	}
	for _, f := range r.Folders {
		if _, err := f.Properties(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// TestValues has every type there and back.
func TestValues(t *testing.T) {
	want := []Property{
		{"s", "a<b>&'\"\té\u0085漢\U0001F9ED\r\n"}, {"empty", ""}, {"spaces", "  a  "},
		{"yes", true}, {"no", false},
		{"i1", int8(math.MinInt8)}, {"i2", int16(math.MaxInt16)}, {"i4", int32(math.MinInt32)}, {"i8", int64(math.MinInt64)},
		{"r4", float32(math.MaxFloat32)}, {"r8", math.SmallestNonzeroFloat64}, {"inf", math.Inf(1)}, {"ninf", float32(math.Inf(-1))},
		{"bytes", []byte{0, 255}}, {"none", []byte{}}, {"char", Char('é')}, {"null", nil}, {"group", Group("<a>1</a>")},
	}
	for _, encoding := range []int32{BigEndian, LittleEndian} {
		f, err := NewFolder("usr", want)
		if err != nil {
			t.Fatal(err)
		}
		r := &RFH2{Next: Layout{FormatString, encoding, UTF8}, Flags: 1, Folders: []Folder{f}}
		data, err := r.Append([]byte("before"), encoding)
		if err != nil {
			t.Fatal(err)
		}
		headers, _, _, err := Split(Layout{FormatRFH2, encoding, UTF8}, data[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(headers[0])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Errorf("encoding %d (-want +got):\n%s", encoding, diff)
		}
		got, err := back.Folders[0].Properties()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("encoding %d (-want +got):\n%s", encoding, diff)
		}
	}
}

// TestStyles reads what other writers write.
func TestStyles(t *testing.T) {
	for _, test := range []struct {
		name, folder string
		want         []Property
	}{
		{"single quotes", `<usr><n dt='i4'>1</n></usr>`, []Property{{"n", int32(1)}}},
		{"null in both quotes", `<usr><a xsi:nil='true'></a><b xsi:nil="true"/></usr>`, []Property{{"a", nil}, {"b", nil}}},
		{"prefix, spaces, other attributes", "<usr a='>'  b = \"1\">\n <n\t x:dt = 'boolean' y='z' >true</n >\n</usr>", []Property{{"n", true}}},
		{"unknown type", `<usr><n dt="ui4">7</n></usr>`, []Property{{"n", "7"}}},
		{"upper case hexadecimal", `<usr><n dt="bin.hex">FF0A</n></usr>`, []Property{{"n", []byte{255, 10}}}},
		{"references", `<usr><n>&#65;&#x42;&#129517;&#55358;&#56813;&apos;</n></usr>`, []Property{{"n", "AB\U0001F9ED\U0001F9ED'"}}},
		{"empty element", `<usr><n/></usr>`, []Property{{"n", ""}}},
		{"group", `<usr><g><a>1</a><g>2</g></g><n>3</n></usr>`, []Property{{"g", Group("<a>1</a><g>2</g>")}, {"n", "3"}}},
		{"Java's numbers", `<usr><n dt="r8">1.0E10</n><m dt="r4">NaN</m></usr>`, []Property{{"n", 1e10}, {"m", float32(math.NaN())}}},
		{"no properties", `<usr></usr>`, []Property{}},
		{"old integer", `<usr><n dt="int">1</n></usr>`, []Property{{"n", int32(1)}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := decodeAll(header(t, Layout{}, test.folder))
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Folders[0].Properties()
			if err != nil {
				t.Fatal(err)
			}
			equalNaN := cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b })
			if diff := cmp.Diff(test.want, got, equalNaN); diff != "" {
				t.Errorf("properties (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSeveralFoldersInOneBlock(t *testing.T) {
	r, err := decodeAll(header(t, Layout{}, "<mcd><Msd>jms_text</Msd></mcd> <usr><n>1</n></usr>\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Folder{{"mcd", "<mcd><Msd>jms_text</Msd></mcd>"}, {"usr", "<usr><n>1</n></usr>"}}
	if diff := cmp.Diff(want, r.Folders); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
	if f, ok := r.Folder("usr"); !ok || f != want[1] {
		t.Errorf("Folder(usr) = %v, %t", f, ok)
	}
	if f, ok := r.Folder("jms"); ok {
		t.Errorf("Folder(jms) = %v, want none", f)
	}
}

func TestUTF16Folders(t *testing.T) {
	const text = "<usr><n>éa\U0001F9ED</n></usr>" // of an even number of units, so that nothing fills it up
	for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
		var block []byte
		for _, u := range utf16Of(text) {
			block = order.AppendUint16(block, u)
		}
		encoding := BigEndian
		if order == binary.AppendByteOrder(binary.LittleEndian) {
			encoding = LittleEndian
		}
		r := &RFH2{Folders: []Folder{{Text: string(block)}}}
		data, err := r.Append(nil, encoding)
		if err != nil {
			t.Fatal(err)
		}
		copy(data[32:], order.AppendUint32(nil, 1200))
		headers, _, _, err := Split(Layout{FormatRFH2, encoding, UTF8}, data)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(headers[0])
		if err != nil {
			t.Fatal(err)
		}
		if want := []Folder{{"usr", text}}; !cmp.Equal(want, back.Folders) {
			t.Errorf("got %v, want %v", back.Folders, want)
		}
	}
}

// TestHostile has every lie that a header can tell. Each must be an error.
func TestHostile(t *testing.T) {
	good := header(t, Layout{}, "<usr><n>1</n></usr>")
	patch := func(at int, n uint32) []byte {
		data := append([]byte(nil), good...)
		binary.BigEndian.PutUint32(data[at:], n)
		return data
	}
	folder := func(text string) []byte { return header(t, Layout{}, text) }
	for name, data := range map[string][]byte{
		"nothing":                       {},
		"half a header":                 good[:35],
		"another header":                append([]byte("RFX "), good[4:]...),
		"version 1":                     patch(4, 1),
		"version of 4 billion":          patch(4, math.MaxUint32),
		"length 0":                      patch(8, 0),
		"length without the fixed part": patch(8, 35),
		"length beyond the data":        patch(8, uint32(len(good)+1)),
		"length of 4 GiB":               patch(8, math.MaxUint32),
		"length of 2 GiB":               patch(8, math.MaxInt32),
		"negative length":               patch(8, 1<<31),
		"length inside a folder":        patch(8, 41),
		"length inside a length":        patch(8, 38),
		"folder of 4 GiB":               patch(36, math.MaxUint32),
		"folder beyond the header":      patch(36, 24),
		"folder that is too short":      patch(36, 8),
		"folders in EBCDIC":             patch(32, 500),
		"UTF-16 that is none":           patch(32, 1200),
		"no end":                        folder("<usr><n>1</n>"),
		"wrong end":                     folder("<usr><n>1</n></jms>"),
		"crossed":                       folder("<usr><a><b></a></b></usr>"),
		"only an end":                   folder("</usr>"),
		"text":                          folder("usr"),
		"text between":                  folder("<usr>x<n>1</n></usr>"),
		"no name":                       folder("<><n>1</n></>"),
		"tag without end":               folder("<usr"),
		"quote without end":             folder("<usr a='></usr>"),
		"attribute without quotes":      folder("<usr><n dt=i4>1</n></usr>"),
		"attribute without value":       folder("<usr><n dt>1</n></usr>"),
		"tag in a tag":                  folder("<usr <n>1</n></usr>"),
		"both an end and empty":         folder("<usr></usr/>"),
		"entity":                        folder("<usr><n>&lol;</n></usr>"),
		"entity without end":            folder("<usr><n>&lt</n></usr>"),
		"reference beyond Unicode":      folder("<usr><n>&#x110000;</n></usr>"),
		"huge reference":                folder("<usr><n>&#99999999999999999999;</n></usr>"),
		"half a pair":                   folder("<usr><n>&#55358;</n></usr>"),
		"two first halves":              folder("<usr><n>&#55358;&#55358;</n></usr>"),
		"declaration":                   folder(`<!DOCTYPE usr [<!ENTITY a "b">]><usr><n>&a;</n></usr>`),
		"instruction":                   folder("<?xml version='1.0'?><usr></usr>"),
		"CDATA without end":             folder("<usr><n><![CDATA[x]]</n></usr>"),
		"CDATA between":                 folder("<usr><![CDATA[x]]><n>1</n></usr>"),
		"comment without end":           folder("<usr><!-- x --</usr>"),
		"integer that is none":          folder("<usr><n dt='i4'>x</n></usr>"),
		"integer too large":             folder("<usr><n dt='i1'>128</n></usr>"),
		"number that is none":           folder("<usr><n dt='r8'></n></usr>"),
		"number too large":              folder("<usr><n dt='r4'>1e999</n></usr>"),
		"bytes that are none":           folder("<usr><n dt='bin.hex'>f</n></usr>"),
		"boolean that is none":          folder("<usr><n dt='boolean'>yes</n></usr>"),
		"two characters":                folder("<usr><n dt='char'>ab</n></usr>"),
		"too many properties":           folder("<usr>" + strings.Repeat("<a/>", 100_000) + "</usr>"),
		"too many folders":              folder(strings.Repeat("<a/>", 100_000)),
		"too deep":                      folder(strings.Repeat("<a>", 100_000)),
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := decodeAll(data); err == nil {
				t.Errorf("got %+v, want an error", r)
			} else if len(err.Error()) > 200 {
				t.Errorf("got an error of %d bytes, want a short one", len(err.Error()))
			}
		})
	}
}

// TestChains has other headers before and behind an MQRFH2.
func TestChains(t *testing.T) {
	text := Layout{FormatString, BigEndian, 819}
	inner := header(t, text, "<usr><n>1</n></usr>")
	dead := DeadLetterHeader{
		Reason: 2085, Queue: "NO.SUCH.QUEUE", QueueManager: "QM1", Next: plain,
		PutApplType: 28, PutApplName: "java", PutDate: "20260203", PutTime: "04050607",
	}
	data := dead.Append(nil, LittleEndian)
	data = append(data, header(t, Layout{FormatRFH2, BigEndian, UTF8}, "<a></a>")...)
	data = append(data, inner...)
	copy(data[108:], binary.LittleEndian.AppendUint32(nil, uint32(BigEndian)))
	data = append(data, "body"...)

	headers, next, body, err := Split(Layout{FormatDeadLetter, LittleEndian, 819}, data)
	if err != nil {
		t.Fatal(err)
	}
	if len(headers) != 3 || next != text || string(body) != "body" {
		t.Fatalf("got %d headers, then %+v %q; want 3, then %+v %q", len(headers), next, body, text, "body")
	}
	got, ok := DecodeDeadLetter(headers[0])
	if diff := cmp.Diff(&dead, got); !ok || diff != "" {
		t.Errorf("dead letter header (-want +got):\n%s", diff)
	}
	if _, ok := DecodeDeadLetter(headers[1]); ok {
		t.Error("an MQRFH2 was read as an MQDLH")
	}
}

// TestCICS has the header of the CICS bridge, which says its own length, here in
// EBCDIC as z/OS writes it, with text in EBCDIC behind it.
func TestCICS(t *testing.T) {
	cih := make([]byte, 180)
	copy(cih, "\xc3\xc9\xc8\x40") // CIH
	binary.BigEndian.PutUint32(cih[4:], 2)
	binary.BigEndian.PutUint32(cih[8:], 180)
	binary.BigEndian.PutUint32(cih[12:], 785)
	binary.BigEndian.PutUint32(cih[16:], 0) // the queue manager's: as this header
	copy(cih[20:], "\xd4\xd8\xe2\xe3\xd9\x40\x40\x40")
	headers, next, body, err := Split(Layout{"MQCICS", 785, 500}, append(cih, 0xc8, 0x89, 0x15))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Layout{FormatString, 785, 500}); len(headers) != 1 || next != want {
		t.Fatalf("got %d headers and %+v, want one and %+v", len(headers), next, want)
	}
	if got, err := Text(next.CCSID, next.Encoding, body); string(got) != "Hi\n" || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, "Hi\n")
	}
}

func TestEndlessChain(t *testing.T) {
	data := []byte(strings.Repeat(string(header(t, plain)), 1000))
	if headers, _, _, err := Split(plain, data); err == nil {
		t.Errorf("got %d headers, want an error", len(headers))
	}
}

func TestText(t *testing.T) {
	for _, test := range []struct {
		ccsid, encoding int32
		data, want      string
	}{
		{1208, BigEndian, "é\xff", "é\xff"},
		{0, BigEndian, "é", "é"},
		{819, BigEndian, "\xe9\x80", "é\u0080"},
		{37, BigEndian, "\xc1\x4a\xba\xbb\x15", "A¢[]\n"},
		{500, BigEndian, "\xc1\x4a\xb0\xba\xbb\x4f\x5a\x5f", "A[¢¬|!]^"},
		{1140, BigEndian, "\x9f", "€"},
		{1148, BigEndian, "\x9f\x4a", "€["},
		{1047, BigEndian, "\xad\xbd\x15\x25", "[]\n\u0085"},
		{437, BigEndian, "\x82", "é"},
		{850, BigEndian, "\x82", "é"},
		{858, BigEndian, "\xd5", "€"},
		{923, BigEndian, "\xa4", "€"},
		{1252, BigEndian, "\x80", "€"},
		{1200, BigEndian, "\x00a\xd8\x3e\xdd\xed", "a\U0001F9ED"},
		{1200, LittleEndian, "a\x00\x3e\xd8\xed\xdd", "a\U0001F9ED"},
		{1200, LittleEndian, "\xfe\xff\x00a", "a"},
		{1200, BigEndian, "\xff\xfea\x00", "a"},
		{17584, BigEndian, "\xff\xfd", "\uFFFD"},
	} {
		got, err := Text(test.ccsid, test.encoding, []byte(test.data))
		if err != nil || string(got) != test.want {
			t.Errorf("CCSID %d, encoding %d, %q: got %q, %v; want %q", test.ccsid, test.encoding, test.data, got, err, test.want)
		}
	}
	for data, ccsid := range map[string]int32{"a": 1200, "\xd8\x3e": 1200, "\xd8\x3e\x00a": 1200, "\xdd\xed\x00a": 1200, "b": 932, "c": -1} {
		if got, err := Text(ccsid, BigEndian, []byte(data)); err == nil {
			t.Errorf("CCSID %d, %q: got %q, want an error", ccsid, data, got)
		}
	}
}

// TestParts reads comments and CDATA sections, as IBM's own classes do.
func TestParts(t *testing.T) {
	for text, want := range map[string][]Property{
		"<usr><a><![CDATA[x<y>&amp;]]></a></usr>":                         {{"a", "x<y>&amp;"}},
		"<usr><a>1&lt;<![CDATA[</a>]]>2<!-- </a> -->3</a></usr>":          {{"a", "1<</a>23"}},
		"<usr><!-- x --> <a dt='i4'>1</a><!----><b>2</b><!-- y --></usr>": {{"a", int32(1)}, {"b", "2"}},
		"<!-- x --><usr><a dt='i4'><!-- one -->1</a></usr>":               {{"a", int32(1)}},
	} {
		r, err := decodeAll(header(t, Layout{}, text))
		if err != nil || len(r.Folders) != 1 {
			t.Errorf("%s: got %+v, error %v; want one folder", text, r, err)
			continue
		}
		got, err := r.Folders[0].Properties()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v; properties (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestWrongNamesAndValues(t *testing.T) {
	for _, name := range []string{"", "a b", "<", "a=b", "a&b", "1a", "-a", ".a", "a\x00", "\xff", "a$", "xsi:a", "\U00020000", strings.Repeat("a", 5000)} {
		if f, err := NewFolder("usr", []Property{{name, "x"}}); err == nil {
			t.Errorf("property %q: got %q, want an error", name, f.Text)
		}
		if f, err := NewFolder(name, nil); err == nil {
			t.Errorf("folder %q: got %q, want an error", name, f.Text)
		}
	}
	for _, v := range []any{"\xff", "\x01", "\ufffe", Char(0), Char(0xd800), uint(1), time.Time{}, struct{}{}} {
		if f, err := NewFolder("usr", []Property{{"a", v}}); err == nil {
			t.Errorf("value %#v: got %q, want an error", v, f.Text)
		}
	}
}

// TestBounds reads what is made to be slow or large, and measures.
// quadratic is a time that only a decoder that looks at each byte many times
// takes for 1 MiB, even under the race detector on a busy machine.
const quadratic = 20 * time.Second

func TestBounds(t *testing.T) {
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, text := range map[string]string{
		"deep":            "<usr>" + strings.Repeat("<a>", size/7) + strings.Repeat("</a>", size/7) + "</usr>",
		"wide":            "<usr>" + fill("<aaaaaaaaaaaaaaaaaaaaaa/>") + "</usr>",
		"tiny":            "<usr>" + fill("<a/>") + "</usr>",
		"references":      "<usr><a>" + fill("&#65;") + "</a></usr>",
		"ampersands":      "<usr><a>" + fill("&") + "</a></usr>",
		"attributes":      "<usr><a " + fill("b='' ") + "></a></usr>",
		"long name":       "<usr><" + fill("a") + "></usr>",
		"opening only":    fill("<"),
		"quotes":          "<usr " + fill("'"),
		"many of one":     "<usr>" + fill("<n dt='bin.hex'>0011223344556677</n>") + "</usr>",
		"equals":          "<usr><a " + fill("=") + "/></usr>",
		"comments":        "<usr>" + fill("<!---->") + "</usr>",
		"open comments":   "<usr>" + fill("<!-- ") + "</usr>",
		"CDATA":           "<usr><a>" + fill("<![CDATA[]]>") + "</a></usr>",
		"open CDATA":      "<usr><a>" + fill("<![CDATA[") + "</a></usr>",
		"one big value":   "<usr><a>" + fill("0123456789") + "</a></usr>",
		"big hexadecimal": "<usr><a dt='bin.hex'>" + fill("00") + "</a></usr>",
	} {
		t.Run(name, func(t *testing.T) {
			data := header(t, Layout{}, text)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, _ = decodeAll(data) // an error or not, it must be cheap
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(5*len(data)+64<<10); got > most {
				t.Errorf("allocated %d bytes for an input of %d, want at most %d", got, len(data), most)
			}
			if took > quadratic {
				t.Errorf("took %v for an input of %d bytes: more than linear", took, len(data))
			}
		})
	}
}
