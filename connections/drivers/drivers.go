// Package drivers lists the brokers that Fairlead can talk to.
package drivers

import (
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/connections/mq"
	"github.com/fairlead/fairlead/connections/stomp"
)

// All returns every driver by the type that a connection names it with. Brokers
// inside the process (type memory) last as long as what it returns. That of IBM MQ
// connects only in a build with -tags mq.
func All() map[string]connections.Driver {
	return map[string]connections.Driver{
		"amqp":   amqp.Driver(),
		"memory": memory.Driver(),
		"mq":     mq.Driver(),
		"stomp":  stomp.Driver(),
	}
}
