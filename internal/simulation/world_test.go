// Package simulation runs the order protocol in virtual time, thousands of
// lives a minute, with faults at every step, and says what went wrong. The
// workflow, its activities and the rules of trade are the real ones, in the
// SDK's test environment; the records and the exchange are simulated, and so
// is the part of Temporal between the workflow and its activities. It owns the
// faults, the clock and the invariants; it decides nothing about trading, and
// it refuses to know PostgreSQL and HTTP, which have tests of their own.
//
// One seed is one run: everything happens on one goroutine at a time, in an
// order that only the seed decides.
package simulation

import (
	"container/heap"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"
)

// world is one run: its clock, what is yet to happen, and what went wrong.
type world struct {
	seed     uint64
	rng      *rand.Rand
	locks    locks  // the locks that are taken off; none, except to prove that they are needed
	focus    string // a fault that strikes much more often; none, except for the same
	odds     odds
	plan     scenario
	records  *records
	exchange *exchange

	now      time.Time // while no run of the workflow lives, or ahead of it; see time
	ahead    bool
	agenda   agenda
	seq      int
	life     *life
	lives    int
	requests []*request
	mail     []input // for a workflow that is not there
	threads  []*thread
	finished bool

	broken []string
	struck map[string]int
	talk   bool
	said   []string
}

// locks names what can be taken off, to prove that the simulation notices.
type locks struct {
	claimNotUnique  bool // an execution is claimed again and again
	noRow           bool // an attempt needs no row
	noVoid          bool // concluding leaves a missing row missing
	attemptsOverlap bool // an attempt may begin beside another
	alwaysAllowed   bool // an attempt may begin whatever trade.MayAttempt says
	repost          bool // an unknown reply is sent again
	timeoutFails    bool // an attempt without a reply counts as not sent
	noWindow        bool // the exchange acts on a request however late it is
	oneLook         bool // absence takes one look
	lookEarly       bool // a look before the deadline counts
	earlyWord       bool // a person may say that there is no order before it would be seen
	haltUnlocked    bool // the trading state is read without its lock
	blindSend       bool // sending is not preceded by a look
}

func newWorld(seed uint64, off locks, focus string) *world {
	w := &world{
		seed: seed, focus: focus, rng: rand.New(rand.NewPCG(seed, 0x696e7465726c6f63)), locks: off,
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), struck: map[string]int{},
	}
	w.odds = w.drawOdds()
	w.exchange = newExchange(w)
	w.records = newRecords(w)
	w.plan = w.drawScenario()
	return w
}

// time is the database's clock, which is also that of the workflow.
func (w *world) time() time.Time {
	if w.life != nil && w.life.live && !w.ahead {
		return w.life.time()
	}
	return w.now
}

// wrongf notes a broken promise.
func (w *world) wrongf(format string, args ...any) {
	w.sayf("WRONG "+format, args...)
	if len(w.broken) < 20 {
		w.broken = append(w.broken, fmt.Sprintf(format, args...))
	}
}

// strike counts a fault.
func (w *world) strike(fault string) { w.struck[fault]++ }

// sayf tells what happens, to whoever replays a seed.
func (w *world) sayf(format string, args ...any) {
	if w.talk {
		w.said = append(w.said, w.time().Format("15:04:05.000000 ")+fmt.Sprintf(format, args...))
	}
}

func (w *world) story() string { return strings.Join(w.said, "\n") }

// chance is true with probability p.
func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// tick is the resolution of time, as in PostgreSQL. What the workflow's clock
// shows below it differs from run to run: the SDK does not say whether a task
// runs before or after a timer of one nanosecond.
const tick = time.Microsecond

// between draws a duration.
func (w *world) between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(w.rng.Int64N(int64(most-least))).Truncate(tick)
}

// event is something that happens at an instant.
type event struct {
	at  time.Time
	seq int
	do  func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(e any)   { *a = append(*a, e.(event)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// after does something once d has passed, whether or not the workflow lives.
func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.agenda, event{at: w.time().Add(max(d, 0)), seq: w.seq, do: do})
	w.arm()
}

// arm makes the workflow's clock wake the world for its next event.
func (w *world) arm() {
	l := w.life
	if l == nil || !l.live || l.over || w.ahead || len(w.agenda) == 0 {
		return
	}
	next := w.agenda[0].at
	if !l.armed.IsZero() && !next.Before(l.armed) {
		return
	}
	l.armed = next
	l.env.RegisterDelayedCallback(func() { w.wake(l) }, l.until(next))
}

// wake lets the world's next events happen. Every wake of the environment runs
// all of the workflow's coroutines, so the world runs ahead of the workflow's
// clock for as long as nothing reaches the workflow.
func (w *world) wake(l *life) {
	if w.life != l || l.over {
		return
	}
	l.armed = time.Time{}
	w.ahead = true
	w.now = l.time()
	for l.touching == 0 && len(w.agenda) > 0 && (!w.agenda[0].at.After(l.time()) || w.agenda[0].at.Before(l.nextTimer())) {
		e := heap.Pop(&w.agenda).(event)
		if e.at.After(w.now) {
			w.now = e.at
		}
		e.do()
	}
	w.ahead = false
	if l.touching == 0 {
		w.arm()
	}
}

// touch does something to the workflow, once its clock says what the world's
// clock says now.
func (l *life) touch(do func()) {
	w := l.w
	l.touching++
	l.env.RegisterDelayedCallback(func() {
		l.touching--
		do()
		w.arm()
	}, l.until(w.time()))
}

// pass lets time pass while no workflow lives, until an instant or until
// somebody needs the workflow.
func (w *world) pass(until time.Time, needed func() bool) {
	for len(w.agenda) > 0 && !w.agenda[0].at.After(until) {
		e := heap.Pop(&w.agenda).(event)
		w.now = e.at
		e.do()
		if needed() {
			return
		}
	}
	w.now = until
}

// thread is one execution of an activity on some worker. It may freeze at any
// step and go on later, or never.
type thread struct {
	w        *world
	name     string
	next     func() (time.Duration, bool)
	stop     func()
	yield    func(time.Duration) bool
	step     int
	freezes  []freeze
	silent   func(time.Duration) // told when the thread freezes
	deadline time.Time           // of its context
	expires  bool                // its context notices the deadline
	blind    time.Duration       // how far its idea of the exchange's clock is behind
}

// freeze stops a thread before a step; for ever when it was killed.
type freeze struct {
	step   int
	length time.Duration
}

const forEver = time.Duration(-1)

var errStopped = errors.New("the run is over")

// spawn runs body as a thread. Its first step is taken by resume.
func (w *world) spawn(name string, body func(*thread)) *thread {
	t := &thread{w: w, name: name, freezes: w.drawFreezes(name), silent: func(time.Duration) {}}
	t.next, t.stop = iter.Pull(func(yield func(time.Duration) bool) {
		defer func() {
			if r := recover(); r != nil && r != errStopped {
				panic(r)
			}
		}()
		t.yield = yield
		body(t)
	})
	w.threads = append(w.threads, t)
	return t
}

// resume takes the thread's next step, and plans the one after it.
func (t *thread) resume() {
	d, more := t.next()
	if more && d != forEver {
		t.w.after(d, t.resume)
	}
}

// pause is a step: time passes, and the thread may freeze instead.
func (t *thread) pause(d time.Duration) {
	t.step++
	for _, f := range t.freezes {
		if f.step != t.step {
			continue
		}
		t.w.sayf("%s frozen at step %d for %s", t.name, t.step, f.length)
		t.silent(f.length)
		if f.length == forEver {
			t.w.strike("worker lost")
			d = forEver
			break
		}
		t.w.strike("worker frozen")
		d += f.length
		if t.w.chance(0.5) {
			t.blind += f.length // the whole machine slept, and with it the clock that estimates
		}
	}
	if !t.yield(d) {
		panic(errStopped)
	}
}
