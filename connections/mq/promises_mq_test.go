//go:build mq && cgo

package mq

import (
	"testing"

	"github.com/fairlead/fairlead/connections/connectiontest"
	"github.com/fairlead/fairlead/test/mqdouble"
)

// TestClient runs the suite on the queue-manager double through the real
// mq-golang.
func TestClient(t *testing.T) {
	d := mqdouble.Start(t, config())
	c := settings()
	c.Address = d.Address
	s := subject(connectIBM, c)
	s.Unreachable = settings()
	s.Break = func(testing.TB) { d.Break() }
	connectiontest.Run(t, s)
}
