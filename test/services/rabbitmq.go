package services

import (
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
)

// rabbitmq is RabbitMQ as Debian packages it, for STOMP only: with the AMQP 1.0
// plugin of that version receivers stall, and "modified" ends the session.
func rabbitmq() service {
	return service{
		name:    "rabbitmq",
		ports:   map[string]int{"stomp": 713, "amqp091": 773, "dist": 774, "epmd": 775},
		prepare: prepareRabbitMQ,
		command: runRabbitMQ,
		stop:    syscall.SIGTERM,
		broker: func(s site) Broker {
			return Broker{
				Name: "rabbitmq", STOMP: s.address("stomp"), STOMPHost: "/", AMQP091: s.address("amqp091"),
				User: appUser, Password: appPassword, Certs: s.Certs,
			}
		},
	}
}

func prepareRabbitMQ(s site) error {
	if err := s.render("rabbitmq/rabbitmq.conf", "rabbitmq.conf"); err != nil {
		return err
	}
	return s.render("rabbitmq/enabled_plugins", "enabled_plugins")
}

// runRabbitMQ starts Erlang's name server in the foreground beside the broker. Left
// to itself the broker would start one as a daemon that outlives it; this one
// ends when its parent does.
func runRabbitMQ(s site) (*exec.Cmd, error) {
	server, err := rabbitmqServer()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("sh", "-c", `setpriv --pdeathsig KILL epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" & exec "$0"`, server)
	cmd.Env = append(cmd.Environ(),
		"RUNNING_UNDER_SYSTEMD=true", // no shell stays between us and the broker
		"HOME="+s.Dir,                // the cookie
		"LANG=C.UTF-8",
		"RABBITMQ_NODENAME=test@localhost",
		"RABBITMQ_MNESIA_BASE="+filepath.Join(s.Dir, "mnesia"),
		"RABBITMQ_LOG_BASE="+filepath.Join(s.Dir, "logs"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(s.Dir, "rabbitmq"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(s.Dir, "enabled_plugins"),
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_DIST_PORT="+s.port("dist"),
		"ERL_EPMD_PORT="+s.port("epmd"),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
	)
	return cmd, nil
}

// rabbitmqServer finds the server's own start script. The one in PATH would
// change to the user rabbitmq, who may not write where the tests do.
func rabbitmqServer() (string, error) {
	found, err := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("the package rabbitmq-server is not installed")
	}
	return found[0], nil
}
