package services

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// java runs a broker in a small JVM that starts quickly rather than reaching
// the highest rates: one compiler tier, one collector thread.
func java(args ...string) *exec.Cmd {
	flags := []string{
		"-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Djava.net.preferIPv4Stack=true",
	}
	return exec.Command("java", slices.Concat(flags, args)...)
}

// JMSClasspath returns a Java class path with three JMS clients: Qpid JMS
// (AMQP), Artemis' own (Core) and ActiveMQ's (OpenWire).
func JMSClasspath(t testing.TB) string {
	t.Helper()
	return filepath.Join(artemisHome(running(t).Dist), "lib", "*")
}

// onlyMatch returns the path that pattern matches, or the pattern, which then
// stands in the message about what is not there.
func onlyMatch(pattern string) string {
	if found, err := filepath.Glob(pattern); err == nil && len(found) == 1 {
		return found[0]
	}
	return pattern
}
