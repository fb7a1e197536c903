package broker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	serverName     = "fairlead-dev/1.0"
	shortestBeat   = 100 * time.Millisecond // between heart-beats
	longestBeat    = 24 * time.Hour
	heartBeatGrace = time.Second // for a client on a busy machine
)

func (s *session) connect(f *frame.Frame) error {
	b, h := s.broker, f.Header
	if b.Login != "" && (h.Get(frame.Login) != b.Login || h.Get(frame.Passcode) != b.Passcode) {
		return refuse("login %.100q is refused: wrong login or passcode", h.Get(frame.Login))
	}
	v, err := negotiate(h)
	if err != nil {
		return err
	}
	s.clientID = h.Get("client-id")
	connected := frame.New(frame.CONNECTED, frame.Version, string(v), frame.Session, s.id, frame.Server, serverName)
	var beat time.Duration
	s.patience = 0
	if text, ok := h.Contains(frame.HeartBeat); ok && v != v10 {
		var heard time.Duration
		if heard, beat, err = heartBeats(text); err != nil {
			return err
		}
		connected.Header.Add(frame.HeartBeat, fmt.Sprintf("%d,%d", beat.Milliseconds(), heard.Milliseconds()))
		if heard > 0 {
			s.patience = 2*heard + heartBeatGrace
		}
	}
	b.mu.Lock()
	s.version, s.beat = v, beat
	b.mu.Unlock()
	s.reply(connected)
	return nil
}

// negotiate chooses the newest version that both sides speak.
func negotiate(h *frame.Header) (version, error) {
	accepted := strings.Split(cmp.Or(h.Get(frame.AcceptVersion), string(v10)), ",")
	for _, v := range []version{v12, v11, v10} {
		if slices.Contains(accepted, string(v)) {
			return v, nil
		}
	}
	return "", refuse("accept-version is %.40q, supported are 1.0,1.1,1.2", h.Get(frame.AcceptVersion))
}

// heartBeats returns how often a client says it is heard, and how often it wants
// to hear from us; 0: not at all. Either is granted, within reason.
func heartBeats(text string) (heard, hears time.Duration, err error) {
	heard, hears, err = frame.ParseHeartBeat(text)
	if err != nil {
		return 0, 0, refuse("heart-beat is %.40q, expected two numbers of milliseconds such as 10000,10000", text)
	}
	return granted(heard), granted(hears), nil
}

func granted(beat time.Duration) time.Duration {
	if beat == 0 {
		return 0
	}
	return min(max(beat, shortestBeat), longestBeat)
}
