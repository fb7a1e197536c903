// Command mqdouble builds and runs the queue-manager double, a stand-in for a
// queue manager of IBM MQ that exists for tests alone.
//
//	mqdouble build [-o DIR]     make the header files and libmqm_r.so
//	mqdouble env [-o DIR]       the same, and print the settings to compile with
//	mqdouble serve [-listen …]  run a queue manager until interrupted
//	mqdouble constants FILE     print a Go file with the constants named in FILE
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"build": build, "env": env, "serve": serve, "constants": constants}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: mqdouble build|env|serve|constants …")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "mqdouble:", err)
		os.Exit(1)
	}
}
