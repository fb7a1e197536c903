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
		ports:   map[string]int{"amqp": 2672, "anonymous": 2673, "external": 2671, "amqps": 2674, "gssapi": 2675, "token": 2676, "identity": 2677},
		theirs:  "identity",
		prepare: prepareBrokerJ,
		command: runBrokerJ,
		ready:   "BRK-1004 : Qpid Broker Ready",
		stop:    syscall.SIGTERM,
		broker: func(s site) Broker {
			return Broker{
				Name:          "brokerj",
				AMQP:          s.address("amqp"),
				AMQPS:         s.address("amqps"),
				AMQPSCRAM:     s.address("amqp"),
				AMQPSSCRAM:    s.address("amqps"),
				AMQPGSSAPI:    s.address("gssapi"),
				AMQPToken:     s.address("token"),
				Identity:      s.address("identity"),
				AMQPExternal:  s.address("external"),
				AMQPAnonymous: s.address("anonymous"),
				User:          appUser, Password: appPassword, Certs: s.Certs,
			}
		},
	}
}

func prepareBrokerJ(s site) error {
	if err := s.render("brokerj/login.config", "login.config"); err != nil {
		return err
	}
	return s.render("brokerj/config.json", "config.json")
}

func runBrokerJ(s site) (*exec.Cmd, error) {
	home := onlyMatch(filepath.Join(s.Dist, "qpid-broker", "*"))
	return java(
		"-Djava.security.auth.login.config="+filepath.Join(s.Dir, "login.config"),
		"-Djava.security.krb5.conf="+s.krb5Conf(),
		"-Djavax.security.auth.useSubjectCredsOnly=false", // the key is the login.config's, nobody's in particular
		"-DQPID_HOME="+home,
		"-DQPID_WORK="+filepath.Join(s.Dir, "work"),
		"-cp", filepath.Join(home, "lib", "*"),
		"org.apache.qpid.server.Main", "-icp", filepath.Join(s.Dir, "config.json"),
	), nil
}
