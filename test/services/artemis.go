package services

import (
	"os/exec"
	"path/filepath"
	"syscall"
)

// artemis is ActiveMQ Artemis, the broker that most tests use.
func artemis() service {
	return service{
		name: "artemis",
		ports: map[string]int{
			"stomp": 613, "stomps": 614, "core": 616,
			"amqp": 672, "amqps": 671, "external": 673, "scram": 674, "scrams": 675, "gssapi": 676,
		},
		prepare: prepareArtemis,
		command: runArtemis,
		ready:   "AMQ221007: Server is now active",
		stop:    syscall.SIGTERM,
		broker: func(s site) Broker {
			return Broker{
				Name:          "artemis",
				STOMP:         s.address("stomp"),
				STOMPS:        s.address("stomps"),
				AMQP:          s.address("amqp"),
				AMQPS:         s.address("amqps"),
				AMQPExternal:  s.address("external"),
				AMQPSCRAM:     s.address("scram"),
				AMQPSSCRAM:    s.address("scrams"),
				AMQPGSSAPI:    s.address("gssapi"),
				AMQPAnonymous: s.address("amqp"),
				Core:          s.address("core"),
				User:          appUser, Password: appPassword, Certs: s.Certs,
			}
		},
	}
}

func prepareArtemis(s site) error {
	files, err := conf.ReadDir("conf/artemis")
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := s.render("artemis/"+file.Name(), filepath.Join("etc", file.Name())); err != nil {
			return err
		}
	}
	return nil
}

func runArtemis(s site) (*exec.Cmd, error) {
	home, etc := artemisHome(s.Dist), filepath.Join(s.Dir, "etc")
	return java(
		"--add-opens", "java.base/jdk.internal.misc=ALL-UNNAMED",
		"-Djava.security.auth.login.config="+filepath.Join(etc, "login.config"),
		"-Djava.security.krb5.conf="+s.krb5Conf(),
		"-Dlog4j2.configurationFile=file:"+filepath.Join(etc, "log4j2.properties"),
		"-Dartemis.home="+home,
		"-Dartemis.instance="+s.Dir,
		"-Dartemis.instance.etc="+etc,
		"-Dartemis.instance.uri=file:"+s.Dir+"/",
		"-Dartemis.instance.etc.uri=file:"+etc+"/",
		"-Ddata.dir="+filepath.Join(s.Dir, "data"),
		"-cp", filepath.Join(home, "lib", "artemis-boot.jar"),
		"org.apache.activemq.artemis.boot.Artemis", "run",
	), nil
}

// artemisHome finds the distribution, whose version only pom.xml names.
func artemisHome(dist string) string { return onlyMatch(filepath.Join(dist, "apache-artemis-*")) }
