//go:build !mq || !cgo

package mq

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

func clientBench(*testing.T, engine.Config) (bench, bool) { return bench{}, false }

// TestNoClient has what a build without the client library says, after it has
// checked the settings.
func TestNoClient(t *testing.T) {
	_, err := Driver().Open("test", settings())
	if want := "this build has no IBM MQ: rebuild with -tags mq (docs/ibm-mq.md)"; !errors.Is(err, connections.ErrNotBuilt) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := Driver().Open("test", &Connection{}); err == nil || errors.Is(err, connections.ErrNotBuilt) {
		t.Errorf("got %v for empty settings, want what is wrong with them", err)
	}
}
