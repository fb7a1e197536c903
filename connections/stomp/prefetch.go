package stomp

import (
	"strconv"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	// WindowPerMessage is how many bytes of frames Artemis may deliver without an
	// ACK for each message of the prefetch. It is the frame of a message of 1 KiB.
	WindowPerMessage = 1280

	// leastFrame is how many bytes a MESSAGE frame of Artemis has at least.
	leastFrame = 200
)

// prefetch returns the headers of SUBSCRIBE that ask k to deliver no more than n
// messages without an ACK, and how many it may deliver nevertheless. A broker
// that does not say what it is gets them all.
func (k kind) prefetch(n int) (headers *frame.Header, room int) {
	headers, room = frame.NewHeader(), n
	if k == artemis || k == unknown {
		headers.Add("consumer-window-size", strconv.Itoa(n*WindowPerMessage))
		room = n*WindowPerMessage/leastFrame + 1
	}
	if k == classic || k == unknown {
		headers.Add("activemq.prefetchSize", strconv.Itoa(n))
	}
	if k != artemis && k != classic {
		headers.Add("prefetch-count", strconv.Itoa(n))
	}
	return headers, room
}
