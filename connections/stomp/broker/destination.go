package broker

import (
	"slices"
	"strings"
)

const (
	queuePrefix = "/queue/"
	topicPrefix = "/topic/"
	tempPrefix  = "/temp-queue/"        // followed by a name that means something to its connection only
	replyPrefix = "/remote-temp-queue/" // followed by a session and such a name: the same queue, for everyone
)

// parseDestination returns what a client of the given session calls name as the
// one form that the broker uses: /queue/X, /topic/X or /remote-temp-queue/SESSION/X.
func parseDestination(name, session string) (string, error) {
	for _, prefix := range []string{queuePrefix, topicPrefix, tempPrefix, replyPrefix} {
		rest, ok := strings.CutPrefix(name, prefix)
		switch {
		case !ok:
			continue
		case rest == "":
			return "", refuse("destination %.100q has no name after %s", name, prefix)
		case slices.ContainsFunc(strings.Split(rest, "."), isWildcard):
			return "", refuse("destination %.100q: wildcards are not supported", name)
		case prefix == tempPrefix:
			return replyPrefix + session + "/" + rest, nil
		default:
			return name, nil
		}
	}
	if name == "" {
		return "", refuse("there is no destination header")
	}
	if strings.HasPrefix(name, "/") {
		return "", refuse("destination %.100q: expected /queue/NAME, /topic/NAME or /temp-queue/NAME", name)
	}
	return parseDestination(queuePrefix+name, session)
}

// isWildcard tells whether brokers take part of a name, between dots, for any other.
func isWildcard(part string) bool { return part == "*" || part == ">" || part == "#" }

func isTopic(destination string) bool { return strings.HasPrefix(destination, topicPrefix) }
func isReply(destination string) bool { return strings.HasPrefix(destination, replyPrefix) }
