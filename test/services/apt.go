package services

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// missingPackages returns the Debian packages that the services need and that
// bring something the machine does not have.
func missingPackages(want selection) []string {
	var names []string
	need := func(have bool, packages ...string) {
		if !have {
			names = append(names, packages...)
		}
	}
	if want["rabbitmq"] {
		_, err := rabbitmqServer()
		need(err == nil, "rabbitmq-server")
	}
	if want["kdc"] {
		need(exists(kdcProgram("krb5kdc")), "krb5-kdc")
		need(exists(kdcProgram("kadmin.local")), "krb5-admin-server")
		need(inPath("kinit"), "krb5-user")
	}
	if want["postgres"] {
		_, err := postgresProgram("initdb")
		need(err == nil, "postgresql")
	}
	if want["pgbouncer"] {
		need(pgbouncerProgram() != "", "pgbouncer")
	}
	if want.jvm() {
		need(inPath("javac"), "default-jdk-headless")
		need(inPath("mvn"), "maven")
	}
	if want["node"] || want["browser"] {
		need(inPath("node"), "nodejs")
		need(inPath("npm"), "npm")
	}
	if want["browser"] {
		need(findChromium() != "", "chromium")
	}
	if want["python"] {
		need(exists("/usr/include/sasl/sasl.h"), "libsasl2-dev")
		need(matches("/usr/lib/*/sasl2/libscram.so"), "libsasl2-modules")
		need(exists("/usr/include/openssl/ssl.h"), "libssl-dev")
		need(inPath("cc"), "gcc", "libc6-dev")
		need(inPath("pkg-config"), "pkg-config")
		need(findPython() != "", "python3", "python3-dev", "python3-venv")
	}
	return names
}

func packages(want selection) step {
	names := missingPackages(want)
	return step{
		name: strings.Join(names, ", ") + " (apt)",
		have: func() bool { return len(missingPackages(want)) == 0 },
		do: func(ctx context.Context) error {
			if !inPath("apt-get") || os.Getuid() != 0 {
				return fmt.Errorf("this needs Debian and root: apt-get install %s", strings.Join(names, " "))
			}
			return aptInstall(ctx, names)
		},
	}
}

// aptInstall may leave RabbitMQ, PostgreSQL and PgBouncer running as services of the
// machine, which is Debian's way. Tests do not use those.
func aptInstall(ctx context.Context, names []string) error {
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	lock := "DPkg::Lock::Timeout=300" // somebody else may be installing
	if err := download(ctx, env, "apt-get", "-o", lock, "-q", "update"); err != nil {
		return err
	}
	return download(ctx, env, "apt-get", append([]string{"-o", lock, "-q", "-y", "--no-install-recommends", "install"}, names...)...)
}

func inPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func matches(pattern string) bool {
	found, err := filepath.Glob(pattern)
	return err == nil && len(found) > 0
}
