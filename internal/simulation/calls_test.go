package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/orders"
	"interlock/activities/proposals"
)

// call is one activity of a run as the server sees it: queued, started, timed
// out when its worker falls silent, tried again as its options say.
type call struct {
	life *life
	w    *world
	name string
	arg  json.RawMessage // as it was when the call was made

	local           bool
	scheduleToStart time.Duration
	scheduleToClose time.Duration
	startToClose    time.Duration
	heartbeat       time.Duration
	retry           *temporal.RetryPolicy

	scheduled time.Time
	attempt   int
	ended     int // the last attempt that the server knows the end of
	settable  workflow.Settable
	done      bool      // for the server
	heard     bool      // by the workflow
	at        time.Time // by the workflow's clock, when it was done
	result    any
	err       error
}

// call hands c, with its argument, to the server and returns its future.
func (l *life) call(ctx workflow.Context, c *call, arg any) workflow.Future {
	c.life, c.w = l, l.w
	through(arg, &c.arg)
	future, settable := workflow.NewFuture(ctx)
	c.settable = settable
	l.calls = append(l.calls, c)
	if !c.local { // all of those run on disconnected contexts
		c.heedCancel(ctx, future)
	}
	if l.live {
		c.schedule()
		return future
	}
	l.repeat(c)
	return future
}

// heedCancel ends the call for a workflow that does not wait for it any more.
func (c *call) heedCancel(ctx workflow.Context, future workflow.Future) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		workflow.NewSelector(ctx).AddFuture(future, func(workflow.Future) {}).
			AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { c.set(nil, temporal.NewCanceledError()) }).
			Select(ctx)
	})
}

// repeat answers c as it was answered before the reset.
func (l *life) repeat(c *call) {
	i := len(l.calls) - 1
	if i >= len(l.repeats.calls) || l.repeats.calls[i].name != c.name {
		c.w.wrongf("the repetition asks for another activity: %s", c.name)
		return
	}
	before := l.repeats.calls[i]
	if before.heard && before.at.Before(l.resetTo) {
		l.env.RegisterDelayedCallback(func() {
			c.set(before.result, before.err)
		}, max(before.at.Sub(l.env.Now()), 1))
	}
}

// survive decides what becomes of a call that was under way at the moment of a
// reset: one that had not started stays queued, one that had fails.
func (c *call) survive() {
	switch {
	case c.done:
	case c.local || c.w.chance(0.5):
		c.schedule()
	default:
		c.w.strike("activity failed by a reset")
		c.w.after(0, func() { c.conclude(c.attempt, nil, errors.New("reset")) })
	}
}

// schedule queues the call for some worker.
func (c *call) schedule() {
	c.scheduled = c.w.time()
	c.enqueue(0)
}

func (c *call) enqueue(pause time.Duration) {
	wait := c.w.between(5*time.Millisecond, 60*time.Millisecond)
	if c.local {
		wait = c.w.between(time.Millisecond, 10*time.Millisecond)
	} else if c.w.chance(c.w.odds.noWorker) {
		wait = c.w.between(time.Second, 90*time.Second)
		c.w.strike("no worker for a while")
	}
	if c.scheduleToStart > 0 && wait > c.scheduleToStart {
		c.w.strike("schedule-to-start timeout")
		c.w.after(pause+c.scheduleToStart, func() { c.finish(nil, timeout("schedule to start")) })
		return
	}
	c.w.after(pause+wait, c.begin)
}

func timeout(kind string) error { return errors.New(kind + " timeout") }

// begin starts an attempt on a worker.
func (c *call) begin() {
	if c.done || c.life.over {
		return
	}
	c.attempt++
	n := c.attempt
	c.w.after(c.startToClose, func() {
		if c.ended < n && !c.done {
			c.w.strike("start-to-close timeout")
		}
		c.conclude(n, nil, timeout("start to close"))
	})
	over := false
	t := c.w.spawn(fmt.Sprintf("%s#%d", c.name, n), func(t *thread) {
		result, err := t.perform(c.name, c.arg)
		over = true
		c.w.sayf("%s ends: %s %v", t.name, brief{result}, err)
		if c.w.finished {
			return
		}
		if !c.local && c.w.chance(c.w.odds.answerLost) {
			c.w.strike("activity's answer lost")
			c.w.after(c.heartbeat, func() { c.conclude(n, nil, timeout("heartbeat")) })
			return
		}
		if c.ended >= n || c.done {
			c.w.strike("zombie answered")
		}
		c.conclude(n, result, err)
	})
	t.deadline, t.expires = c.w.time().Add(c.startToClose), c.w.chance(0.3)
	t.silent = func(length time.Duration) {
		if c.heartbeat == 0 || length != forEver && length <= c.heartbeat {
			return
		}
		c.w.after(c.heartbeat-c.w.between(0, time.Second), func() {
			if !over && c.ended < n && !c.done {
				c.w.strike("heartbeat timeout")
				c.conclude(n, nil, timeout("heartbeat"))
			}
		})
	}
	t.resume()
}

// conclude ends an attempt, once, and tries again where the policy says so.
func (c *call) conclude(n int, result any, err error) {
	if c.done || c.ended >= n && n > 0 || c.life.over {
		return
	}
	c.ended = n
	if err == nil {
		c.finish(result, nil)
		return
	}
	pause, again := c.backoff(err)
	if !again {
		c.finish(nil, err)
		return
	}
	c.enqueue(pause)
}

// backoff is the server's reading of a retry policy.
func (c *call) backoff(err error) (time.Duration, bool) {
	var refusal *temporal.ApplicationError
	if errors.As(err, &refusal) && (refusal.NonRetryable() || slices.Contains(c.retry.NonRetryableErrorTypes, refusal.Type())) {
		return 0, false
	}
	if most := int(c.retry.MaximumAttempts); most > 0 && c.attempt >= most {
		return 0, false
	}
	pause := float64(c.retry.InitialInterval)
	for range min(c.attempt-1, 40) {
		pause = min(pause*c.retry.BackoffCoefficient, float64(c.retry.MaximumInterval))
	}
	d := time.Duration(pause)
	if c.scheduleToClose > 0 && c.w.time().Add(d).Sub(c.scheduled) > c.scheduleToClose {
		return 0, false
	}
	return d, true
}

// finish ends the call, and tells the workflow.
func (c *call) finish(result any, err error) {
	if c.done || c.life.over {
		return
	}
	c.done = true
	c.w.sayf("%s answered: %s %v", c.name, brief{result}, err)
	c.life.touch(func() { c.set(result, err) })
}

func (c *call) set(result any, err error) {
	if c.heard {
		return
	}
	c.done, c.heard, c.at, c.result, c.err = true, true, c.life.stamp(), result, err
	c.settable.Set(result, err)
}

// brief shows a value as JSON, only when somebody reads it.
type brief struct{ value any }

func (b brief) String() string {
	text, _ := json.Marshal(b.value)
	return string(text[:min(len(text), 300)])
}

// virtual is the context of a thread: it ends by the world's clock, when the
// thread's freeze has not kept it from noticing.
type virtual struct {
	context.Context
	t *thread
}

func (v virtual) Err() error {
	if v.t.expires && v.t.w.time().After(v.t.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// perform runs the real activity on this thread.
func (t *thread) perform(name string, arg json.RawMessage) (any, error) {
	ctx := virtual{context.Background(), t}
	o := &orders.Activities{
		Exchange: line{t}, Attempts: desk{t}, Account: account, Worker: t.name, Log: slog.New(slog.DiscardHandler),
	}
	p := &proposals.Activities{Records: desk{t}}
	switch name {
	case orders.PlaceOrder:
		return invoke(ctx, o.PlaceOrder, arg)
	case orders.FindOrder:
		return invoke(ctx, o.FindOrder, arg)
	case orders.ReadOrder:
		return invoke(ctx, o.ReadOrder, arg)
	case orders.FollowOrder:
		return invoke(ctx, o.FollowOrder, arg)
	case orders.CancelOrder:
		return invoke(ctx, nothing(o.CancelOrder), arg)
	case proposals.ReadState:
		return invoke(ctx, p.ReadState, arg)
	case proposals.Preflight:
		return invoke(ctx, p.Preflight, arg)
	case proposals.Conclude:
		return invoke(ctx, p.Conclude, arg)
	case proposals.RecordOrder:
		return invoke(ctx, p.RecordOrder, arg)
	case proposals.FailExecution:
		return invoke(ctx, p.FailExecution, arg)
	case proposals.Expire:
		return invoke(ctx, p.Expire, arg)
	case proposals.Cancel:
		return invoke(ctx, p.Cancel, arg)
	case proposals.StoreOverride:
		return invoke(ctx, p.StoreOverride, arg)
	case proposals.NoteRefusal:
		return invoke(ctx, nothing(p.NoteRefusal), arg)
	case proposals.Resolve:
		return invoke(ctx, p.Resolve, arg)
	}
	panic("no such activity: " + name)
}

// invoke passes argument and result through JSON, as Temporal does.
func invoke[I, O any](ctx context.Context, do func(context.Context, I) (O, error), arg json.RawMessage) (any, error) {
	var in I
	if err := json.Unmarshal(arg, &in); err != nil {
		panic(err)
	}
	result, err := do(ctx, in)
	if err != nil {
		return nil, err
	}
	var out O
	through(result, &out)
	return out, nil
}

func through(from, to any) {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		panic(err)
	}
}

func nothing[I any](do func(context.Context, I) error) func(context.Context, I) (struct{}, error) {
	return func(ctx context.Context, in I) (struct{}, error) { return struct{}{}, do(ctx, in) }
}

// placing reports whether the thread is an attempt to place.
func (t *thread) placing() bool { return strings.HasPrefix(t.name, orders.PlaceOrder) }
