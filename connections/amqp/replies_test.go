package amqp

import "testing"

func TestFindReplyTo(t *testing.T) {
	var r replies
	r.add("answers", "first")
	r.add("answers", "second")
	for _, tt := range []struct {
		replyTo, address string
		kind             int8
	}{
		{"q", "q", jmsQueue}, {"queue://q", "queue://q", jmsQueue}, {"topic:t", "t", jmsTopic}, {"topic://t", "t", jmsTopic},
		{"temp-queue://ID:1", "temp-queue://ID:1", jmsTemporaryQueue}, {"temp-topic://ID:1", "temp-topic://ID:1", jmsTemporaryTopic},
		{"dynamic:answers", "second", jmsTemporaryQueue},
	} {
		address, kind, err := r.find(tt.replyTo)
		if address != tt.address || kind != tt.kind || err != nil {
			t.Errorf("%s: got %s of kind %d and error %v, want %s of kind %d", tt.replyTo, address, kind, err, tt.address, tt.kind)
		}
	}
	r.remove("answers", "second")
	if address, _, err := r.find("dynamic:answers"); address != "first" || err != nil {
		t.Errorf("got %s and error %v, want the queue that is left", address, err)
	}
	r.remove("answers", "first")
	if _, _, err := r.find("dynamic:answers"); err == nil {
		t.Error("without a queue: got no error, want one")
	}
}
