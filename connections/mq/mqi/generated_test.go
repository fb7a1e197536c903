package mqi_test

import (
	"os"
	"testing"

	"github.com/fairlead/fairlead/test/mqdouble/headers"
)

// TestConstants makes constants.go again and compares: its values are those of
// mq-golang.
func TestConstants(t *testing.T) {
	file, err := headers.Source()
	if err != nil {
		t.Skip(err)
	}
	all, err := headers.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("constants.txt")
	if err != nil {
		t.Fatal(err)
	}
	want, err := headers.Go("mqi", all, headers.Wanted(string(list)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("constants.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("constants.go is stale; run: go generate ./connections/mq/mqi")
	}
}
