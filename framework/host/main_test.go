package host

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if as := os.Getenv(runAs); as != "" {
		programs[as]()
		return
	}
	goleak.VerifyTestMain(m)
}
