package main

import (
	"bytes"
	"os"
	"testing"
)

func TestTheArchiveIsFresh(t *testing.T) {
	t.Chdir("..")
	want, err := pack()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("templates.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("templates.txtar is not what the templates are: go generate ./templates")
	}
}
