package services

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"
)

// ClassicJolokia starts an ActiveMQ Classic of the test's own that answers questions
// about its queues as Classic's management port does: the same Jolokia over the same
// MBeans, below /api/jolokia, for the same user. It is Jolokia's own agent though, and
// not the web server of Classic's distribution. It returns the address of that; broker
// is its name there.
func ClassicJolokia(t testing.TB) (i *Instance, address, broker string) {
	t.Helper()
	s := classic()
	s.ports["jolokia"] = 0
	s.command = withJavaOptions(s.command, func(at site) string {
		return fmt.Sprintf("-Djmx=true -javaagent:%s=host=127.0.0.1,port=%s,agentContext=/api/jolokia,discoveryEnabled=false,user=%s,password=%s",
			filepath.Join(at.Dist, "jolokia", "jolokia-agent-jvm-javaagent.jar"), at.port("jolokia"), appUser, appPassword)
	})
	i = private(t, s)
	return i, net.JoinHostPort("127.0.0.1", i.site.port("jolokia")), "fairlead"
}
