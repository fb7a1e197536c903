package services

import "os"

// selection says which services are wanted, by name; python and node stand for
// the clients in Python and JavaScript, browser for Chromium, and pgbouncer for what
// it says, which are installed but do not run.
type selection map[string]bool

// selected returns all services but those that the environment leaves out,
// such as SVC_RABBIT=0.
func selected() selection {
	switches := map[string]string{
		"artemis":   "SVC_ARTEMIS",
		"classic":   "SVC_CLASSIC",
		"rabbitmq":  "SVC_RABBIT",
		"brokerj":   "SVC_BROKERJ",
		"kdc":       "SVC_KDC",
		"postgres":  "SVC_POSTGRES",
		"toxiproxy": "SVC_TOXIPROXY",
		"pgbouncer": "SVC_PGBOUNCER",
		"python":    "SVC_PYTHON",
		"node":      "SVC_NODE",
		"browser":   "SVC_BROWSER",
	}
	want := selection{}
	for name, variable := range switches {
		want[name] = os.Getenv(variable) != "0"
	}
	return want
}

// jvm reports whether a broker that runs in a JVM is wanted.
func (s selection) jvm() bool { return s["artemis"] || s["classic"] || s["brokerj"] }
