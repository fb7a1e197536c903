package services

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A KDC says how to get tickets of the Kerberos realm FAIRLEAD.TEST, in which the
// brokers' service is amqp/localhost.
type KDC struct {
	Config    string // path of krb5.conf
	Principal string // whom the brokers know
	Keytab    string // path of a file with its key
	Stranger  string // path of a file with the key of stranger@FAIRLEAD.TEST, whom only Broker-J lets in
}

// Kerberos returns the shared KDC, which is MIT's.
func Kerberos(t testing.TB) KDC {
	t.Helper()
	dir := running(t).KDC
	if dir == "" {
		missing(t, "kdc is not running")
	}
	return KDC{
		Config:    filepath.Join(dir, "krb5.conf"),
		Principal: "client@FAIRLEAD.TEST",
		Keytab:    filepath.Join(dir, "client.keytab"),
		Stranger:  filepath.Join(dir, "stranger.keytab"),
	}
}

func kdc() service {
	return service{
		name:    "kdc",
		ports:   map[string]int{"kdc": 88},
		prepare: prepareKDC,
		command: runKDC,
		ready:   "commencing operation",
		stop:    syscall.SIGTERM,
	}
}

// kdc is the folder of the shared KDC, whose keys the brokers read.
func (p place) kdc() string { return filepath.Join(p.run, "kdc") }

func (s site) krb5Conf() string { return filepath.Join(s.KDC, "krb5.conf") }

// prepareKDC makes a realm with a service, a client and a stranger.
func prepareKDC(s site) error {
	for _, file := range []string{"krb5.conf", "kdc.conf"} {
		if err := s.render("kdc/"+file, file); err != nil {
			return err
		}
	}
	if err := execute(context.Background(), kdcEnv(s), kdcProgram("kdb5_util"), "create", "-s", "-r", "FAIRLEAD.TEST", "-P", "a test's"); err != nil {
		return err
	}
	var commands strings.Builder
	for principal, keytab := range map[string]string{
		"amqp/localhost": "service.keytab",
		"client":         "client.keytab",
		"stranger":       "stranger.keytab",
	} {
		commands.WriteString("addprinc -randkey " + principal + "\nktadd -k " + filepath.Join(s.Dir, keytab) + " " + principal + "\n")
	}
	cmd := exec.Command(kdcProgram("kadmin.local"), "-r", "FAIRLEAD.TEST")
	cmd.Env, cmd.Stdin = append(cmd.Environ(), kdcEnv(s)...), strings.NewReader(commands.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kadmin.local: %w\n%s", err, lastLines(out))
	}
	return nil
}

func runKDC(s site) (*exec.Cmd, error) {
	cmd := exec.Command(kdcProgram("krb5kdc"), "-n", "-r", "FAIRLEAD.TEST")
	cmd.Env = append(cmd.Environ(), kdcEnv(s)...)
	return cmd, nil
}

func kdcEnv(s site) []string {
	return []string{
		"KRB5_CONFIG=" + filepath.Join(s.Dir, "krb5.conf"),
		"KRB5_KDC_PROFILE=" + filepath.Join(s.Dir, "kdc.conf"),
	}
}

// kdcProgram returns the path of one of the KDC's programs, which Debian keeps
// where only root's PATH leads.
func kdcProgram(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return filepath.Join("/usr/sbin", name)
}
