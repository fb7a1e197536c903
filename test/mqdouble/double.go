package mqdouble

import (
	"testing"

	"github.com/fairlead/fairlead/test/mqdouble/engine"
	"github.com/fairlead/fairlead/test/mqdouble/wire"
)

// A Double is a queue manager of a test's own.
type Double struct {
	*engine.Manager
	Address string // as MQ writes it: host(port)
}

// Start runs a queue manager until the test ends. Programs that are linked with
// the shim reach it at its Address, from this process and from others.
func Start(t testing.TB, cfg engine.Config) *Double {
	t.Helper()
	m := engine.New(cfg)
	s, err := wire.Listen("127.0.0.1:0", m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the queue-manager double: %v", err)
		}
	})
	return &Double{m, s.Address()}
}
