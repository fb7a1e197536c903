package headers

import "testing"

func TestRead(t *testing.T) {
	file, err := Source()
	if err != nil {
		t.Fatal(err)
	}
	constants, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(constants) < 5000 {
		t.Errorf("got %d constants, want more than 5000", len(constants))
	}
	want := map[string]string{"MQRC_NOT_AUTHORIZED": "2035", "MQEI_UNLIMITED": "-1", "MQFMT_STRING": `"MQSTR   "`, "MQSEG_ALLOWED": "'A'"}
	for _, c := range constants {
		if text, ok := want[c.Name]; ok && c.c() != text {
			t.Errorf("%s: got %s, want %s", c.Name, c.c(), text)
		}
	}
	names := make(map[string]string)
	for _, c := range members(constants, "MQIA") {
		names[c.Text] = c.Name
	}
	if got, want := names["1"], "MQIA_APPL_TYPE"; got != want {
		t.Errorf("MQIA 1 is %q, want %q and not MQIA_FIRST", got, want)
	}
}
