package triggers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// process walks j along the line, until it is settled or has to wait.
func (t *Trigger) process(soft, hard context.Context, j *job) {
	t.decode(j)
	for !j.done() {
		var goOn bool
		if j.cause != nil {
			goOn = t.bury(hard, j)
		} else {
			goOn = t.try(soft, hard, j)
		}
		if !goOn {
			return
		}
	}
	t.settle(hard, j)
}

// decode reads the events of a delivery that is seen for the first time.
func (t *Trigger) decode(j *job) {
	if j.decoded {
		return
	}
	j.decoded = true
	t.counts.received.Add(1)
	if err := j.overrun(); err != nil {
		j.cause = framework.Terminal(err)
		j.add(time.Now())
		j.attempts = max(j.attempts, j.delivery.Count)
		return
	}
	err := j.delivery.Bad
	if err == nil {
		j.events, j.unstable, err = t.codec.AppendDecode(j.one[:0], &j.delivery.Message)
	}
	if err == nil && t.Manual && len(j.events) > 1 {
		err = fmt.Errorf("a batch of %d events, and the function settles by itself (autoAccept: false): expected one event", len(j.events))
	}
	if err == nil && t.EventID != "" {
		err = t.setID(j)
	}
	if err != nil {
		j.events = nil
		j.cause = framework.Terminal(fmt.Errorf("message not understood: %w", err))
		j.add(time.Now())
		return
	}
	t.memory.recall(j)
}

// setID gives the event the id that the configured header holds.
func (t *Trigger) setID(j *job) error {
	id, ok := j.delivery.Header[t.EventID]
	if !ok {
		return fmt.Errorf("eventId: the message has no header %q", t.EventID)
	}
	for i := range j.events {
		s := fmt.Sprint(id)
		if len(j.events) > 1 {
			s = fmt.Sprintf("%s/%d", s, i)
		}
		j.events[i].SetID(s)
	}
	j.unstable = false
	return nil
}

// try calls the function once. It reports false if j has to wait.
func (t *Trigger) try(soft, hard context.Context, j *job) bool {
	if t.Manual {
		t.tryManual(soft, hard, j)
		return false
	}
	inv := j.call(t)
	ctx := framework.NewContext(hard, inv)
	kills, end := t.guard(ctx, j)
	if kills > 0 {
		j.condemn(kills)
		return true
	}
	callCtx, unit := j.session.begin(ctx, t.Connection)
	err := t.call(callCtx, j, inv.Event)
	used := unit.end()
	j.inUnit = j.inUnit || used
	end()
	if err == nil {
		t.counts.succeeded.Add(1)
		t.pause.reset()
		j.advance()
		return true
	}
	if goOn := t.fail(soft, ctx, j, inv, err, used); !goOn || !used {
		return goOn
	}
	// What was sent in the unit of work must not be committed with the verdict.
	t.handBack(soft, j, 0)
	return false
}

// call runs the function and sends its reply.
func (t *Trigger) call(ctx context.Context, j *job, ev event.Event) error {
	now := time.Now()
	if j.calling != nil {
		j.calling.Store(now.UnixNano())
		defer j.calling.Store(0)
	}
	return within(ctx, now, t.Timeout, func(ctx context.Context) error {
		out, err := Call(ctx, t.Handler, ev)
		if err == nil {
			err = t.reply(ctx, &j.delivery, out)
		}
		return err
	})
}

// reply sends out to whoever waits for it; without one it is dropped.
func (t *Trigger) reply(ctx context.Context, d *connections.Delivery, out *event.Event) error {
	to, native := d.ReplyTo, true
	if to == "" {
		to, native = t.ReplyTo, false
	}
	if out == nil || to == "" {
		return nil
	}
	m, err := connections.Encode(*out)
	if err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	m.CorrelationID = d.Correlate
	if err := t.Reply(ctx, to, native, m); err != nil {
		if errors.Is(err, framework.ErrUnavailable) {
			framework.FromContext(ctx).Blame(err)
		}
		return fmt.Errorf("reply to %s: %w", to, err)
	}
	return nil
}

// fail decides what becomes of j after a failed call. ctx is the call's, without
// its timeout. It reports true if j goes on at once, to the dead letters.
func (t *Trigger) fail(soft, ctx context.Context, j *job, inv *framework.Invocation, err error, used bool) bool {
	if ctx.Err() != nil { // the grace period is over: shutdown is no failure
		j.lane.giveBack(j)
		return false
	}
	if fault := inv.Fault(); fault != nil {
		d := t.suspend(ctx, fault)
		if used {
			t.handBack(soft, j, d)
			return false
		}
		return t.wait(soft, j, 0)
	}
	t.pause.reset()
	j.add(time.Now())
	t.counts.failed.Add(1)
	if framework.IsTerminal(err) || t.exhausted(j) {
		j.cause = err
		return true
	}
	delay, asked := framework.Delay(err)
	if !asked {
		delay = t.Retry.Wait(j.attempts)
	}
	t.counts.retried.Add(1)
	t.Log.WarnContext(ctx, "function failed, will be tried again", "err", err, "in", delay.Round(time.Millisecond).String(), stack(err))
	if !used && t.park(ctx, j, err, delay) {
		return true
	}
	if used || t.Serial && delay > longWait {
		t.handBack(soft, j, delay)
		return false
	}
	return t.wait(soft, j, delay)
}

// wait puts j off for d, and past a pause. Only an ordered trigger waits here;
// others go on with other messages.
func (t *Trigger) wait(soft context.Context, j *job, d time.Duration) bool {
	if !t.Ordered {
		j.lane.putOff(j, time.Now().Add(d))
		return false
	}
	if Sleep(soft, d) != nil || t.pause.wait(soft) != nil {
		j.lane.giveBack(j)
		return false
	}
	return true
}

// suspend pauses the trigger because of a fault that is not the event's, and
// returns for how long.
func (t *Trigger) suspend(ctx context.Context, fault error) time.Duration {
	d, first := t.pause.begin(t.Reconnect)
	if first {
		t.Log.WarnContext(ctx, "trigger paused: something that its function needs is out of reach", "err", fault, "for", d.Round(time.Millisecond).String())
	}
	for _, l := range t.lanes {
		l.waiting.wake()
	}
	return d
}

// bury hands the event that failed for good to the dead letters. It reports
// false if they cannot take it now: then j waits, and the trigger with it.
func (t *Trigger) bury(hard context.Context, j *job) bool {
	ctx := framework.NewContext(hard, j.call(t))
	if t.rejects(j) {
		t.reject(ctx, j)
		return false
	}
	err := t.put(ctx, t.letter(j))
	if err == nil {
		t.buried(ctx, j)
		j.advance()
		return true
	}
	if hard.Err() != nil {
		j.lane.giveBack(j)
		return false
	}
	t.suspend(ctx, fmt.Errorf("dead letter: %w", err))
	j.lane.putOff(j, time.Now())
	return false
}

// buried records that j's event is a dead letter.
func (t *Trigger) buried(ctx context.Context, j *job) {
	t.counts.dead.Add(1)
	t.pause.reset()
	t.Log.ErrorContext(ctx, "message dead-lettered", "err", j.cause, "attempts", j.attempts, stack(j.cause))
}

// putTimeout bounds the handing over of one dead letter.
const putTimeout = 15 * time.Second

func (t *Trigger) put(ctx context.Context, l Letter) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	return t.DeadLetters.Put(ctx, l)
}

// settle accepts the delivery; every event in it is done.
func (t *Trigger) settle(hard context.Context, j *job) {
	j.over.Store(true)
	err := j.delivery.Settle(hard, framework.Accept)
	if err == nil {
		return
	}
	t.memory.keep(j, !j.inUnit) // what was sent in the unit of work is taken back, so the function must run again
	j.session.fail(fmt.Errorf("settle: %w", err))
}

// stack is the log attribute with the stack of a panic, or nothing.
func stack(err error) slog.Attr {
	if p, ok := errors.AsType[*PanicError](err); ok {
		return slog.String("stack", string(p.Stack))
	}
	return slog.Attr{}
}

// Sleep waits for d, or returns the error of ctx, which ends before.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
