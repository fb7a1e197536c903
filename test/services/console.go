package services

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ArtemisConsole starts an ActiveMQ Artemis of the test's own, with its console,
// whose Jolokia answers questions about queues. It returns the address of that;
// broker is its name there. The shared one has none, to start fast.
func ArtemisConsole(t testing.TB) (i *Instance, address, broker string) {
	t.Helper()
	s := artemis()
	s.ports["console"] = 0
	prepare := s.prepare
	s.prepare = func(at site) error {
		if err := prepare(at); err != nil {
			return err
		}
		if err := at.render("artemis-console/bootstrap.xml", filepath.Join("etc", "bootstrap.xml")); err != nil {
			return err
		}
		return showQueues(filepath.Join(at.Dir, "etc", "broker.xml"))
	}
	// Users of the realm log in; the SCRAM of the other realm is none of the console's.
	s.command = withJavaOptions(s.command, func(site) string {
		return "-Dhawtio.realm=with-guest -Dhawtio.roles=apps" +
			" -Dhawtio.rolePrincipalClasses=org.apache.activemq.artemis.spi.core.security.jaas.RolePrincipal"
	})
	s.ready = "AMQ241004" // the console is available
	i = private(t, s)
	return i, net.JoinHostPort("127.0.0.1", i.site.port("console")), "fairlead"
}

// withJavaOptions lets a broker's Java virtual machine have more options.
func withJavaOptions(command func(site) (*exec.Cmd, error), options func(site) string) func(site) (*exec.Cmd, error) {
	return func(at site) (*exec.Cmd, error) {
		cmd, err := command(at)
		if err == nil {
			cmd.Env = append(cmd.Environ(), "JDK_JAVA_OPTIONS="+options(at))
		}
		return cmd, err
	}
}

// showQueues makes a broker tell about its queues by JMX, which costs the shared
// one too much.
func showQueues(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const enabled = "<jmx-management-enabled>%v</jmx-management-enabled>"
	return os.WriteFile(file, bytes.Replace(text, fmt.Appendf(nil, enabled, false), fmt.Appendf(nil, enabled, true), 1), 0o644)
}
