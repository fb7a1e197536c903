package bindings

import (
	"reflect"

	"github.com/fairlead/fairlead/connections"
)

// A Target is one place that a Pool sends to.
type Target struct {
	key      string // which senders fit
	name     string // for people
	settings any    // what the driver's Sender takes
}

// To returns the Target that settings, from the driver's Target function, name.
func To(user string, settings any) Target {
	name, topic := settings.(connections.Addressed).Address()
	key := user + "\x00" + name
	if topic {
		key += "\x00topic"
	}
	return Target{key: key, name: name, settings: settings}
}

// At returns the Target that is like settings, from the driver's Target
// function, but leads to destination. Native says that destination is in the
// broker's own words. Targets with the same user and destination share senders.
func At(user string, settings any, destination string, native bool) Target {
	src := reflect.ValueOf(settings).Elem()
	dst := reflect.New(src.Type())
	dst.Elem().Set(src)
	copied := dst.Interface()
	copied.(connections.Addressed).SetAddress(destination, native)
	key := user + "\x00" + destination
	if native {
		key += "\x00native"
	}
	return Target{key: key, name: destination, settings: copied}
}
