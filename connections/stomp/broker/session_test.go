package broker

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3"
)

func TestConnect(t *testing.T) {
	for _, test := range []struct {
		name    string
		command string
		headers []string
		want    []string // headers of CONNECTED
	}{
		{"newest", "CONNECT", []string{"accept-version", "1.0,1.1,1.2"}, []string{"version", "1.2", "server", "fairlead-dev/1.0", "heart-beat", ""}},
		{"one of others", "STOMP", []string{"accept-version", "1.1,1.3"}, []string{"version", "1.1"}},
		{"none said", "CONNECT", nil, []string{"version", "1.0"}},
		{"heart-beats", "CONNECT", []string{"accept-version", "1.2", "heart-beat", "2000,1"}, []string{"heart-beat", "100,2000"}},
		{"heart-beats one way", "CONNECT", []string{"accept-version", "1.2", "heart-beat", "0,5000"}, []string{"heart-beat", "5000,0"}},
		{"no heart-beats in 1.0", "CONNECT", []string{"heart-beat", "1000,1000"}, []string{"heart-beat", ""}},
		{"login", "CONNECT", []string{"login", "me", "passcode", "secret"}, []string{"version", "1.0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, serve(t, &Broker{}).dial(t))
				c.send(test.command, test.headers...)
				f := c.next()
				if f.Command != "CONNECTED" || f.Header.Get("session") == "" {
					t.Fatalf("got %s %v, want CONNECTED with a session", f.Command, f.Header)
				}
				wantHeaders(t, f, test.want...)
			})
		})
	}
}

func TestConnectRefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		command string
		headers []string
		want    string
	}{
		{"no CONNECT", "SEND", []string{"destination", "q"}, "SEND came before CONNECT"},
		{"version", "CONNECT", []string{"accept-version", "2.0"}, "supported are 1.0,1.1,1.2"},
		{"heart-beat", "CONNECT", []string{"accept-version", "1.2", "heart-beat", "often"}, `heart-beat is "often"`},
		{"passcode", "CONNECT", []string{"login", "me", "passcode", "wrong"}, "wrong login or passcode"},
		{"no login", "CONNECT", nil, "wrong login or passcode"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Broker{}
				if strings.Contains(test.want, "login") {
					b.Login, b.Passcode = "me", "secret"
				}
				c := newClient(t, serve(t, b).dial(t))
				c.send(test.command, test.headers...)
				if f := c.wantError(test.want); strings.Contains(string(f.Body), "secret") {
					t.Errorf("the ERROR tells the passcode: %s", f.Body)
				}
			})
		})
	}
}

func TestBadFrames(t *testing.T) {
	for _, test := range []struct {
		command string
		headers []string
		want    string
	}{
		{"CONNECT", nil, "second CONNECT"},
		{"SEND", nil, "no destination"},
		{"SEND", []string{"destination", "/elsewhere/q"}, "expected /queue/NAME"},
		{"SEND", []string{"destination", "/queue/"}, "no name after /queue/"},
		{"SEND", []string{"destination", "q", "priority", "10"}, `priority is "10", expected a number from 0 to 9`},
		{"SEND", []string{"destination", "q", "expires", "soon"}, `expires is "soon"`},
		{"SEND", []string{"destination", "q", "AMQ_SCHEDULED_DELAY", "-1"}, "AMQ_SCHEDULED_DELAY"},
		{"SEND", []string{"destination", "q", "AMQ_SCHEDULED_CRON", "0 * * * *"}, "only AMQ_SCHEDULED_DELAY is supported"},
		{"SUBSCRIBE", []string{"destination", "q"}, "no id header"},
		{"SUBSCRIBE", []string{"id", "1"}, "no destination"},
		{"SUBSCRIBE", []string{"id", "1", "destination", "/topic/a.>"}, "wildcards are not supported"},
		{"SUBSCRIBE", []string{"id", "1", "destination", "q", "ack", "maybe"}, "expected auto, client or client-individual"},
		{"SUBSCRIBE", []string{"id", "1", "destination", "q", "prefetch-count", "0"}, "expected a number from 1"},
		{"SUBSCRIBE", []string{"id", "1", "destination", "q", "selector", "a + b = 1"}, "is not supported from"},
		{"SUBSCRIBE", []string{"id", "taken", "destination", "q"}, "there is a subscription with id"},
		{"UNSUBSCRIBE", []string{"id", "1"}, "no subscription with id"},
	} {
		t.Run(test.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := serve(t, &Broker{})
				c, other := p.connect(t, v12), p.connect(t, v12)
				c.do("SUBSCRIBE", "destination", "/queue/other", "id", "taken")
				c.send(test.command, append(test.headers, "receipt", "r:1")...)
				wantHeaders(t, c.wantError(test.want), "receipt-id", "r:1", "content-type", "text/plain")
				other.put("q", "the broker goes on")
			})
		})
	}
}

func TestHeartBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		c := serve(t, b).connect(t, v12, "heart-beat", "1000,500")
		c.subscribe("/queue/q", "client")
		for range 10 {
			start := time.Now()
			if f, err := c.r.Read(); f != nil || err != nil {
				t.Fatalf("got %v, %v, want a heart-beat", f, err)
			}
			if got := time.Since(start); got > 500*time.Millisecond {
				t.Errorf("a heart-beat after %s, want one within 500ms", got)
			}
			if err := c.w.Write(nil); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		c.wantError("nothing came from the client for 3s")
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("a silent client is given up after %s, want 3s", got)
		}
	})
}

func TestHeartBeatsWithGoStomp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dialStomp(t, serve(t, &Broker{}).dial(t), stomp.ConnOpt.HeartBeat(time.Second, time.Second), stomp.ConnOpt.HeartBeatError(100*time.Millisecond))
		sub, err := c.Subscribe("/queue/q", stomp.AckAuto)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // with nothing but heart-beats
		if err := c.Send("/queue/q", "", []byte("alive"), stomp.SendOpt.Receipt); err != nil {
			t.Fatal(err)
		}
		if m := <-sub.C; m.Err != nil || string(m.Body) != "alive" {
			t.Errorf("got %q, %v, want alive", m.Body, m.Err)
		}
	})
}

func TestSilentConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newClient(t, serve(t, &Broker{}).dial(t)).wantError("nor CONNECT")
	})
}

func TestSlowConsumerHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		p := serve(t, b)
		slow, quick := p.connect(t, v12), p.connect(t, v12)
		slow.send("SUBSCRIBE", "destination", "/queue/q", "id", "1", "prefetch-count", "10") // and never reads
		synctest.Wait()
		quick.subscribe("/queue/q", "auto")
		body := strings.Repeat("x", 64<<10) // more than a buffer
		for range 100 {
			quick.put("/queue/q", body)
		}
		for range 90 {
			quick.wantMessage(body)
		}
		synctest.Wait()
		wantDepth(t, b, "q", 0, 10)
	})
}

func TestSlowTopicSubscriberIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{MaxMemory: 1 << 20}
		p := serve(t, b)
		slow, sender := p.connect(t, v12), p.connect(t, v12)
		slow.subscribe("/topic/news", "client", "prefetch-count", "1")
		body := strings.Repeat("x", 10<<10)
		for range 200 {
			sender.put("/topic/news", body)
		}
		slow.wantMessage(body)
		slow.wantError("more messages wait for it")
		synctest.Wait()
		wantEmpty(t, b)
	})
}

func TestUnreadRepliesStopReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &Broker{})
		c := p.connect(t, v12)
		const frames = 3000
		var sent atomic.Int32
		go func() {
			for i := range frames {
				sent.Add(1)
				c.send("SEND", "destination", "/topic/nobody", "receipt", fmt.Sprint(i, strings.Repeat("r", 1000)))
			}
		}()
		synctest.Wait()
		if got := sent.Load(); got == frames {
			t.Errorf("the broker took %d frames whose receipts of 1 kB nobody read, want fewer than all", got)
		}
		p.connect(t, v12).put("q", "others go on")
		for i := range frames {
			if f := c.read(); f.Command != "RECEIPT" || !strings.HasPrefix(f.Header.Get("receipt-id"), fmt.Sprint(i)) {
				t.Fatalf("got %s %.40v, want RECEIPT %d", f.Command, f.Header, i)
			}
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{MaxMemory: 100_000}
		p := serve(t, b)
		c := p.connect(t, v12)
		expires := fmt.Sprint(time.Now().Add(time.Minute).UnixMilli())
		body := strings.Repeat("x", 10_000)
		fill := func(headers ...string) (sent int) {
			for {
				c.sendBody([]byte(body), "SEND", append(headers, "destination", "q", "receipt", "r")...)
				if f := c.next(); f.Command == "ERROR" {
					return sent
				}
				sent++
			}
		}
		if got := fill("expires", expires); got < 5 || got > 9 {
			t.Errorf("got %d messages of 10 kB into 100 kB, want 5 to 9", got)
		}
		time.Sleep(2 * time.Minute)
		c = p.connect(t, v12)
		c.put("q", body)
		wantDepth(t, b, "q", 1, 0) // the others were in time to make room
		c.do("BEGIN", "transaction", "t")
		fill("transaction", "t") // which is no way around the bound
		synctest.Wait()
		c = p.connect(t, v12)
		fill()
		c = p.connect(t, v12)
		c.subscribe("q", "client-individual")
		c.ack(c.wantMessage(body))
		c.put("q", body)
	})
}
