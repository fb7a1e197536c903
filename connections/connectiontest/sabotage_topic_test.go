package connectiontest

import (
	"context"
	"slices"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func topicSaboteurs() []saboteur {
	return []saboteur{{
		name:   "shares a topic among its subscribers",
		breaks: []string{"topic"},
		hooks: func() hooks {
			return hooks{source: func(s *source, _ *int) {
				if s.Topic != "" && s.Subscription == "" {
					s.Subscription = "all"
				}
			}}
		},
	}, {
		name:   "refuses what nobody subscribes to",
		breaks: []string{"topic without subscribers", "topic", "durable subscription", "durable subscription survives"},
		hooks: sendingBatch(func(ctx context.Context, s *sender, batch []connections.Message, send sendFunc) []error {
			subscribed := slices.ContainsFunc(s.conn.double.others(), func(r *receiver) bool { return r.source.Topic == s.target.Topic })
			if s.target.Topic != "" && !subscribed {
				return slices.Repeat([]error{&framework.SendError{Outcome: framework.Release}}, len(batch))
			}
			return send(ctx, batch)
		}),
	}, {
		name:   "forgets a durable subscription",
		breaks: []string{"durable subscription", "durable subscription gives back", "durable subscription survives"},
		hooks: func() hooks {
			return hooks{source: func(s *source, _ *int) {
				if !s.Exclusive {
					s.Subscription = ""
				}
			}}
		},
	}, {
		name:   "takes what a durable subscription has delivered for settled",
		breaks: []string{"durable subscription gives back"},
		hooks: func() hooks {
			return hooks{delivery: func(r *receiver, d *connections.Delivery) {
				if r.source.Subscription != "" {
					d.Settle(context.Background(), framework.Accept)
					d.Settle = func(context.Context, framework.Outcome) error { return nil }
				}
			}}
		},
	}}
}
