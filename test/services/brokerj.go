package services

import (
	"os/exec"
	"path/filepath"
	"syscall"
)

// brokerj is Qpid Broker-J, an AMQP 1.0 implementation of other origin than
// those of the ActiveMQ brokers. Its ports are open before it serves anybody.
func brokerj() service {
	return service{
		name:    "brokerj",
		ports:   map[string]int{"amqp": 2672, "anonymous": 2673, "external": 2671},
		prepare: func(s site) error { return s.render("brokerj/config.json", "config.json") },
		command: runBrokerJ,
		ready:   "BRK-1004 : Qpid Broker Ready",
		stop:    syscall.SIGTERM,
		broker: func(s site) Broker {
			return Broker{
				Name:          "brokerj",
				AMQP:          s.address("amqp"),
				AMQPSCRAM:     s.address("amqp"),
				AMQPExternal:  s.address("external"),
				AMQPAnonymous: s.address("anonymous"),
				User:          appUser, Password: appPassword, Certs: s.Certs,
			}
		},
	}
}

func runBrokerJ(s site) (*exec.Cmd, error) {
	home := onlyMatch(filepath.Join(s.Dist, "qpid-broker", "*"))
	return java(
		"-DQPID_HOME="+home,
		"-DQPID_WORK="+filepath.Join(s.Dir, "work"),
		"-cp", filepath.Join(home, "lib", "*"),
		"org.apache.qpid.server.Main", "-icp", filepath.Join(s.Dir, "config.json"),
	), nil
}
