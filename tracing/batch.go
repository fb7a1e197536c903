package tracing

import (
	"context"
	"time"
)

// A batches collects the spans that have ended and hands them to the exporter,
// many at a time.
type batches struct {
	limits
	export func(context.Context, []*recording)

	queue chan *recording
	stop  chan struct{} // closed: what waits is sent, and that is all
	done  chan struct{} // closed when it was

	working context.Context // of the exports
	abandon context.CancelFunc
}

// limits are those of OpenTelemetry's specification, "Batch Span Processor".
type limits struct {
	delay   time.Duration // at most, until a span is handed over
	timeout time.Duration // of one export
	waiting int           // spans, at most; those beyond are dropped
	size    int           // spans of an export, at most
}

func newBatches(l limits, export func(context.Context, []*recording)) *batches {
	b := &batches{limits: l, export: export, queue: make(chan *recording, l.waiting), stop: make(chan struct{}), done: make(chan struct{})}
	b.working, b.abandon = context.WithCancel(context.Background())
	go b.run()
	return b
}

// add never waits.
func (b *batches) add(s *recording) {
	select {
	case b.queue <- s:
	default:
	}
}

func (b *batches) run() {
	defer close(b.done)
	var batch []*recording
	var due <-chan time.Time // nil while there is none
	for {
		select {
		case s := <-b.queue:
			if batch = append(batch, s); due == nil {
				due = time.After(b.delay)
			}
			if len(batch) < b.size {
				continue
			}
		case <-due:
		case <-b.stop:
			b.finish(batch)
			return
		}
		b.send(batch)
		batch, due = nil, nil
	}
}

// finish sends batch and what waits.
func (b *batches) finish(batch []*recording) {
	for b.working.Err() == nil {
		select {
		case s := <-b.queue:
			if batch = append(batch, s); len(batch) < b.size {
				continue
			}
		default:
			if len(batch) == 0 {
				return
			}
		}
		b.send(batch)
		batch = nil
	}
}

func (b *batches) send(batch []*recording) {
	ctx, cancel := context.WithTimeout(b.working, b.timeout)
	defer cancel()
	b.export(ctx, batch)
}

// close sends what waits, until ctx ends. It is called once.
func (b *batches) close(ctx context.Context) error {
	defer b.abandon()
	close(b.stop)
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		b.abandon()
		<-b.done
		return ctx.Err()
	}
}
