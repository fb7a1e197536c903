package mq

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// An address is a queue, maybe of another queue manager.
type address struct {
	queue   string
	manager string // empty: the one connected to
	plain   bool   // whoever reads there does not expect an MQRFH2
}

const uriScheme = "queue://"

// parseAddress reads the name of a queue, or its URI as JMS writes it:
// queue://MANAGER/QUEUE?targetClient=1, where the manager may be left out.
func parseAddress(words string) (address, error) {
	a := address{queue: words}
	if rest, ok := strings.CutPrefix(words, uriScheme); ok {
		rest, query, _ := strings.Cut(rest, "?")
		a.manager, a.queue, _ = strings.Cut(rest, "/")
		options, err := url.ParseQuery(query)
		if err != nil {
			return a, fmt.Errorf("queue %s: %w", words, err)
		}
		a.plain = options.Get("targetClient") == "1"
	}
	if !isName(a.queue, mqi.MQ_OBJECT_NAME_LENGTH) || a.manager != "" && !isName(a.manager, mqi.MQ_OBJECT_NAME_LENGTH) {
		return a, fmt.Errorf("found queue %q, expected %s", words, nameRule(mqi.MQ_OBJECT_NAME_LENGTH))
	}
	return a, nil
}

// uri returns the address as JMS writes it.
func (a address) uri() string {
	uri := uriScheme + a.manager + "/" + a.queue
	if a.plain {
		uri += "?targetClient=1"
	}
	return uri
}

// targetAddress returns where a target leads.
func targetAddress(t *Target) (address, error) {
	if name, topic := t.Address(); topic {
		return address{}, fmt.Errorf("found topic %q, expected a queue; topics of IBM MQ are not supported", name)
	}
	return parseAddress(t.Queue)
}

var _ connections.Addressed = (*Target)(nil)

// isName reports whether MQ takes name for an object.
func isName(name string, most int32) bool {
	if name == "" || len(name) > int(most) {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("./_%", c) >= 0:
		default:
			return false
		}
	}
	return true
}

func nameRule(most int32) string {
	return fmt.Sprintf("a name of at most %d letters, digits and . / _ %%", most)
}
