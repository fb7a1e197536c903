package services

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Status tells out which of the shared services run, and on which ports. It
// fails if tests would find none.
func Status(out io.Writer) error {
	p, err := here()
	if err != nil {
		return err
	}
	for _, s := range services() {
		process, alive, err := remembered(p.site(s).Dir)
		if err != nil {
			return err
		}
		if !alive {
			fmt.Fprintf(out, "%-10s does not run\n", s.name)
			continue
		}
		fmt.Fprintf(out, "%-10s runs as process %d:%s\n", s.name, process.pid, p.site(s).list())
	}
	if !exists(p.stateFile()) {
		return errors.New("the services are not up")
	}
	return nil
}

// list names the ports, as " amqp=17672 stomp=17613".
func (s site) list() (text string) {
	for _, name := range slices.Sorted(maps.Keys(s.Ports)) {
		text += fmt.Sprintf(" %s=%d", name, s.Ports[name])
	}
	return text
}
