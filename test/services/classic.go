package services

import (
	"os/exec"
	"path/filepath"
	"syscall"
)

// classic is ActiveMQ Classic: its jars, started by conf/dist/Broker.java.
func classic() service {
	return service{
		name:    "classic",
		ports:   map[string]int{"stomp": 1613, "amqp": 1672, "stomps": 1614, "amqps": 1671, "openwire": 1616},
		command: runClassic,
		ready:   "READY",
		stop:    syscall.SIGTERM,
		broker: func(s site) Broker {
			return Broker{
				Name: "classic", STOMP: s.address("stomp"), AMQP: s.address("amqp"),
				STOMPS: s.address("stomps"), AMQPS: s.address("amqps"), OpenWire: s.address("openwire"),
				User: appUser, Password: appPassword, Certs: s.Certs,
			}
		},
	}
}

func runClassic(s site) (*exec.Cmd, error) {
	dist := filepath.Join(s.Dist, "classic")
	return java(
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", filepath.Join(dist, "classes")+":"+filepath.Join(dist, "lib", "*"),
		"Broker", filepath.Join(s.Dir, "data"), s.Certs, s.port("stomp"), s.port("amqp"), s.port("stomps"), s.port("amqps"), s.port("openwire"),
	), nil
}
