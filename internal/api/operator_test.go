package api_test

import (
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/api"
	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

func state(r reply, scope string) string {
	for _, s := range r.body["states"].([]any) {
		if s := s.(map[string]any); s["scope"] == scope {
			return s["state"].(string)
		}
	}
	return ""
}

func TestAnOperatorStopsAndResumesTradingWithTemporalDown(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.temporal.down = errors.New("unavailable")
	olga := d.in(view.Operator, "olga", account)
	for _, c := range []struct {
		path  string
		body  map[string]any
		scope string
		want  string
	}{
		{"halt", map[string]any{"reason": "fear"}, account, "HALTED"},
		{"resume", map[string]any{"reason": "calm", "account": account}, account, "ACTIVE"},
		{"halt", map[string]any{"reason": "fear", "reducing": true}, account, "REDUCING"},
		{"halt", map[string]any{"reason": "fear", "account": account}, account, "HALTED"},
		{"halt", map[string]any{"reason": "fear", "all": true}, "*", "HALTED"},
		{"resume", map[string]any{"reason": "calm", "all": true}, "*", "ACTIVE"},
	} {
		r := d.send("POST", "/api/trading/"+c.path, c.body, olga...)
		require.Equal(t, 200, r.status, r.text)
		require.Equal(t, c.want, state(r, c.scope), r.text)
		require.Equal(t, r.text, d.send("GET", "/api/trading/state", nil).text)
	}
	states, err := d.owner.TradingStates(ctx)
	require.NoError(t, err)
	require.Equal(t, []any{"olga", "calm"}, []any{states[0].Actor, states[0].Reason})
	require.Equal(t, 6, d.rows(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'trading.state' AND actor = 'olga'
		AND body->'verified'->>'user' = 'olga' AND body->'verified'->>'role' = 'operator' AND body->'verified'->>'proof' = 'token'`))
}

func TestAnOperatorHasEveryOpenOrderCancelledAndReadsWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	olga := d.in(view.Operator, "olga", account)
	halt := func(body map[string]any) reply {
		body["reason"] = "fear"
		return d.send("POST", "/api/trading/halt", body, olga...)
	}
	require.Equal(t, 404, d.send("GET", "/api/trading/cancel-open", nil, olga...).status)
	require.Equal(t, 400, halt(map[string]any{"cancelOpen": true, "reducing": true}).status)
	r := halt(map[string]any{"cancelOpen": true})
	require.Equal(t, 200, r.status, r.text)
	require.Equal(t, "HALTED", state(r, account))
	r = d.send("GET", "/api/trading/cancel-open", nil, olga...)
	require.Equal(t, []any{"waiting", "olga", "fear"}, []any{r.body["state"], r.body["actor"], r.body["reason"]})

	c, err := d.owner.TakeCancelOpen(ctx, account, "worker", time.Minute)
	require.NoError(t, err)
	order := trade.CancelledOrder{Market: "BTC-EUR", OrderID: "o1", ProposalID: "p", Result: trade.CancelOpenCancelled, Status: "canceled", FilledAmount: decimal.RequireFromString("0.001")}
	require.NoError(t, d.owner.NoteCancelled(ctx, *c, order))
	_, err = d.owner.ConcludeCancelOpen(ctx, *c, []trade.Obstacle{{ProposalID: "q", Why: "it may still appear"}})
	require.NoError(t, err)
	r = d.send("GET", "/api/trading/cancel-open", nil, olga...)
	require.Equal(t, "under way", r.body["state"])
	require.Contains(t, r.text, `"filledAmount":"0.001"`)
	require.Contains(t, r.text, `"why":"it may still appear"`)
	require.Equal(t, 409, d.send("POST", "/api/trading/resume", map[string]any{"reason": "calm"}, olga...).status)

	_, err = d.owner.ConcludeCancelOpen(ctx, *c, nil)
	require.NoError(t, err)
	require.Equal(t, "complete", d.send("GET", "/api/trading/cancel-open", nil, olga...).body["state"])
	require.Equal(t, 200, d.send("POST", "/api/trading/resume", map[string]any{"reason": "calm"}, olga...).status)

	require.Equal(t, 200, halt(map[string]any{"cancelOpen": true, "all": true}).status, "the only account")
	d.account("other")
	require.Equal(t, 403, halt(map[string]any{"cancelOpen": true, "all": true}).status, "others' orders are not theirs to cancel")
}

func TestStoppingNeverLetsAnythingTradeMore(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	olga := d.in(view.Operator, "olga", account)
	for _, all := range []bool{false, true} {
		require.Equal(t, 200, d.send("POST", "/api/trading/halt", map[string]any{"reason": "fear", "all": all}, olga...).status)
		r := d.send("POST", "/api/trading/halt", map[string]any{"reason": "less fear", "all": all, "reducing": true}, olga...)
		require.Equal(t, 409, r.status, r.text)
		require.Equal(t, "TRADING_STATE_CONFLICT", r.code())
	}
	r := d.send("GET", "/api/trading/state", nil)
	require.Equal(t, []string{"HALTED", "HALTED"}, []string{state(r, "*"), state(r, account)})
}

func TestAnOperatorLetsNoOtherAccountTrade(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.account("other")
	olga := d.in(view.Operator, "olga", account)
	require.Equal(t, 200, d.send("POST", "/api/trading/halt", map[string]any{"reason": "fear", "all": true}, olga...).status, "anybody in control may stop all")
	for _, body := range []map[string]any{{"reason": "calm", "all": true}, {"reason": "calm", "account": "other"}, {"reason": "calm", "account": "nowhere"}} {
		r := d.send("POST", "/api/trading/resume", body, olga...)
		require.Equal(t, 403, r.status, r.text)
	}
	require.Equal(t, 403, d.send("POST", "/api/trading/halt", map[string]any{"reason": "fear", "account": "other"}, olga...).status)
	r := d.send("GET", "/api/trading/state", nil, olga...)
	require.Equal(t, []string{"HALTED", "ACTIVE", ""}, []string{state(r, "*"), state(r, account), state(r, "other")}, "another account is not shown")
	for _, body := range []map[string]any{{}, {"reason": " "}, {"reason": "r", "all": true, "account": account}} {
		require.Equal(t, 400, d.send("POST", "/api/trading/resume", body, olga...).status)
	}
	require.Contains(t, d.log.String(), "msg=refused status=403")
}

func TestAnOperatorReadsTheThingsOfEveryUserOfTheAccountAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	d := worldFor(t)
	d.thing("annas")
	bert := d.as("bert", account)
	require.Equal(t, 201, d.send("POST", "/api/trading/proposals", body("berts"), bert...).status)
	olga := d.in(view.Operator, "olga", account)
	ids := func(r reply) (ids []any) {
		for _, p := range r.body["proposals"].([]any) {
			ids = append(ids, p.(map[string]any)["id"])
		}
		return ids
	}
	require.Equal(t, []any{"berts", "annas"}, ids(d.send("GET", "/api/trading/proposals", nil, olga...)))
	require.Equal(t, []any{"annas"}, ids(d.send("GET", "/api/trading/proposals?userId=anna", nil, olga...)))
	require.Equal(t, []any{"annas"}, ids(d.send("GET", "/api/trading/proposals?userId=anna", nil)), "one's own may be named")
	require.Len(t, d.send("GET", "/api/trading/scans?userId=anna", nil, olga...).body["scans"], 1)
	require.Equal(t, 200, d.send("GET", "/api/trading/policy?userId=anna", nil, olga...).status)
	require.Equal(t, 404, d.send("GET", "/api/trading/policy", nil, olga...).status, "an operator's own")
	for _, path := range []string{"/api/trading/proposals", "/api/trading/scans", "/api/trading/policy"} {
		for _, who := range [][]string{bert, d.in(view.Viewer, "bert", account)} {
			r := d.send("GET", path+"?userId=anna", nil, who...)
			require.Equal(t, []any{403, "FORBIDDEN"}, []any{r.status, r.code()}, path)
			require.Equal(t, r.text, d.send("GET", path+"?userId=nobody", nil, who...).text, "nor does it tell who exists")
		}
	}
	d.account("other")
	elsewhere := d.in(view.Operator, "olga", "other")
	require.Empty(t, d.send("GET", "/api/trading/proposals?userId=anna", nil, elsewhere...).body["proposals"])
	require.Equal(t, 404, d.send("GET", "/api/trading/proposals/annas/audit", nil, elsewhere...).status)
}

func TestTheAuditTellsWhomTheAPIVerified(t *testing.T) {
	t.Parallel()
	d := worldFor(t)
	d.thing("p")
	olga := d.in(view.Operator, "olga", account)
	require.Equal(t, 200, d.send("POST", "/api/trading/execute", map[string]any{"proposalId": "p"}, olga...).status)
	require.Equal(t, 200, d.send("POST", "/api/trading/proposals/p/cancel", map[string]any{"reason": "enough"}).status)
	r := d.send("GET", "/api/trading/proposals/p/audit", nil)
	require.Equal(t, 200, r.status, r.text)
	var told [][3]any
	for _, e := range r.body["events"].([]any) {
		e := e.(map[string]any)
		body := e["body"].(map[string]any)
		verified, _ := body["verified"].(map[string]any)
		require.NotEmpty(t, e["says"])
		require.NotEmpty(t, verified["token"])
		told = append(told, [3]any{e["kind"], verified["user"], verified["role"]})
	}
	require.Equal(t, [][3]any{
		{"proposal.stored", "anna", "trader"}, {"override.stored", "anna", "trader"}, {"person.asked", "olga", "operator"}, {"person.asked", "anna", "trader"},
	}, told)
	require.Contains(t, r.text, "olga, whom the API had verified as operator by a token, asked to execute it")
	require.NotContains(t, r.text, d.token)
}

func TestAWordOnAnOrderIsWeighedAndRecorded(t *testing.T) {
	t.Parallel()
	d := worldFor(t)
	d.thing("p")
	olga := d.in(view.Operator, "olga", account)
	var heard workflows.ResolveRequest
	answer, fault := workflows.ResolveResult{Accepted: true, Status: trade.Executing}, error(nil)
	d.temporal.resolving = func(_ string, req workflows.ResolveRequest) (workflows.ResolveResult, error) {
		heard = req
		return answer, fault
	}
	word := map[string]any{"orderId": "7", "reason": "seen in the web page"}
	r := d.send("POST", "/api/trading/proposals/p/resolve", word, olga...)
	require.Equal(t, 200, r.status, r.text)
	require.Equal(t, workflows.ResolveRequest{OrderID: "7", Actor: "olga", Reason: "seen in the web page"}, heard)

	answer = workflows.ResolveResult{Problem: "the proposal is PENDING, not UNRESOLVED", Status: trade.Pending}
	r = d.send("POST", "/api/trading/proposals/p/resolve", word, olga...)
	require.Equal(t, []any{409, "RESOLVE_REFUSED", "PENDING"}, []any{r.status, r.code(), r.body["proposalStatus"]})
	fault = errors.New("unavailable")
	require.Equal(t, 503, d.send("POST", "/api/trading/proposals/p/resolve", word, olga...).status)
	fault = &api.Rejection{Code: "ACTOR_REQUIRED", Message: "actor: say who asks"}
	require.Equal(t, 400, d.send("POST", "/api/trading/proposals/p/resolve", word, olga...).status)
	for _, bad := range []map[string]any{{"orderId": "7"}, {"reason": "r"}, {"orderId": "7", "absent": true, "reason": "r"}} {
		require.Equal(t, 400, d.send("POST", "/api/trading/proposals/p/resolve", bad, olga...).status)
	}
	require.Equal(t, 4, d.rows(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'person.asked' AND body->>'act' = 'resolve' AND body->'verified'->>'user' = 'olga'`))
}

func TestAClearedBudgetNoLongerCounts(t *testing.T) {
	t.Parallel()
	d := worldFor(t)
	olga := d.in(view.Operator, "olga", account)
	require.Equal(t, 200, d.send("POST", "/api/trading/budgets/anna/clear", map[string]any{"reason": "a new day"}, olga...).status)
	require.Equal(t, 1, d.rows(`SELECT count(*) FROM interlock.budget_clearances WHERE user_id = 'anna' AND actor = 'olga' AND reason = 'a new day'`))
	require.Equal(t, 1, d.rows(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'budget.cleared' AND body->'verified'->>'user' = 'olga'`))
	for _, user := range []string{"nobody", "a%20b", "olga"} {
		require.Equal(t, 404, d.send("POST", "/api/trading/budgets/"+user+"/clear", map[string]any{"reason": "r"}, olga...).status)
	}
	require.Equal(t, 400, d.send("POST", "/api/trading/budgets/anna/clear", map[string]any{"reason": " "}, olga...).status)
}
