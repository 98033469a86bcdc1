package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"interlock/internal/config"
	"interlock/workflows"
)

// engine is what Temporal said.
type engine struct {
	client       client.Client // nil when it was not reached
	err          error
	namespace    error
	retention    time.Duration
	attributes   map[string]enums.IndexedValueType
	attributeErr error
	queues       []queue
	schedules    []schedule
}

// queue is a task queue and who polls it.
type queue struct {
	name    string
	kind    enums.TaskQueueType
	hosted  config.Role
	pollers int           // that asked for work lately
	silent  time.Duration // since the last one asked; of pollers that are still listed
	listed  int
	err     error
}

// schedule is a schedule that must be there.
type schedule struct {
	id     string
	paused bool // as its row has it: a pause that is wanted
	is     *client.ScheduleDescription
	err    error
}

func (s Subject) dial(ctx context.Context) (e engine) {
	options := s.Temporal
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	if e.client, e.err = client.DialContext(ctx, options); e.err != nil {
		e.client = nil
		return e
	}
	about, err := e.client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: options.Namespace})
	if e.namespace = err; err != nil {
		return e
	}
	e.retention = about.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	if s.hosts(config.Proposals) || s.Role == config.Operator {
		list, err := e.client.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: options.Namespace})
		e.attributes, e.attributeErr = list.GetCustomAttributes(), err
	}
	e.queues = s.queues()
	for i := range e.queues {
		e.queues[i].read(ctx, e.client)
	}
	return e
}

func (e *engine) close() {
	if e.client != nil {
		e.client.Close()
	}
}

// queues are those that the role polls, or, for who polls none, waits for.
func (s Subject) queues() []queue {
	workflow, activity := enums.TASK_QUEUE_TYPE_WORKFLOW, enums.TASK_QUEUE_TYPE_ACTIVITY
	var list []queue
	if s.hosts(config.Proposals) || s.Role == config.APIRole || s.Role == config.Operator {
		list = append(list, queue{name: workflows.ProposalsQueue, kind: workflow, hosted: config.Proposals})
	}
	if s.hosts(config.Proposals) {
		list = append(list, queue{name: workflows.UpkeepQueue, kind: activity, hosted: config.Proposals},
			queue{name: workflows.NotifyQueue, kind: activity, hosted: config.Proposals})
	}
	if s.hosts(config.Orders) {
		list = append(list, queue{name: workflows.OrdersQueue(s.Account), kind: activity, hosted: config.Orders},
			queue{name: workflows.FollowQueue(s.Account), kind: activity, hosted: config.Orders})
	}
	if s.hosts(config.Scans) {
		list = append(list, queue{name: workflows.ScansQueueOf(s.Account), kind: activity, hosted: config.Scans})
	}
	return list
}

// fresh is longer than a worker waits for work before it asks again. Temporal
// goes on listing those that are gone for some minutes.
const fresh = 75 * time.Second

func (q *queue) read(ctx context.Context, c client.Client) {
	about, err := c.DescribeTaskQueue(ctx, q.name, q.kind)
	if q.err = err; err != nil {
		return
	}
	for i, p := range about.GetPollers() {
		age := max(time.Since(p.GetLastAccessTime().AsTime()), 0)
		if q.listed++; i == 0 || age < q.silent {
			q.silent = age
		}
		if age < fresh {
			q.pollers++
		}
	}
}

// schedules are those of the role, as the rows have them.
func (s Subject) schedules(db records) []schedule {
	var list []schedule
	if s.hosts(config.Proposals) {
		list = append(list, schedule{id: workflows.SweepID}, schedule{id: workflows.NotifyID})
	}
	if s.hosts(config.Orders) {
		list = append(list, schedule{id: workflows.ReconcileID(s.Account)})
	}
	for _, job := range db.jobs {
		list = append(list, schedule{id: workflows.ScanID(job.ID), paused: job.Paused})
	}
	return list
}

func (e *engine) readSchedules(ctx context.Context, wanted []schedule) {
	e.schedules = wanted
	if e.client == nil || e.namespace != nil {
		return
	}
	for i := range e.schedules {
		w := &e.schedules[i]
		w.is, w.err = e.client.ScheduleClient().GetHandle(ctx, w.id).Describe(ctx)
	}
}

func (s Subject) judgeEngine(r *report, e engine, db records) {
	switch {
	case e.err != nil:
		r.add("Temporal", Fail, fmt.Sprintf("%s does not answer: %v", s.Temporal.HostPort, e.err), "start Temporal, or correct TEMPORAL_ADDRESS, TEMPORAL_API_KEY and TEMPORAL_TLS_*")
	default:
		r.okf("Temporal", "%s answers", s.Temporal.HostPort)
	}
	if !s.judgeNamespace(r, e) {
		s.blindInTemporal(r)
		return
	}
	s.judgeAttributes(r, e)
	for _, q := range e.queues {
		judgeQueue(r, q)
	}
	if db.jobsErr != nil {
		r.blind("schedule", fmt.Sprintf("the scan jobs could not be read: %v", db.jobsErr), "mend the database, the schema and the grants first")
	}
	for _, w := range e.schedules {
		judgeSchedule(r, w)
	}
	if s.Role == config.Scans && db.err == nil && db.jobsErr == nil && len(db.jobs) == 0 {
		r.okf("schedule", "there are no scan jobs on account %s", s.Account)
	}
}

func (s Subject) blindInTemporal(r *report) {
	checks := []string{"workers"}
	if s.hosts(config.Proposals) || s.Role == config.Operator {
		checks = append([]string{"attributes"}, checks...)
	}
	if s.Role != config.APIRole && s.Role != config.Operator {
		checks = append(checks, "schedule")
	}
	for _, check := range checks {
		r.blind(check, "Temporal or its namespace does not answer", "mend Temporal first")
	}
}

// shortRetention is the least that lets a person look at yesterday.
const shortRetention = 24 * time.Hour

func (s Subject) judgeNamespace(r *report, e engine) (usable bool) {
	const check = "namespace"
	var missing *serviceerror.NamespaceNotFound
	switch {
	case e.err != nil:
		r.blind(check, "Temporal does not answer", "mend Temporal first")
	case errors.As(e.namespace, &missing):
		r.add(check, Fail, s.Temporal.Namespace+" does not exist", fmt.Sprintf(`run "temporal operator namespace create --namespace %s --retention 7d", or correct TEMPORAL_NAMESPACE`, s.Temporal.Namespace))
	case e.namespace != nil:
		r.add(check, Fail, s.Temporal.Namespace+": "+e.namespace.Error(), "correct TEMPORAL_NAMESPACE and the credentials for it")
	case e.retention < shortRetention:
		r.add(check, Warn, fmt.Sprintf("%s keeps what is over for %s only", s.Temporal.Namespace, e.retention), fmt.Sprintf(`run "temporal operator namespace update --namespace %s --retention 7d"; a trade rests on the database either way`, s.Temporal.Namespace))
		return true
	default:
		r.okf(check, "%s keeps what is over for %s", s.Temporal.Namespace, e.retention)
		return true
	}
	return false
}

func (s Subject) judgeAttributes(r *report, e engine) {
	const check = "attributes"
	if !s.hosts(config.Proposals) && s.Role != config.Operator {
		return
	}
	if e.attributeErr != nil {
		r.blind(check, e.attributeErr.Error(), "look at them with: temporal operator search-attribute list")
		return
	}
	wanted, sound := workflows.SearchAttributes(), true
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		switch is, there := e.attributes[name]; {
		case !there:
			sound = false
			r.add(check, Fail, name+" is not registered: a workflow that sets it stands still", fmt.Sprintf(`run "temporal operator search-attribute create --name %s --type %s", or start worker --role proposals`, name, wanted[name]))
		case is.String() != wanted[name]:
			sound = false
			r.add(check, Fail, fmt.Sprintf("%s is a %s and must be a %s", name, is, wanted[name]), "use a namespace of its own for Interlock, or remove the attribute and register it anew")
		}
	}
	if sound {
		r.okf(check, "%d search attributes are registered", len(wanted))
	}
}

func judgeQueue(r *report, q queue) {
	const check = "workers"
	name := q.name
	if q.kind == enums.TASK_QUEUE_TYPE_WORKFLOW {
		name += " (workflows)"
	}
	start := fmt.Sprintf(`start "worker --role %s", and look at its log`, q.hosted)
	switch {
	case q.err != nil:
		r.blind(check, name+": "+q.err.Error(), "look at it with: temporal task-queue describe --task-queue "+q.name)
	case q.pollers > 0:
		r.okf(check, "%d poll %s", q.pollers, name)
	case q.listed > 0:
		r.add(check, Fail, fmt.Sprintf("nobody has polled %s for %s", name, q.silent.Round(time.Second)), start)
	default:
		r.add(check, Fail, "nobody polls "+name, start)
	}
}

func judgeSchedule(r *report, w schedule) {
	const check = "schedule"
	var missing *serviceerror.NotFound
	switch {
	case errors.As(w.err, &missing):
		r.add(check, Fail, w.id+" is missing", "start the role's worker: it makes the schedule at start and every 15 s")
	case w.err != nil:
		r.blind(check, w.id+": "+w.err.Error(), "look at it with: temporal schedule describe --schedule-id "+w.id)
	case w.is.Schedule.State != nil && w.is.Schedule.State.Paused && w.paused:
		r.okf(check, "%s is paused, and so is its job", w.id)
	case w.is.Schedule.State != nil && w.is.Schedule.State.Paused:
		r.add(check, Fail, w.id+" is paused: "+w.is.Schedule.State.Note, "run \"temporal schedule toggle --unpause --reason … --schedule-id "+w.id+"\"; for a scan: starter scan resume")
	case w.paused:
		r.add(check, Warn, w.id+" runs, and its job is paused", "start worker --role scans: it pauses the schedule")
	default:
		r.okf(check, "%s is due", w.id)
	}
}
