package workflows

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
	"interlock/internal/trade"
)

func TestMain(m *testing.M) { devtest.Main(m) }

var record = flag.Bool("record", false, "record the histories that are not stored yet (make history)")

const historyDir = "testdata/history"

// path is one way through a workflow. Its stored history must replay on every
// later version of the code.
type path struct {
	name    string
	prepare func(b *bench)
	drive   func(t *testing.T, l live)
}

// proposalPaths is every path through Proposal. A new one gets a name here and
// a history by make history; a stored one is never recorded again.
var proposalPaths = []path{
	{"executed", nil, func(t *testing.T, l live) { l.execute(t, ExecuteRequest{Actor: "anna"}) }},
	{"blocked-then-expired", func(b *bench) { b.block = trade.CooldownBlocked; b.lives(3 * time.Second) }, func(t *testing.T, l live) {
		l.execute(t, ExecuteRequest{Actor: "anna"})
	}},
	{"expired", func(b *bench) { b.lives(time.Second) }, func(*testing.T, live) {}},
	{"unknown-then-found", func(b *bench) {
		b.placings = []trade.AttemptResult{unknownReply}
		b.findings = []trade.Finding{inDoubt(time.Second), inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	}, func(t *testing.T, l live) { l.execute(t, ExecuteRequest{Actor: "anna"}) }},
	{"unknown-then-absent", func(b *bench) {
		b.lives(5 * time.Second)
		b.placings = []trade.AttemptResult{unknownReply}
		b.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: trade.AttemptResult{Reply: trade.NotSent, Code: string(trade.OrderAbsent)}}}
	}, func(t *testing.T, l live) { l.execute(t, ExecuteRequest{Actor: "anna"}) }},
	{"unknown-then-resolved", func(b *bench) {
		b.placings = []trade.AttemptResult{unknownReply}
		b.findings = []trade.Finding{inDoubt(time.Hour)}
	}, func(t *testing.T, l live) {
		l.begin(t, ExecuteRequest{Actor: "anna"})
		l.signal(t, ResolveName, ResolveRequest{OrderID: "order-1", Actor: "olga", Reason: "seen"})
	}},
	{"word-repeated", inDoubtForLong, sayTwice},
	{"refused", func(b *bench) {
		b.lives(3 * time.Second)
		b.placings = []trade.AttemptResult{{Reply: trade.Refused, Code: "217"}}
	}, func(t *testing.T, l live) { l.execute(t, ExecuteRequest{Actor: "anna"}) }},
	{"unsent-then-executed", func(b *bench) {
		b.placings = []trade.AttemptResult{{Reply: trade.NotSent, Code: "105"}, accepted(filled)}
	}, func(t *testing.T, l live) { l.execute(t, ExecuteRequest{Actor: "anna"}) }},
	{"resumed-by-looking", func(b *bench) {
		claim := *b.claim()
		claim.NextAttempt, claim.Untried = 2, false
		b.life.Claim, b.life.InDoubt, b.life.Proposal.Status = &claim, 1, trade.Unresolved
		b.findings = []trade.Finding{inDoubt(time.Second), {Concluded: true, Result: accepted(filled)}}
	}, func(*testing.T, live) {}},
	{"cancelled", nil, func(t *testing.T, l live) { l.signal(t, CancelSignal, CancelRequest{Actor: "anna", Reason: "news"}) }},
	{"cancelled-by-temporal", nil, func(t *testing.T, l live) { require.NoError(t, l.CancelWorkflow(context.Background(), l.id, "")) }},
	{"open-order-cancelled", openThenEnded, func(t *testing.T, l live) {
		l.begin(t, ExecuteRequest{Actor: "anna"})
		l.signal(t, CancelSignal, CancelRequest{Actor: "anna", Reason: "news"})
	}},
	{"limit-order-at-its-end", func(b *bench) {
		openThenEnded(b)
		b.won = func(c *trade.Claim) { c.Plan.TimeInForce, c.Plan.TimeToLive = "GTC", trade.Duration(time.Second) }
	}, func(t *testing.T, l live) { l.execute(t, ExecuteRequest{Actor: "anna"}) }},
	{"given-up-while-claimed", givenUpBeforeSent, func(t *testing.T, l live) {
		l.begin(t, ExecuteRequest{Actor: "anna"})
		l.signal(t, CancelSignal, CancelRequest{Actor: "anna", Reason: "news"})
	}},
	{"override-by-signal", nil, func(t *testing.T, l live) {
		l.signal(t, OverrideName, OverrideRequest{Cooldown: true, Actor: "anna", Reason: "news", Execute: true})
	}},
	{"override-by-update", nil, func(t *testing.T, l live) {
		l.update(t, OverrideName, OverrideRequest{AntiFlip: true, Actor: "anna", Reason: "news"})
		l.signal(t, RefreshSignal, struct{}{})
		l.execute(t, ExecuteRequest{Actor: "anna"})
	}},
}

func openThenEnded(b *bench) {
	ended := openOrder
	ended.Status = "canceled"
	b.placings, b.orders = []trade.AttemptResult{accepted(openOrder)}, []trade.Order{openOrder, ended}
}

// inDoubtForLong is an order of unknown fate that a person knows more of.
func inDoubtForLong(b *bench) {
	b.lives(8 * time.Second)
	b.placings, b.findings = []trade.AttemptResult{unknownReply}, []trade.Finding{inDoubt(time.Hour)}
}

func sayTwice(t *testing.T, l live) {
	l.begin(t, ExecuteRequest{Actor: "anna"})
	for range 2 {
		l.update(t, ResolveName, ResolveRequest{Absent: true, Actor: "olga", Reason: "looked"})
	}
}

// givenUpBeforeSent is a claim that is given up between two attempts.
func givenUpBeforeSent(b *bench) {
	b.lives(6 * time.Second)
	b.placings = []trade.AttemptResult{{Reply: trade.NotSent, Code: "105"}, {Reply: trade.NotSent, Code: string(trade.CancelRequested)}}
}

// older are the stored histories that only code before a change could make.
var older = []string{"proposal-given-up-while-claimed-before.json", "proposal-word-repeated-before.json"}

// lives gives the proposal little time, so that its path ends.
func (b *bench) lives(d time.Duration) { b.life.Proposal.ExpiresAt = time.Now().Add(d) }

func TestEveryStoredHistoryReplays(t *testing.T) {
	histories, err := filepath.Glob(filepath.Join(historyDir, "*.json"))
	require.NoError(t, err)
	require.Len(t, histories, len(proposalPaths)+len(turnedPaths)+len(scanPaths)+2+1+len(older), "run make history")
	for _, name := range older {
		require.Contains(t, histories, filepath.Join(historyDir, name))
	}
	for _, file := range histories {
		t.Run(filepath.Base(file), func(t *testing.T) {
			require.NoError(t, replayer(t).ReplayWorkflowHistoryFromJSONFile(nil, file))
		})
	}
}

// sums lists the hash of every stored history. Lines are only ever added: CI
// looks through all commits for one that was taken away.
const sums = historyDir + "/SHA256SUMS"

func TestNoStoredHistoryHasChangedOrVanished(t *testing.T) {
	text, err := os.ReadFile(sums)
	require.NoError(t, err)
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		hash, name, found := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		require.True(t, found, line)
		require.Equal(t, hash, hashOf(t, name), "%s has changed; a stored history never does", name)
		listed[name] = true
	}
	histories, err := filepath.Glob(filepath.Join(historyDir, "*.json"))
	require.NoError(t, err)
	require.Len(t, listed, len(histories))
	for _, file := range histories {
		require.True(t, listed[filepath.Base(file)], "%s is not in %s: run make history", file, sums)
	}
}

func hashOf(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(historyDir, name))
	require.NoError(t, err, "a stored history has vanished")
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

func replayer(t *testing.T) worker.WorkflowReplayer {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{})
	require.NoError(t, err)
	registerAll(r)
	return r
}

func registerAll(r interface {
	RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions)
}) {
	r.RegisterWorkflowWithOptions(Proposal, workflow.RegisterOptions{Name: ProposalType})
	r.RegisterWorkflowWithOptions(Reconcile, workflow.RegisterOptions{Name: ReconcileType})
	r.RegisterWorkflowWithOptions(Sweep, workflow.RegisterOptions{Name: SweepType})
	r.RegisterWorkflowWithOptions(Scan, workflow.RegisterOptions{Name: ScanType})
	r.RegisterWorkflowWithOptions(Notify, workflow.RegisterOptions{Name: NotifyType})
}

// live is a running workflow on a real server.
type live struct {
	client.Client
	id    string
	bench *bench
}

func (l live) update(t *testing.T, name string, arg any) {
	t.Helper()
	h, err := l.UpdateWorkflow(context.Background(), client.UpdateWorkflowOptions{
		WorkflowID: l.id, UpdateName: name, Args: []any{arg}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, h.Get(context.Background(), nil))
}

func (l live) execute(t *testing.T, req ExecuteRequest) { t.Helper(); l.update(t, ExecuteUpdate, req) }

// begin asks for the execution without waiting for its end.
func (l live) begin(t *testing.T, req ExecuteRequest) {
	t.Helper()
	_, err := l.UpdateWorkflow(context.Background(), client.UpdateWorkflowOptions{
		WorkflowID: l.id, UpdateName: ExecuteUpdate, Args: []any{req}, WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	require.NoError(t, err)
}

func (l live) signal(t *testing.T, name string, arg any) {
	t.Helper()
	require.NoError(t, l.SignalWorkflow(context.Background(), l.id, "", name, arg))
}

func TestEveryPathIsRecorded(t *testing.T) {
	for _, p := range slices.Concat(proposalPaths, turnedPaths) {
		file := filepath.Join(historyDir, "proposal-"+p.name+".json")
		if !missing(t, file) {
			continue
		}
		require.True(t, *record, "%s is not recorded: run make history", file)
		b := newBench(t)
		b.life.Proposal.CreatedAt, b.life.Proposal.ExpiresAt = time.Now(), time.Now().Add(time.Hour)
		if p.prepare != nil {
			p.prepare(b)
		}
		store(t, file, run(t, b, ProposalType, func(l live) { p.drive(t, l) }, b.input))
	}
	for name, args := range map[string][]any{ReconcileType: {"paper"}, SweepType: nil} {
		file := filepath.Join(historyDir, name+".json")
		if missing(t, file) {
			require.True(t, *record, "%s is not recorded: run make history", file)
			store(t, file, run(t, newBench(t), name, func(live) {}, args...))
		}
	}
}

func missing(t *testing.T, file string) bool {
	t.Helper()
	_, err := os.Stat(file)
	return os.IsNotExist(err)
}

// run lives one workflow on a real server, with the misbehaving activities of
// the bench, and returns its history.
func run(t *testing.T, b *bench, workflowType string, drive func(live), args ...any) *history.History {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c := serverOf(t, b).Client(t)
	for _, w := range recorders(c, b) {
		require.NoError(t, w.Start())
		defer w.Stop()
	}
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: b.life.Proposal.ID, TaskQueue: ProposalsQueue}, workflowType, args...)
	require.NoError(t, err)
	first := run.GetRunID()
	drive(live{Client: c, id: run.GetID(), bench: b})
	require.NoError(t, run.Get(ctx, nil))

	var h history.History
	for events := c.GetWorkflowHistory(ctx, run.GetID(), first, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(t, err)
		h.Events = append(h.Events, event)
	}
	return &h
}

// serverOf is a namespace of the shared server, or a server on which runs are
// short.
func serverOf(t *testing.T, b *bench) devtest.Server {
	t.Helper()
	if !b.short {
		return devtest.Namespace(t, SearchAttributes())
	}
	s := devtest.PrivateTemporal(t, devstack.TemporalConfig{
		SearchAttributes: SearchAttributes(), DynamicConfig: map[string]any{"limit.historyCount.suggestContinueAsNew": 30},
	})
	return devtest.Server{Address: s.Address(), Namespace: s.Namespace()}
}

func recorders(c client.Client, b *bench) []worker.Worker {
	main := worker.New(c, ProposalsQueue, worker.Options{})
	registerAll(main)
	main.RegisterActivity(&proposals.Activities{Records: records{b}})
	main.RegisterActivityWithOptions(func(context.Context) (proposals.SweepResult, error) {
		return proposals.SweepResult{Expired: 1}, nil
	}, activity.RegisterOptions{Name: proposals.Sweep})
	place := worker.New(c, OrdersQueue("paper"), worker.Options{})
	place.RegisterActivityWithOptions(b.place, activity.RegisterOptions{Name: orders.PlaceOrder})
	follow := worker.New(c, FollowQueue("paper"), worker.Options{})
	for name, fn := range map[string]any{orders.FindOrder: b.find, orders.ReadOrder: b.read, orders.FollowOrder: b.follow, orders.CancelOrder: b.cancel} {
		follow.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
	follow.RegisterActivityWithOptions(func(context.Context) (orders.ReconcileResult, error) {
		return orders.ReconcileResult{Orders: 1}, nil
	}, activity.RegisterOptions{Name: orders.Reconcile})
	return []worker.Worker{main, place, follow}
}

func store(t *testing.T, file string, h *history.History) {
	t.Helper()
	text, err := protojson.MarshalOptions{Indent: " "}.Marshal(h)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(historyDir, 0o755))
	require.NoError(t, os.WriteFile(file, append(text, '\n'), 0o600))
	list, err := os.OpenFile(sums, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer list.Close()
	_, err = fmt.Fprintf(list, "%s  %s\n", hashOf(t, filepath.Base(file)), filepath.Base(file))
	require.NoError(t, err)
}
