// The command bare serves HTTP with net/http and nothing else: what
// BenchmarkStart compares a program of ours with.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Getenv("LISTEN_ADDRESS"), nil))
	os.Exit(1)
}
