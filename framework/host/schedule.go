package host

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/triggers"
	"github.com/fairlead/fairlead/triggers/schedule"
)

// A timer runs a schedule trigger. With a store it publishes each time to a
// topic of the trigger's own, under an id that all replicas give it, so that the
// first one counts; the rest is as on any topic of the store. Without a store it
// calls the function itself, and so does every replica.
type timer struct {
	host *host
	spec triggerSpec
	schedule.Clock

	since                             time.Time
	inFlight                          atomic.Int64
	received, succeeded, failed, dead atomic.Uint64
	stopped                           atomic.Bool
}

// scheduleTopic is the topic of the store that a schedule trigger publishes to.
func scheduleTopic(trigger string) string { return "schedule." + trigger }

// missedOnce is the value of missed that catches up.
const missedOnce = "once"

// newTimer returns the timer of a trigger that config.Load has checked.
func (h *host) newTimer(s triggerSpec) (*timer, error) {
	timetable, err := s.trigger.Schedule.Timetable()
	if err != nil {
		return nil, err
	}
	t := &timer{host: h, spec: s, since: time.Now()}
	t.Clock = schedule.Clock{
		Trigger: s.Name, Timetable: timetable, Log: h.log, CatchUp: s.trigger.Schedule.Missed == missedOnce, Fire: t.call,
	}
	if s.store != nil {
		t.Fire, t.Last = t.publish, t.last
	} else if _, warned := h.warned.LoadOrStore("schedule "+s.Name, true); !warned {
		h.log.Warn("without a store every replica of this program runs the schedule, and what was missed is not known", "trigger", s.Name)
	}
	return t, nil
}

// run keeps time until ctx ends.
func (t *timer) run(ctx context.Context) {
	t.Clock.Run(ctx)
	t.stopped.Store(true)
}

// last returns when any replica fired last.
func (t *timer) last(ctx context.Context) (time.Time, error) {
	topic, err := t.spec.store.Topic(ctx, "topic:"+scheduleTopic(t.Trigger))
	if errors.Is(err, outbox.ErrNotFound) {
		return time.Time{}, nil
	}
	return schedule.DueIn(topic.LastID), err
}

// publish stores what is due, unless another replica has done so. It tries until
// the next time comes.
func (t *timer) publish(ctx context.Context, due time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, t.Timetable.Next(time.Now()))
	defer cancel()
	for attempt := 1; ; attempt++ {
		_, err := t.spec.store.Publish(ctx, "topic:"+scheduleTopic(t.Trigger), schedule.Event(t.Trigger, due), framework.PublishOptions{})
		if err == nil || framework.IsTerminal(err) || triggers.Sleep(ctx, config.DefaultRetry().Wait(attempt)) != nil {
			return err
		}
	}
}

// call runs the function in this process, with the trigger's retries. Stopping
// lets it end, up to the grace period.
func (t *timer) call(soft context.Context, due time.Time) error {
	hard, kill := context.WithCancel(context.WithoutCancel(soft))
	defer kill()
	defer context.AfterFunc(soft, func() { time.AfterFunc(t.spec.grace, kill) })()
	t.received.Add(1)
	d := &outbox.Delivery{Event: schedule.Event(t.Trigger, due), Trigger: t.Trigger, Target: t.Trigger, Attempt: 1, Published: time.Now()}
	for {
		err := t.attempt(hard, d)
		switch {
		case err == nil:
			t.succeeded.Add(1)
			return nil
		case hard.Err() != nil:
			return err
		case !errors.Is(err, framework.ErrUnavailable):
			t.failed.Add(1)
			if framework.IsTerminal(err) || t.spec.retry.Exhausted(d.Attempt) {
				t.dead.Add(1)
				return fmt.Errorf("given up after attempt %d: %w", d.Attempt, err)
			}
			d.Attempt++
		}
		wait, asked := framework.Delay(err)
		if !asked {
			wait = t.spec.retry.Wait(d.Attempt)
		}
		if triggers.Sleep(soft, wait) != nil {
			return err
		}
	}
}

// attempt calls the function once, and hands what failed for good to the binding
// that takes dead letters, if there is one.
func (t *timer) attempt(ctx context.Context, d *outbox.Delivery) error {
	t.inFlight.Add(1)
	defer t.inFlight.Add(-1)
	s, function := t.spec, t.spec.trigger.Function
	err := t.host.deliver(ctx, d, function, "", s.timeout)
	bury := t.host.buried(function, s.deadLetter)
	if bury == nil || err == nil || ctx.Err() != nil || errors.Is(err, framework.ErrUnavailable) ||
		!framework.IsTerminal(err) && !s.retry.Exhausted(d.Attempt) {
		return err
	}
	if failed := bury(ctx, d, err); failed != nil {
		return fmt.Errorf("dead letter %w: %w", framework.ErrUnavailable, failed)
	}
	return err
}

// Status returns how a timer without a store is doing.
func (t *timer) Status() triggers.Status {
	s := triggers.Status{
		State: triggers.Running, Since: t.since, Subscribed: true, InFlight: int(t.inFlight.Load()),
		Received: t.received.Load(), Succeeded: t.succeeded.Load(), Failed: t.failed.Load(), Dead: t.dead.Load(),
	}
	if t.stopped.Load() {
		s.State = triggers.Stopped
	}
	return s
}
