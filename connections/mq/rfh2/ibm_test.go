package rfh2

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestIBMHeaders lets IBM's own class com.ibm.mq.headers.MQRFH2 read what this
// package writes, and write it again. FAIRLEAD_IBM_MQ_JAR is the path of
// com.ibm.mq.allclient, which anybody may download but nobody may pass on:
//
//	mvn dependency:get -Dartifact=com.ibm.mq:com.ibm.mq.allclient:9.4.4.0 -Dtransitive=false
func TestIBMHeaders(t *testing.T) {
	jar := os.Getenv("FAIRLEAD_IBM_MQ_JAR")
	if jar == "" {
		t.Skip("FAIRLEAD_IBM_MQ_JAR does not name com.ibm.mq.allclient-9.4.4.0.jar")
	}
	user, err := NewFolder("usr", []Property{
		{"text", "a<b>&'\"\té漢\U0001F9ED\r\n"}, {"empty", ""}, {"spaces", " a "}, {"yes", true}, {"i1", int8(-5)},
		{"i2", int16(300)}, {"i4", int32(-7)}, {"i8", int64(1) << 60}, {"r4", float32(1.5)}, {"r8", 1e300},
		{"bytes", []byte{0, 255}}, {"char", Char('é')}, {"null", nil}, {"my_x002D_name", "x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []int32{BigEndian, LittleEndian} {
		r := &RFH2{Next: Layout{FormatString, encoding, UTF8}, Folders: []Folder{{"mcd", "<mcd><Msd>jms_text</Msd></mcd>"}, user}}
		data, err := r.Append(nil, encoding)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("java", "-cp", jar, "testdata/Headers.java", fmt.Sprint(encoding), fmt.Sprintf("%x", data))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("java: %v\n%s", err, stderr.String())
		}
		again, properties, _ := bytes.Cut(out, []byte("\n"))
		if want := fmt.Sprintf("%x", data); string(again) != want {
			t.Errorf("encoding %d: IBM's class writes\n%s, want\n%s", encoding, again, want)
		}
		const want = `mcd.Msd String jms_text
usr.text String a<b>&'"\té漢🧭\r\n
usr.empty String 
usr.spaces String  a 
usr.yes Boolean true
usr.i1 Byte -5
usr.i2 Short 300
usr.i4 Integer -7
usr.i8 Long 1152921504606846976
usr.r4 Float 1.5
usr.r8 Double 1.0E300
usr.bytes byte[] 00ff
usr.char Character é
usr.null null
usr.my_x002D_name String x
`
		if string(properties) != want {
			t.Errorf("encoding %d: IBM's class reads\n%s, want\n%s", encoding, properties, want)
		}
	}
}
