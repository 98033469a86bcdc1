package api_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"interlock/internal/api"
	"interlock/internal/trade"
	"interlock/workflows"
)

var order = &workflows.OrderView{OrderID: "o-1", Status: "filled", FilledAmount: "0.001", FilledAmountQuote: "80", FeePaid: "0.2", FeeCurrency: "EUR"}

func blocks(codes ...trade.Code) []trade.Block {
	var list []trade.Block
	for _, code := range codes {
		list = append(list, trade.Block{Code: code, Message: "because of " + string(code)})
	}
	return list
}

func failure(code trade.Code, exchange string) *workflows.FailureView {
	return &workflows.FailureView{Code: code, ExchangeCode: exchange, Message: "it says"}
}

func TestEveryOutcomeHasItsStatus(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.propose("p")
	for _, c := range []struct {
		name   string
		result workflows.ExecuteResult
		status int
		code   string
	}{
		{"executed by this request", workflows.ExecuteResult{Status: trade.Executed, Claimed: true, Order: order}, 200, ""},
		{"executed by this request, nothing filled", workflows.ExecuteResult{Status: trade.Executed, Claimed: true}, 200, ""},
		{"still open", workflows.ExecuteResult{Status: trade.Executing, Claimed: true}, 202, ""},
		{"unknown", workflows.ExecuteResult{Status: trade.Unresolved, Claimed: true}, 202, ""},
		{"another has it", workflows.ExecuteResult{Status: trade.Executing}, 409, "PROPOSAL_CLOSED"},
		{"another's is unknown", workflows.ExecuteResult{Status: trade.Unresolved}, 409, "PROPOSAL_CLOSED"},
		{"another executed it", workflows.ExecuteResult{Status: trade.Executed, Order: order}, 409, "PROPOSAL_CLOSED"},
		{"expired meanwhile", workflows.ExecuteResult{Status: trade.Expired}, 410, "PROPOSAL_EXPIRED"},
		{"cancelled meanwhile", workflows.ExecuteResult{Status: trade.Cancelled}, 410, "PROPOSAL_CANCELLED"},
		{"blocked", workflows.ExecuteResult{Status: trade.Pending, Blocks: blocks(trade.CooldownBlocked, trade.HourlyLimitReached)}, 400, "COOLDOWN_BLOCKED"},
		{"blocked after a failure", workflows.ExecuteResult{Status: trade.Failed, Blocks: blocks(trade.AllowlistEmpty), Failure: failure(trade.ExchangeRefused, "205")}, 400, "ALLOWLIST_EMPTY"},
		{"closed in preflight", workflows.ExecuteResult{Status: trade.Pending, Blocks: blocks(trade.ProposalClosed)}, 409, "PROPOSAL_CLOSED"},
		{"past expiry", workflows.ExecuteResult{Status: trade.Pending, Blocks: blocks(trade.PolicyMissing, trade.ProposalExpired)}, 410, "PROPOSAL_EXPIRED"},
		{"too late on the way", workflows.ExecuteResult{Status: trade.Pending, Blocks: blocks(trade.RequestTooLate)}, 503, "REQUEST_TOO_LATE"},
		{"refused by the exchange", workflows.ExecuteResult{Status: trade.Failed, Claimed: true, Failure: failure(trade.ExchangeRefused, "205")}, 422, "EXCHANGE_REFUSED"},
		{"never sent", workflows.ExecuteResult{Status: trade.Failed, Claimed: true, Failure: failure(trade.ExchangeUnavailable, "105")}, 503, "EXCHANGE_UNAVAILABLE"},
		{"found absent", workflows.ExecuteResult{Status: trade.Failed, Claimed: true, Failure: failure(trade.OrderAbsent, "")}, 503, "ORDER_ABSENT"},
		{"halted before the attempt", workflows.ExecuteResult{Status: trade.Failed, Claimed: true, Failure: failure(trade.TradingHalted, "")}, 400, "TRADING_HALTED"},
		{"price ran away", workflows.ExecuteResult{Status: trade.Failed, Claimed: true, Failure: failure(trade.PriceOutsideCollar, "")}, 400, "PRICE_OUTSIDE_COLLAR"},
		{"cancelled before the attempt", workflows.ExecuteResult{Status: trade.Failed, Claimed: true, Failure: failure(trade.CancelRequested, "")}, 410, "CANCEL_REQUESTED"},
		{"expired before the attempt", workflows.ExecuteResult{Status: trade.Expired, Claimed: true, Failure: failure(trade.ProposalExpired, "")}, 410, "PROPOSAL_EXPIRED"},
		{"says nothing", workflows.ExecuteResult{Status: trade.Pending}, 503, "WORKFLOWS_UNAVAILABLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.answering(c.result, nil)
			r := d.execute("p")
			require.Equal(t, c.status, r.status, r.text)
			require.Equal(t, c.code, r.code(), r.text)
			if c.result.Order != nil {
				require.Contains(t, r.text, `"orderId":"o-1"`)
			}
			if c.result.Failure != nil && c.result.Claimed && c.result.Failure.ExchangeCode != "" {
				require.Equal(t, c.result.Failure.ExchangeCode, r.body["exchangeCode"])
			}
			if n := len(c.result.Blocks); n > 0 {
				require.Len(t, r.body["blocks"], n)
			}
		})
	}
	d.server.Close() // counting follows the answer
	require.Equal(t, 1, d.count.blocks[trade.HourlyLimitReached])
	require.Equal(t, 1, d.count.blocks[trade.TradingHalted])
	require.Equal(t, 2, d.count.statuses[202])
}

func TestClosedProposalIsAnsweredWithoutItsWorkflow(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for status, want := range map[trade.Status]int{
		trade.Executing: 409, trade.Unresolved: 409, trade.Executed: 409, trade.Expired: 410, trade.Cancelled: 410,
	} {
		id := string(status)
		d.propose(id)
		d.set(id, status)
		r := d.execute(id)
		require.Equal(t, want, r.status, r.text)
		require.Equal(t, id, r.body["proposalStatus"])
	}
	require.Empty(t, d.temporal.executes)
}

func TestFailedProposalMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.propose("p")
	d.set("p", trade.Failed)
	d.answering(workflows.ExecuteResult{Status: trade.Executed, Claimed: true, Order: order}, nil)
	require.Equal(t, 200, d.execute("p").status)
}

func TestExecuteCarriesWhoAsksAndHowLongItCounts(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.propose("p")
	d.answering(workflows.ExecuteResult{Status: trade.Executed, Claimed: true}, nil)
	for range 2 {
		r := d.send("POST", "/api/trading/execute", map[string]any{
			"proposalId": "p", "overrideCooldown": true, "overrideAntiFlip": true, "reason": "news", "side": "Buy",
		})
		require.Equal(t, 200, r.status, r.text)
		require.Equal(t, d.temporal.ids[len(d.temporal.ids)-1], r.body["requestId"])
	}
	require.Equal(t, workflows.ExecuteRequest{Actor: "anna", Reason: "news", NotAfter: d.now.Add(30 * time.Second)}, d.temporal.executes[0],
		"what is permitted goes through the records, where it is known who was verified")
	kept, err := d.owner.Overrides(ctx, "p")
	require.NoError(t, err)
	require.Len(t, kept, 2)
	require.Equal(t, []any{d.temporal.ids[0], true, true, true, "anna"}, []any{kept[0].RequestID, kept[0].Cooldown, kept[0].AntiFlip, kept[0].Verified, kept[0].Identity})
	require.NoError(t, uuid.Validate(d.temporal.ids[0]))
	require.NotEqual(t, d.temporal.ids[0], d.temporal.ids[1])
}

func TestWrongRequestsReachNobody(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.propose("p")
	for _, c := range []struct {
		body   map[string]any
		status int
		code   string
	}{
		{map[string]any{"proposalId": "p", "overrideCooldown": true}, 400, "OVERRIDE_REASON_REQUIRED"},
		{map[string]any{"proposalId": "p", "overrideAntiFlip": true, "reason": " \n"}, 400, "OVERRIDE_REASON_REQUIRED"},
		{map[string]any{"proposalId": "p", "side": "sell"}, 400, "SIDE_MISMATCH"},
		{map[string]any{"proposalId": "p", "side": "hold"}, 400, "INVALID_REQUEST"},
		{map[string]any{"proposalId": "none"}, 404, "NOT_FOUND"},
		{map[string]any{"proposalId": "a/b \x00"}, 400, "INVALID_REQUEST"},
		{map[string]any{"proposalId": ""}, 400, "INVALID_REQUEST"},
		{map[string]any{"proposal": "p"}, 400, "INVALID_REQUEST"},
		{map[string]any{"proposalId": "p", "force": true}, 400, "INVALID_REQUEST"},
		{map[string]any{"proposalId": "p", "overrideCooldown": "yes"}, 400, "INVALID_REQUEST"},
		{map[string]any{"proposalId": "p", "PROPOSALID": "q"}, 400, "INVALID_REQUEST"},
	} {
		r := d.send("POST", "/api/trading/execute", c.body)
		require.Equal(t, c.status, r.status, "%v: %s", c.body, r.text)
		require.Equal(t, c.code, r.code(), "%v", c.body)
	}
	require.Empty(t, d.temporal.executes)
}

func TestWorkflowsRejectionIsTheUsersMistake(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.propose("p")
	d.answering(workflows.ExecuteResult{}, fmt.Errorf("execute: %w", &api.Rejection{Code: "OVERRIDE_REASON_REQUIRED", Message: "reason: an override needs one"}))
	r := d.execute("p")
	require.Equal(t, 400, r.status)
	require.Equal(t, "OVERRIDE_REASON_REQUIRED", r.code())
}

// The workflow's answer is lost in each; what happened before differs.
func TestLostAnswerIsLookedUpInTheRecords(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.tradable()
	lost := errors.New("connection reset")
	refuse := func(c trade.Claim) {
		_, _, err := d.owner.BeginAttempt(ctx, c.Ref(), c.NextAttempt, d.now.Add(time.Minute), "test")
		require.NoError(t, err)
		require.NoError(t, d.owner.RecordReply(ctx, c.Ref(), c.NextAttempt, trade.AttemptResult{Reply: trade.Refused, Code: "205", Message: "no"}, "test"))
		_, err = d.owner.FailExecution(ctx, c.Ref(), c.NextAttempt)
		require.NoError(t, err)
	}
	record := func(c trade.Claim) {
		o := trade.Order{OrderID: "o-" + c.ProposalID, ClientOrderID: c.ClientOrderID.String(), Market: c.Plan.Market, Side: c.Plan.Side, Status: "filled", UpdatedAt: d.now}
		_, _, err := d.owner.BeginAttempt(ctx, c.Ref(), 1, d.now.Add(time.Minute), "test")
		require.NoError(t, err)
		require.NoError(t, d.owner.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
		_, err = d.owner.RecordOrder(ctx, c.Ref())
		require.NoError(t, err)
	}
	for _, c := range []struct {
		name   string
		before func(id, updateID string, req workflows.ExecuteRequest)
		status int
		code   string
	}{
		{"not-claimed", func(string, string, workflows.ExecuteRequest) {}, 503, "WORKFLOWS_UNAVAILABLE"},
		{"claimed", func(id, updateID string, req workflows.ExecuteRequest) { d.claim(id, updateID, req) }, 202, ""},
		{"claimed-by-another", func(id, _ string, req workflows.ExecuteRequest) { d.claim(id, "another", req) }, 409, "PROPOSAL_CLOSED"},
		{"executed", func(id, updateID string, req workflows.ExecuteRequest) {
			record(*d.claim(id, updateID, req).Claim)
		}, 200, ""},
		{"refused", func(id, updateID string, req workflows.ExecuteRequest) {
			refuse(*d.claim(id, updateID, req).Claim)
		}, 422, "EXCHANGE_REFUSED"},
		{"another-was-refused", func(id, _ string, req workflows.ExecuteRequest) {
			refuse(*d.claim(id, "another", req).Claim)
		}, 503, "WORKFLOWS_UNAVAILABLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			execute(t, d.url, `TRUNCATE interlock.trade_history`)
			execute(t, d.url, `UPDATE interlock.trade_executions SET status = 'FAILED', ended_at = clock_timestamp()`)
			d.propose(c.name)
			d.temporal.execute = func(_ context.Context, id, updateID string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
				c.before(id, updateID, req)
				return workflows.ExecuteResult{}, lost
			}
			r := d.execute(c.name)
			require.Equal(t, c.status, r.status, r.text)
			require.Equal(t, c.code, r.code(), r.text)
			if c.status == 503 {
				require.Equal(t, d.now.Add(30*time.Second).Format(time.RFC3339), r.body["notAfter"])
			}
			require.NotContains(t, r.text, "connection reset")
		})
	}
}

func TestWorkflowThatHangsIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(cfg *api.Config) { cfg.Patience = time.Second })
	d.propose("p")
	var asked atomic.Bool
	d.temporal.execute = func(ctx context.Context, _, _ string, _ workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
		asked.Store(true)
		<-ctx.Done() // without an end of its own, there is no answer
		return workflows.ExecuteResult{}, ctx.Err()
	}
	r := d.execute("p")
	for !asked.Load() && r.status == 503 { // the time was over before
		r = d.execute("p")
	}
	require.Equal(t, 503, r.status)
	require.Contains(t, r.body["message"], "never trades")
}

func TestFiftyExecutesAtOnceClaimOnce(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.tradable()
	d.propose("p")
	ended := make(chan struct{})
	var inFlight, most int
	var mu sync.Mutex
	d.temporal.execute = func(_ context.Context, id, updateID string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
		mu.Lock()
		inFlight++
		most = max(most, inFlight)
		mu.Unlock()
		defer func() { mu.Lock(); inFlight--; mu.Unlock() }()
		decision := d.claim(id, updateID, req)
		if decision.Claim != nil {
			<-ended // the exchange takes its time
		}
		return workflows.ExecuteResult{Status: trade.Executing, Claimed: decision.Claim != nil}, nil
	}
	statuses := make(chan int, 50)
	for range cap(statuses) {
		go func() { statuses <- d.execute("p").status }()
	}
	got := map[int]int{}
	for range cap(statuses) - 1 {
		got[<-statuses]++
	}
	close(ended)
	got[<-statuses]++
	require.Equal(t, map[int]int{202: 1, 409: 49}, got)
	require.LessOrEqual(t, most, 4)
}
