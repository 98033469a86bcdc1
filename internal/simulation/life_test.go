package simulation

import (
	"errors"
	"math"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/workflows"
)

// life is one run of the workflow. Everything that came to it is kept, so that
// it can be reset: repeated up to some moment, and lived on from there.
type life struct {
	w     *world
	env   *testsuite.TestWorkflowEnvironment
	input workflows.ProposalInput
	began time.Time
	shift time.Duration // the world's clock is this far ahead: what a reset took
	live  bool          // not repeating any more
	over  bool
	armed time.Time

	heard    time.Time            // when something last reached the workflow; see stamp
	touching int                  // what is on its way to the workflow
	timers   map[string]time.Time // of the workflow, by its clock
	calls    []*call
	inbox    []input

	repeats *life     // the run that this one is a reset of
	resetTo time.Time // by the workflow's clock
}

// input is something that came from outside.
type input struct {
	at      time.Time // by the workflow's clock
	kind    string
	name    string
	payload any
	request *request
}

// ending is how a run ended.
type ending string

const (
	closed    ending = "closed"
	continued ending = "continued as new"
	killed    ending = "terminated"
	failed    ending = "failed"
)

// start runs the workflow until it ends. A reset repeats an earlier run first.
func (w *world) start(in workflows.ProposalInput, repeats *life, until time.Time) (*life, ending, workflows.ProposalInput) {
	l := &life{w: w, input: in, began: w.time().Truncate(0), live: repeats == nil, repeats: repeats, resetTo: until}
	if repeats != nil {
		l.began, l.input = repeats.began, repeats.input
	}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(silence{})
	l.env = suite.NewTestWorkflowEnvironment()
	l.env.SetTestTimeout(5 * time.Minute)
	l.env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: math.MaxInt64,
		Interceptors:             []interceptor.WorkerInterceptor{&tap{life: l}},
	})
	l.env.SetStartTime(l.began)
	l.watchTimers()
	l.end()
	l.env.RegisterWorkflowWithOptions(workflows.Proposal, workflow.RegisterOptions{Name: workflows.ProposalType})
	w.now = w.time()
	w.life = l
	w.lives++
	l.prepare()
	l.env.ExecuteWorkflow(workflows.ProposalType, l.input)
	end, carried := l.ended()
	return l, end, carried
}

// prepare arranges what reaches the run: for a reset first what reached the
// earlier one, then, as the server does, the rest of it.
func (l *life) prepare() {
	w := l.w
	if l.live {
		for _, in := range w.mail {
			l.env.RegisterDelayedCallback(func() { l.receive(in) }, time.Millisecond)
		}
		w.mail = nil
		l.env.RegisterDelayedCallback(w.arm, 1)
		return
	}
	for _, in := range l.repeats.inbox {
		if in.at.Before(l.resetTo) {
			l.env.RegisterDelayedCallback(func() { l.receive(in) }, max(in.at.Sub(l.began), 1))
		}
	}
	l.env.RegisterDelayedCallback(l.goLive, max(l.resetTo.Sub(l.began), 1))
}

// goLive ends the repetition: from now on the world goes on.
func (l *life) goLive() {
	w := l.w
	l.shift = w.now.Sub(l.env.Now().UTC().Truncate(tick))
	l.live = true
	w.sayf("reset: lives on from %s", l.env.Now().UTC().Format("15:04:05.000000"))
	for _, c := range l.calls {
		c.survive()
	}
	for _, in := range l.repeats.inbox {
		if !in.at.Before(l.resetTo) {
			l.receive(in)
		}
	}
	for _, in := range w.mail {
		l.receive(in)
	}
	w.mail = nil
	w.arm()
}

// time is the workflow's clock, set forward by what resets took.
func (l *life) time() time.Time { return l.env.Now().UTC().Add(l.shift).Truncate(tick) }

// until is how long from now an instant of the world's clock is, plus half a
// tick: a timer of the workflow for the same tick comes first.
func (l *life) until(at time.Time) time.Duration {
	return max(at.Add(tick/2).Sub(l.env.Now().Add(l.shift)), 1)
}

// stamp is the workflow's clock, never the same twice, so that what came at
// once comes in the same order when the run is repeated.
func (l *life) stamp() time.Time {
	now := l.env.Now().UTC()
	if !now.After(l.heard) {
		now = l.heard.Add(1)
	}
	l.heard = now
	return now
}

func (l *life) watchTimers() {
	l.timers = map[string]time.Time{}
	l.env.SetOnTimerScheduledListener(func(id string, d time.Duration) { l.timers[id] = l.env.Now().UTC().Add(d) })
	l.env.SetOnTimerFiredListener(func(id string) { delete(l.timers, id) })
	l.env.SetOnTimerCanceledListener(func(id string) { delete(l.timers, id) })
}

// nextTimer is when the workflow will act by itself, by the world's clock.
func (l *life) nextTimer() time.Time {
	next := l.time().Add(longest)
	for _, at := range l.timers {
		if at = at.Add(l.shift); at.Before(next) {
			next = at
		}
	}
	return next.Truncate(tick)
}

// end terminates the run where the scenario says so. The environment knows no
// termination; a run that is out of time ends like one.
func (l *life) end() {
	w := l.w
	for len(w.plan.ends) > 0 && !w.plan.ends[0].at.After(w.now) {
		w.plan.ends = w.plan.ends[1:]
	}
	if len(w.plan.ends) == 0 {
		return
	}
	repeated := l.resetTo.Sub(l.began)
	if l.live {
		repeated = 0
	}
	l.env.SetWorkflowRunTimeout(max(w.plan.ends[0].at.Sub(w.now), time.Millisecond) + repeated)
}

func (l *life) ended() (ending, workflows.ProposalInput) {
	w := l.w
	w.now = w.time()
	l.over = true
	w.life = nil
	var again *workflow.ContinueAsNewError
	err := l.env.GetWorkflowError()
	switch {
	case err == nil:
		return closed, l.input
	case errors.As(err, &again):
		var next workflows.ProposalInput
		if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &next); err != nil {
			w.wrongf("what continuing as new carries does not decode: %v", err)
		}
		return continued, next
	case temporal.IsTimeoutError(err):
		return killed, l.input
	}
	w.sayf("the workflow failed: %v", err)
	return failed, l.input
}

// deliver hands something to the run that lives now. An update waits for one,
// as a client that starts the workflow with it does; a signal is lost.
func (w *world) deliver(in input) {
	switch {
	case w.life != nil && w.life.live && !w.life.over:
		w.life.touch(func() { w.life.receive(in) })
	case in.request != nil:
		w.mail = append(w.mail, in)
	default:
		w.strike("signal to nobody")
	}
}

// What comes from outside.
const (
	signalled = "signal"
	updated   = "update"
	cancelled = "cancel"
	suggested = "suggest"
)

func (l *life) receive(in input) {
	in.at = l.stamp()
	l.inbox = append(l.inbox, in)
	switch in.kind {
	case signalled:
		l.env.SignalWorkflow(in.name, in.payload)
	case updated:
		l.env.UpdateWorkflow(in.name, in.request.id, &answer{life: l, request: in.request}, in.payload)
	case cancelled:
		l.env.CancelWorkflow()
	case suggested:
		l.env.SetContinueAsNewSuggested(true)
	}
	l.w.sayf("received %s %s %+v", in.kind, in.name, in.payload)
}

// tap stands between the workflow and its activities.
type tap struct {
	interceptor.WorkerInterceptorBase
	life *life
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (t *tap) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &inbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, t.life}
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	life *life
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outbound{interceptor.WorkflowOutboundInterceptorBase{Next: next}, i.life})
}

type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	life *life
}

// ExecuteActivity hands an activity to the simulated server. The environment
// would run it on a goroutine and in real time.
func (o *outbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	options := workflow.GetActivityOptions(ctx)
	return o.life.call(ctx, &call{
		name: name, scheduleToStart: options.ScheduleToStartTimeout, startToClose: options.StartToCloseTimeout,
		scheduleToClose: options.ScheduleToCloseTimeout, heartbeat: options.HeartbeatTimeout, retry: options.RetryPolicy,
	}, args[0])
}

// ExecuteLocalActivity is the same for a local one.
func (o *outbound) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	options := workflow.GetLocalActivityOptions(ctx)
	return o.life.call(ctx, &call{
		name: name, local: true, startToClose: options.StartToCloseTimeout,
		scheduleToClose: options.ScheduleToCloseTimeout, retry: options.RetryPolicy,
	}, args[0])
}

// silence is a logger.
type silence struct{}

func (silence) Debug(string, ...any)            {}
func (silence) Info(string, ...any)             {}
func (silence) Warn(string, ...any)             {}
func (silence) Error(string, ...any)            {}
func (s silence) With(...any) log.Logger        { return s }
func (s silence) WithCallerSkip(int) log.Logger { return s }
