// The command host is the smallest program of ours: what BenchmarkStart starts.
package main

import (
	"context"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

func main() {
	host.Main(framework.Functions{"f": framework.Sink(func(context.Context, string) error { return nil })})
}
