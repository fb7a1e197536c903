package services

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

// Instance is a broker of one test's own, which may kill it.
type Instance struct {
	Broker

	t       testing.TB
	service service
	site    site
	process process
}

// Private starts a broker of the test's own: artemis, classic, rabbitmq or
// brokerj. It is configured like the shared one, on other ports, with data of
// its own, and stopped when the test ends.
func Private(t testing.TB, name string) *Instance {
	t.Helper()
	service := named(name)
	if service.broker == nil {
		t.Fatalf("there is no broker %q", name)
	}
	return private(t, service)
}

func private(t testing.TB, service service) *Instance {
	t.Helper()
	state := running(t)
	if _, ok := state.Brokers[service.name]; !ok {
		missing(t, service.name+" is not running")
	}
	site := site{Dir: t.TempDir(), Certs: state.Certs, Dist: newest(t, state.Dist), KDC: state.KDC, Ports: reserveNamed(t, service.ports)}
	if service.prepare != nil {
		if err := service.prepare(site); err != nil {
			t.Fatalf("prepare %s: %v", service.name, err)
		}
	}
	i := &Instance{Broker: service.broker(site), t: t, service: service, site: site}
	t.Cleanup(i.finish)
	i.Start()
	return i
}

// Start starts the broker again after Kill or Stop, on the same ports and with
// the data it had, and returns when it accepts connections.
func (i *Instance) Start() {
	i.t.Helper()
	var err error
	if i.process, err = i.service.launch(i.t.Context(), i.site, dieWithUs); err != nil {
		i.t.Fatalf("start %s: %v", i.Name, err)
	}
}

// Kill ends the broker as a crash does: at once, with no word to its clients.
// RabbitMQ can then forget a queue that was made in the seconds before, with the
// messages that it confirmed: a test that counts lets it keep the queue first,
// by Stop and Start.
func (i *Instance) Kill() {
	i.t.Helper()
	if err := i.process.kill(); err != nil {
		i.t.Fatalf("kill %s: %v", i.Name, err)
	}
}

// Stop ends the broker in good order.
func (i *Instance) Stop() {
	i.t.Helper()
	if err := i.process.stop(i.service.stop); err != nil {
		i.t.Fatalf("stop %s: %v", i.Name, err)
	}
}

// finish ends the broker with the test, and shows the end of its log if the
// test failed.
func (i *Instance) finish() {
	i.t.Helper()
	if _, alive, err := remembered(i.site.Dir); err != nil {
		i.t.Errorf("stop %s: %v", i.Name, err)
	} else if alive {
		i.Kill()
	}
	if i.t.Failed() {
		i.t.Logf("end of the log of %s:\n%s", i.Name, i.process.tail())
	}
}

// reserveNamed reserves a port for each name.
func reserveNamed(t testing.TB, names map[string]int) map[string]int {
	t.Helper()
	ports, free := maps.Clone(names), reserve(t, len(names))
	for i, name := range slices.Sorted(maps.Keys(names)) {
		ports[name] = free[i]
	}
	return ports
}

// newest returns the brokers' programs of this checkout, if they are installed, or
// those that the shared brokers run from, which may be of an earlier one.
func newest(t testing.TB, running string) string {
	t.Helper()
	p, err := here()
	if err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Join(p.dist(), "complete")) {
		return p.dist()
	}
	return running
}
