package scaler

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/test/services"
)

// BenchmarkDepth asks each broker that tells for the depths of fifty queues, one after
// the other, as KEDA does for an app with as many triggers.
func BenchmarkDepth(b *testing.B) {
	const queues = 50
	for _, tt := range []struct {
		name, user, password string
		find                 func(testing.TB) services.Broker
	}{{"artemis", "admin", "adminpw", services.Artemis}, {"brokerj", "app", "apppw", services.BrokerJ}} {
		b.Run(tt.name, func(b *testing.B) {
			document := fmt.Sprintf("{version: 1, store: none, connections: {c: {type: amqp, url: 'amqp://%s', user: %s, password: %s}}}", tt.find(b).AMQP, tt.user, tt.password)
			cfg, err := config.Parse([]byte(document), "", config.Options{Drivers: drivers.All()})
			if err != nil {
				b.Fatal(err)
			}
			d, err := NewDepths(cfg, drivers.All(), nil, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			for b.Loop() {
				b.StopTimer()
				time.Sleep(fresh) // what is known is not asked again
				b.StartTimer()
				for i := range queues {
					if _, err := d.Depth(b.Context(), Target{Connection: "c", Queue: fmt.Sprintf("bench.%d", i)}); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*queues)/1000, "ms/queue")
		})
	}
}
