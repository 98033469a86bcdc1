package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"interlock/internal/devstack/devtest"
	"interlock/internal/notify"
	"interlock/internal/outbox"
	"interlock/internal/postgres"
	"interlock/internal/secret"
	"interlock/internal/trade"
	"interlock/migrations"
	"interlock/workflows"
)

// ear is a webhook's receiver. It notes what arrives, and answers as a test
// wants it to.
type ear struct {
	*httptest.Server
	t   *testing.T
	key secret.Text

	mu     sync.Mutex
	heard  []outbox.Event
	answer func(http.ResponseWriter, outbox.Event) // nil: takes everything
}

func newEar(t *testing.T) *ear {
	t.Helper()
	e := &ear{t: t, key: notify.NewSigningKey()}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(func() { e.CloseClientConnections(); e.Close() })
	return e
}

func (e *ear) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var told outbox.Event
	if err != nil || json.Unmarshal(body, &told) != nil || r.Header.Get(notify.EventHeader) != fmt.Sprint(told.ID) ||
		r.Header.Get(notify.SignatureHeader) != notify.Sign(e.key, r.Header.Get(notify.TimestampHeader), body) {
		e.t.Errorf("not an event of ours: %v %s", err, body)
		return
	}
	e.mu.Lock()
	e.heard = append(e.heard, told)
	answer := e.answer
	e.mu.Unlock()
	if answer != nil {
		answer(w, told)
	}
}

func (e *ear) answers(how func(http.ResponseWriter, outbox.Event)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = how
}

// of are the IDs that arrived about a proposal, in their order.
func (e *ear) of(proposal string) (ids []int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, told := range e.heard {
		if told.ProposalID == proposal {
			ids = append(ids, told.ID)
		}
	}
	return ids
}

// muted is a stack without workers whose trading is halted, so that whatever
// is asked is blocked, and told.
func muted(t *testing.T) *stack {
	t.Helper()
	s := newGround(t, devtest.Database(t, migrations.Up), devtest.Namespace(t, workflows.SearchAttributes()))
	require.NoError(t, s.owner.SetTradingState(ctx, account, trade.Halted, "olga", "test"))
	return s
}

// tells lets an ear hear what is blocked.
func (s *stack) tells(rule string, e *ear, kinds ...outbox.Kind) {
	s.t.Helper()
	require.NoError(s.t, s.owner.AddRule(ctx, outbox.Rule{ID: rule, AccountID: account, Kinds: kinds, Service: notify.Webhook, Shown: "…"},
		outbox.Target{Service: notify.Webhook, Address: secret.Text(e.URL + "/hook-" + rule), SigningKey: e.key}, "olga"))
}

// blocks asks for a proposal several times and returns the IDs of its events.
func (s *stack) blocks(proposal string, times int) (ids []int64) {
	s.t.Helper()
	s.propose(proposal)
	for range times {
		_, err := s.owner.Preflight(ctx, trade.Request{ID: uuid.NewString(), ProposalID: proposal, Actor: "anna", Via: "update"})
		require.NoError(s.t, err)
	}
	events, err := s.owner.Events(ctx, account, "", 0, 1000)
	require.NoError(s.t, err)
	for _, e := range events {
		if e.ProposalID == proposal && e.Kind == outbox.Blocked {
			ids = append(ids, e.ID)
		}
	}
	require.Len(s.t, ids, times)
	return ids
}

// inOrder leaves the first arrival of each.
func inOrder(ids []int64) (first []int64) {
	for _, id := range ids {
		if !slices.Contains(first, id) {
			first = append(first, id)
		}
	}
	return first
}

// killing is a step of the notifier at which its worker dies.
type killing struct {
	at    string
	after bool
	again bool // the struck event has arrived already, and arrives once more
	fails bool // its service refuses the struck event the first time
}

// TestANotifierKilledAtAnyStepLosesNothingAndKeepsTheOrder kills the worker at
// the second of three events of a proposal; at looking for what is due, the
// second time it looks.
func TestANotifierKilledAtAnyStepLosesNothingAndKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for _, k := range []killing{
		{at: "DueRules/due"}, {at: "DueRules/due", after: true},
		{at: "Deliver/take"}, {at: "Deliver/take", after: true}, {at: "Deliver/send"}, {at: "Deliver/send", after: true, again: true},
		{at: "Deliver/delivered", again: true}, {at: "Deliver/delivered", after: true},
		{at: "Deliver/failed", again: true, fails: true}, {at: "Deliver/failed", after: true, again: true, fails: true},
	} {
		t.Run(fmt.Sprintf("%s after=%t", k.at, k.after), func(t *testing.T) {
			t.Parallel()
			k.prove(t)
		})
	}
}

func (k killing) prove(t *testing.T) {
	s, e, dir := muted(t), newEar(t), t.TempDir()
	s.tells("r", e, outbox.Blocked)
	want := s.blocks("p", 3)
	nth := 2
	if k.fails {
		refused := failOnce(func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) })
		nth = 1
		e.answers(func(w http.ResponseWriter, told outbox.Event) {
			if told.ID == want[1] {
				refused(w, told)
			}
		})
	}
	s.startStruck("struck", strike{Role: "proposals", At: k.at, After: k.after, Nth: nth, Dir: dir})
	s.eventually("the worker falls", func() bool {
		_, err := os.Stat(filepath.Join(dir, struckFile))
		return err == nil
	})
	s.start("heir", "proposals")
	s.eventually("everything is told and written down", func() bool { return s.open("r") == 0 })
	require.Equal(t, want, inOrder(e.of("p")))
	if k.at == "DueRules/due" {
		require.LessOrEqual(t, len(e.of("p")), 4) // it falls beside a delivery
		return
	}
	require.Equal(t, k.again, len(e.of("p")) == 4, e.of("p"))
}

// open is how many events a rule is still to be told.
func (s *stack) open(rule string) int {
	s.t.Helper()
	rules, err := s.owner.Rules(ctx)
	require.NoError(s.t, err)
	for _, r := range rules {
		if r.ID == rule {
			return r.Open
		}
	}
	s.t.Fatalf("no rule %s", rule)
	return 0
}

func TestServicesThatHangBreakOffOrFailHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	s := muted(t)
	well, hangs, failing, cut := newEar(t), newEar(t), newEar(t), newEar(t)
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	hangs.answers(func(http.ResponseWriter, outbox.Event) { <-released })
	failing.answers(failOnce(func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }))
	cut.answers(failOnce(func(w http.ResponseWriter) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	for name, e := range map[string]*ear{"well": well, "hangs": hangs, "failing": failing, "cut": cut} {
		s.tells(name, e, outbox.Blocked)
	}
	s.start("proposals", "proposals")
	want := s.blocks("p", 3)
	s.eventually("the well one hears all", func() bool { return len(well.of("p")) == 3 })
	s.eventually("the one that hangs is asked too", func() bool { return len(hangs.of("p")) > 0 })
	require.Equal(t, want[:1], inOrder(hangs.of("p")), "and waited for")
	for name, e := range map[string]*ear{"failing": failing, "cut": cut} {
		s.eventually(name+" hears all", func() bool { return s.open(name) == 0 })
		require.Equal(t, want, inOrder(e.of("p")), name)
		require.Len(t, e.of("p"), 6, "%s: each once more", name)
	}
	s.eventually("the one that hangs is given time", func() bool {
		rules, err := s.owner.Rules(ctx)
		return err == nil && slices.ContainsFunc(rules, func(r postgres.RuleState) bool { return r.ID == "hangs" && r.LastError != "" })
	})
	s.holdsNoSecret("/hook-", string(well.key), string(hangs.key))
}

// failOnce fails every event the first time.
func failOnce(fail func(http.ResponseWriter)) func(http.ResponseWriter, outbox.Event) {
	var mu sync.Mutex
	failed := map[int64]bool{}
	return func(w http.ResponseWriter, told outbox.Event) {
		mu.Lock()
		defer mu.Unlock()
		if !failed[told.ID] {
			failed[told.ID] = true
			fail(w)
		}
	}
}

// holdsNoSecret looks through the histories of the notifier, every table but
// the rules', and what the store's errors and views say.
func (s *stack) holdsNoSecret(secrets ...string) {
	s.t.Helper()
	var text strings.Builder
	rules, err := s.owner.Rules(ctx)
	require.NoError(s.t, err)
	fmt.Fprintf(&text, "%+v", rules)
	rows, err := s.pool.Query(ctx, `SELECT row_to_json(d)::text FROM interlock.deliveries d UNION ALL SELECT row_to_json(o)::text FROM interlock.outbox o
		UNION ALL SELECT row_to_json(a)::text FROM interlock.audit_events a`)
	require.NoError(s.t, err)
	for rows.Next() {
		var line string
		require.NoError(s.t, rows.Scan(&line))
		text.WriteString(line)
	}
	text.WriteString(s.notifyHistories())
	require.Contains(s.t, text.String(), "DueRules")
	for _, secret := range secrets {
		require.NotContains(s.t, text.String(), secret)
	}
}

func (s *stack) notifyHistories() string {
	s.t.Helper()
	var text strings.Builder
	list, err := s.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.server.Namespace, Query: "WorkflowType = 'Notify'",
	})
	require.NoError(s.t, err)
	for _, run := range list.GetExecutions() {
		for events := s.temporal.GetWorkflowHistory(ctx, run.GetExecution().GetWorkflowId(), run.GetExecution().GetRunId(), false,
			enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			e, err := events.Next()
			require.NoError(s.t, err)
			text.WriteString(e.String())
		}
	}
	return text.String()
}
