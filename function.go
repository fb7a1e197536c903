// Package fairlead is the example application: the functions below functions/,
// composed into one host. The repository is itself a function folder, so
// "fairlead run" and Knative's func serve it as it is.
package fairlead

import (
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/functions/greeting"
	"github.com/fairlead/fairlead/functions/mq"
)

// New returns the host of the example functions.
func New() *host.Host {
	return host.New(mq.Functions, greeting.Functions)
}
