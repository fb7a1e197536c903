package main

import (
	"os"
	"path/filepath"
	"strings"
)

// mqFlags returns what "go build" needs for a program with that configuration to
// connect to IBM MQ: a build tag, if there is such a connection and IBM's client
// is here to build with. Tags in GOFLAGS are the user's own choice.
func mqFlags(file string) []string {
	if !usesMQ(file) || !hasMQClient() || strings.Contains(os.Getenv("GOFLAGS"), "-tags") {
		return nil
	}
	return []string{"-tags=mq"}
}

// usesMQ reports whether a configuration, which may not exist, has a connection
// of type mq. What else is wrong with it the program says itself.
func usesMQ(file string) bool {
	cfg, err := loadConfig(file)
	if err != nil {
		return false
	}
	for _, c := range cfg.Connections {
		if c.Type == "mq" {
			return true
		}
	}
	return false
}

// hasMQClient reports whether the header files of IBM's client are where cgo
// finds them: in a folder that CGO_CFLAGS names, or where the client is installed
// by default.
func hasMQClient() bool {
	folders := []string{"/opt/mqm/inc"}
	for flag := range strings.FieldsSeq(os.Getenv("CGO_CFLAGS")) {
		if folder, ok := strings.CutPrefix(flag, "-I"); ok {
			folders = append(folders, folder)
		}
	}
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "cmqc.h")); err == nil {
			return true
		}
	}
	return false
}
