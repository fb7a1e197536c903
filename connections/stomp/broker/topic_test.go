package broker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTopicGoesToEverySubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		p := serve(t, b)
		sender, first, second := p.connect(t, v12), p.connect(t, v11), p.connect(t, v10)
		sender.put("/topic/news", "nobody listens")
		first.subscribe("/topic/news", "client-individual")
		second.subscribe("/topic/news", "auto", "selector", "kind = 'good'")
		sender.put("/topic/news", "good", "kind", "good")
		sender.put("/topic/news", "bad", "kind", "bad")
		first.wantMessages("good", "bad")
		second.wantMessage("good")
		second.wantNothing(time.Hour)
		first.do("UNSUBSCRIBE", "id", "1")
		sender.put("/topic/news", "late")
		first.subscribe("/topic/news", "client-individual")
		first.wantNothing(time.Hour)
		first.conn.Close()
		second.conn.Close()
		synctest.Wait()
		wantEmpty(t, b)
	})
}

func TestDurableSubscription(t *testing.T) {
	for _, test := range []struct {
		how     string
		headers []string
	}{
		{"durable-subscription-name", []string{"durable-subscription-name", "audit"}},
		{"activemq.subscriptionName", []string{"activemq.subscriptionName", "audit"}},
		{"durable with id", []string{"durable", "true"}},
	} {
		t.Run(test.how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Broker{}
				p := serve(t, b)
				sender, c := p.connect(t, v12), p.connect(t, v12, "client-id", "me")
				c.subscribe("/topic/news", "client-individual", test.headers...)
				sender.put("/topic/news", "one")
				sender.put("/topic/news", "two")
				c.ack(c.wantMessage("one"))
				c.wantMessage("two")
				c.conn.Close()
				synctest.Wait()
				sender.put("/topic/news", "three")

				c = p.connect(t, v12, "client-id", "me")
				c.subscribe("/topic/news", "client-individual", test.headers...)
				c.wantMessages("two", "three")
				c.do("UNSUBSCRIBE", "id", "1") // only this consumer ends
				sender.put("/topic/news", "four")
				c.subscribe("/topic/news", "client-individual", test.headers...)
				c.wantMessages("two", "three", "four")

				c.do("UNSUBSCRIBE", append([]string{"id", "1"}, test.headers...)...)
				sender.put("/topic/news", "five")
				c.subscribe("/topic/news", "client-individual", test.headers...)
				c.wantNothing(time.Hour)
				c.do("UNSUBSCRIBE", append([]string{"id", "1"}, test.headers...)...)
				wantEmpty(t, b)
			})
		})
	}
}

func TestDurableSubscriptionRefused(t *testing.T) {
	for _, test := range []struct {
		name, clientID, destination, selector, want string
	}{
		{"without client-id", "", "/topic/news", "", "needs a client-id"},
		{"held", "me", "/topic/news", "", "held by another"},
		{"another topic", "left", "/topic/other", "", "is one to /topic/news"},
		{"another selector", "left", "/topic/news", "a = 'b'", "with selector"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := serve(t, &Broker{})
				holder, left := p.connect(t, v12, "client-id", "me"), p.connect(t, v12, "client-id", "left")
				holder.subscribe("/topic/news", "auto", "durable-subscription-name", "audit")
				left.subscribe("/topic/news", "auto", "durable-subscription-name", "audit")
				left.do("UNSUBSCRIBE", "id", "1")
				c := p.connect(t, v12, "client-id", test.clientID)
				c.send("SUBSCRIBE", "destination", test.destination, "id", "1", "selector", test.selector, "durable-subscription-name", "audit")
				c.wantError(test.want)
				left.put("/topic/news", "still there")
				holder.wantMessage("still there")
			})
		})
	}
}

func TestReplyQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		p := serve(t, b)
		asker, another, server := p.connect(t, v12), p.connect(t, v12), p.connect(t, v12)
		server.subscribe("/queue/ask", "auto")
		asker.subscribe("/temp-queue/answers", "auto")
		another.subscribe("/temp-queue/answers", "auto")
		asker.put("/queue/ask", "how?", "reply-to", "/temp-queue/answers", "correlation-id", "7")
		reply := server.wantMessage("how?").Header.Get("reply-to")
		server.put(reply, "so", "correlation-id", "7")
		wantHeaders(t, asker.wantMessage("so"), "correlation-id", "7", "destination", reply)
		another.wantNothing(time.Hour)

		asker.put("/queue/ask", "early?", "reply-to", "/temp-queue/late") // nobody has subscribed yet
		server.put(server.wantMessage("early?").Header.Get("reply-to"), "kept")
		asker.do("SUBSCRIBE", "destination", "/temp-queue/late", "id", "2")
		wantHeaders(t, asker.wantMessage("kept"), "subscription", "2")

		asker.conn.Close()
		synctest.Wait()
		server.put(reply, "too late")
		another.send("SUBSCRIBE", "destination", reply, "id", "2")
		another.wantError("belongs to another connection")
		server.conn.Close()
		synctest.Wait()
		wantEmpty(t, b)
	})
}
