//go:build mq && cgo

package mq

import (
	"testing"

	"github.com/fairlead/fairlead/test/mqdouble"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

func clientBench(t *testing.T, cfg engine.Config) (bench, bool) {
	d := mqdouble.Start(t, cfg)
	c := settings()
	c.Address = d.Address
	return bench{d.Manager, Driver(), c}, true
}
