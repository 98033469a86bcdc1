package api_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

func TestProposalIsCreatedOnceAndReturnedAfterwards(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	first := d.send("POST", "/api/trading/proposals", body("p"))
	require.Equal(t, 201, first.status, first.text)
	require.Equal(t, "PENDING", first.body["status"])
	require.Equal(t, "BTC-EUR", first.body["market"])
	require.Equal(t, "buy", first.body["side"])
	require.Equal(t, "market", first.body["orderType"])
	require.Equal(t, "0.001", first.body["amount"])
	require.Equal(t, "anna", first.body["userId"])
	again := body("p")
	again["market"], again["side"], again["amount"] = "BTC-EUR", "buy", "0.00100"
	second := d.send("POST", "/api/trading/proposals", again)
	require.Equal(t, 200, second.status)
	require.Equal(t, first.body["createdAt"], second.body["createdAt"])
	require.Equal(t, []string{"p"}, d.temporal.started)

	again["amount"] = "0.002"
	other := d.send("POST", "/api/trading/proposals", again)
	require.Equal(t, 409, other.status)
	require.Equal(t, "PROPOSAL_CONFLICT", other.code())
	unseen, err := d.owner.UnseenProposals(ctx, time.Hour, 10)
	require.NoError(t, err)
	require.Empty(t, unseen, "its workflow was started and seen")
}

func TestFiftyCreatesOfOneProposalStoreOne(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	statuses := make(chan int, 50)
	for range cap(statuses) {
		go func() { statuses <- d.send("POST", "/api/trading/proposals", body("p")).status }()
	}
	got := map[int]int{}
	for range cap(statuses) {
		got[<-statuses]++
	}
	require.Equal(t, map[int]int{201: 1, 200: 49}, got)
	require.Len(t, d.temporal.started, 1)
}

func TestWrongFieldsAreAllNamedWithTheFix(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	with := func(change map[string]any) map[string]any {
		b := body("p")
		for k, v := range change {
			b[k] = v
			if v == nil {
				delete(b, k)
			}
		}
		return b
	}
	for _, c := range []struct {
		change map[string]any
		want   []string
	}{
		{map[string]any{"amount": 0.001}, []string{"body.amount", "must be a string", "0.25"}},
		{map[string]any{"amount": "1e3"}, []string{"body.amount", "must be a decimal number"}},
		{map[string]any{"amount": "-1", "confidence": "1.5", "market": "bitcoin", "side": "hold"}, []string{"body.amount", "body.confidence", "body.market", "body.side"}},
		{map[string]any{"amount": "x", "confidence": "NaN"}, []string{"body.amount", "body.confidence"}},
		{map[string]any{"amountQuote": "50"}, []string{"either amount"}},
		{map[string]any{"amount": nil}, []string{"either amount"}},
		{map[string]any{"orderType": "limit"}, []string{"body.price", "needs one"}},
		{map[string]any{"orderType": "stop"}, []string{"body.orderType"}},
		{map[string]any{"id": "a b"}, []string{"body.id"}},
		{map[string]any{"id": nil, "market": nil}, []string{"body.id: is missing", "body.market: is missing"}},
		{map[string]any{"userId": "bert"}, []string{"userId"}},
		{map[string]any{"status": "EXECUTED"}, []string{"status"}},
		{map[string]any{"expiresAt": "tomorrow"}, []string{"expiresAt"}},
		{map[string]any{"expiresAt": "9999-12-31T23:59:59-12:00"}, []string{"body.expiresAt", "at most a year"}},
		{map[string]any{"expiresAt": "0000-01-01T00:00:00Z"}, []string{"body.expiresAt"}},
		{map[string]any{"rationale": "a\x00b"}, []string{"body.rationale"}},
	} {
		r := d.send("POST", "/api/trading/proposals", with(c.change))
		require.Equal(t, 400, r.status, "%v: %s", c.change, r.text)
		require.Equal(t, "INVALID_REQUEST", r.code())
		require.NotEmpty(t, r.body["errors"], "%v", c.change)
		for _, part := range c.want {
			require.Contains(t, r.text, part, "%v", c.change)
		}
	}
	require.Empty(t, d.send("GET", "/api/trading/proposals", nil).body["proposals"])
}

func TestNewProposalWhoseTimeIsOverIsRefusedAndAnOldOneIsStillThere(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	b := body("p")
	b["expiresAt"] = d.now.Add(time.Second).Format(time.RFC3339)
	require.Equal(t, 201, d.send("POST", "/api/trading/proposals", b).status)
	d.now = d.now.Add(time.Hour)
	require.Equal(t, 200, d.send("POST", "/api/trading/proposals", b).status, "the same request again")
	b["id"] = "q"
	r := d.send("POST", "/api/trading/proposals", b)
	require.Equal(t, 400, r.status)
	require.Contains(t, r.body["message"], "body.expiresAt: ")
	require.Contains(t, r.body["message"], "give a later time")
	require.Equal(t, 404, d.send("GET", "/api/trading/proposals/q", nil).status)
}

func TestLimitOrderIsStoredAsItWasGiven(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	r := d.send("POST", "/api/trading/proposals", map[string]any{
		"id": "p", "market": "BTC-EUR", "side": "sell", "orderType": "limit", "amount": "0.5", "price": "80000.10", "expectedPrice": "79000",
		"rationale": "<b>ü & \"quotes\"</b>", "source": "test", "expiresAt": d.now.Add(time.Minute).Format(time.RFC3339Nano),
	})
	require.Equal(t, 201, r.status, r.text)
	for field, want := range map[string]string{
		"orderType": "limit", "price": "80000.1", "expectedPrice": "79000", "rationale": "<b>ü & \"quotes\"</b>", "source": "test",
	} {
		require.Equal(t, want, r.body[field])
	}
	read := d.send("GET", "/api/trading/proposals/p", nil)
	require.Equal(t, r.body["expiresAt"], read.body["expiresAt"])
	require.Equal(t, "0.5", read.body["amount"])
}

func TestListIsPagedFilteredAndOnlyOnes(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for i := range 5 {
		d.propose(fmt.Sprintf("p-%d", i))
	}
	d.set("p-2", trade.Cancelled)
	var seen []string
	path := "/api/trading/proposals?limit=2"
	for pages := 0; pages < 5; pages++ {
		r := d.send("GET", path, nil)
		for _, p := range r.body["proposals"].([]any) {
			seen = append(seen, p.(map[string]any)["id"].(string))
		}
		next, more := r.body["next"].(string)
		if !more {
			break
		}
		path = "/api/trading/proposals?limit=2&before=" + next
	}
	require.Equal(t, []string{"p-4", "p-3", "p-2", "p-1", "p-0"}, seen)
	r := d.send("GET", "/api/trading/proposals?status=CANCELLED", nil)
	require.Len(t, r.body["proposals"], 1)
	for _, query := range []string{"status=GONE", "limit=0", "limit=501", "limit=x", "before=a%20b", "before=%00"} {
		require.Equal(t, 400, d.send("GET", "/api/trading/proposals?"+query, nil).status, query)
	}
}

func TestProposalShowsItsBlocksAndItsExecution(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.propose("p")
	d.claim("p", "r-1", workflows.ExecuteRequest{Actor: "anna"})
	r := d.send("GET", "/api/trading/proposals/p", nil)
	require.Contains(t, r.text, `"blocks":[{"code":"POLICY_MISSING"`)
	require.Nil(t, r.body["execution"])

	d.tradable()
	require.NotNil(t, d.claim("p", "r-2", workflows.ExecuteRequest{Actor: "anna"}).Claim)
	r = d.send("GET", "/api/trading/proposals/p", nil)
	require.Equal(t, "EXECUTING", r.body["status"])
	require.Nil(t, r.body["blocks"])
	execution := r.body["execution"].(map[string]any)
	require.Equal(t, "r-2", execution["requestId"])
	require.EqualValues(t, 0, execution["attempts"])
	require.EqualValues(t, 1, r.body["policyVersion"])
}

func TestCancelClosesOrIsRememberedOrComesTooLate(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.tradable()
	d.temporal.cancelling = func(id string, req workflows.CancelRequest) error {
		_, err := d.owner.Cancel(ctx, id, req.Actor, req.Reason)
		return err
	}
	ask := func(id string) reply {
		return d.send("POST", "/api/trading/proposals/"+id+"/cancel", map[string]any{"reason": "enough"})
	}
	d.propose("free")
	for range 2 {
		r := ask("free")
		require.Equal(t, 200, r.status, r.text)
		require.Equal(t, "CANCELLED", r.body["status"])
		require.Equal(t, "anna", r.body["cancelledBy"])
	}
	require.Equal(t, []workflows.CancelRequest{{Actor: "anna", Reason: "enough"}}, d.temporal.cancels)
	require.Equal(t, 410, d.execute("free").status)

	d.propose("claimed")
	require.NotNil(t, d.claim("claimed", "r", workflows.ExecuteRequest{Actor: "anna"}).Claim)
	r := ask("claimed")
	require.Equal(t, 202, r.status, r.text)
	require.Equal(t, "EXECUTING", r.body["status"])
	require.Equal(t, "enough", r.body["cancelReason"])

	d.propose("executed")
	d.set("executed", trade.Executed)
	require.Equal(t, 409, ask("executed").status)
	d.propose("expired")
	d.set("expired", trade.Expired)
	require.Equal(t, 410, ask("expired").status)
	require.Equal(t, 400, d.send("POST", "/api/trading/proposals/expired/cancel", map[string]any{"reason": " "}).status)
}

func TestAnOverrideIsKeptInTheNameOfWhomTheTokenSpeaksFor(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.tradable()
	d.propose("p")
	ask := func(body map[string]any) reply { return d.send("POST", "/api/trading/proposals/p/override", body) }
	r := ask(map[string]any{"cooldown": true, "reason": "news", "expiresAt": d.now.Add(time.Hour).Format(time.RFC3339)})
	require.Equal(t, 200, r.status, r.text)
	require.Nil(t, r.body["execute"])
	d.answering(workflows.ExecuteResult{Status: trade.Pending, Blocks: blocks(trade.AllowlistEmpty)}, nil)
	r = ask(map[string]any{"id": "mine", "checks": []string{"ANTI_FLIP_BLOCKED"}, "reason": "news", "execute": true})
	require.Equal(t, 200, r.status, r.text)
	require.Equal(t, "mine", r.body["overrideId"])
	require.Contains(t, r.text, "ALLOWLIST_EMPTY")
	require.Equal(t, workflows.ExecuteRequest{Actor: "anna", NotAfter: d.now.Add(30 * time.Second)}, d.temporal.executes[0])
	r = d.send("GET", "/api/trading/proposals/p/overrides", nil)
	require.Equal(t, 200, r.status, r.text)
	list, _ := r.body["overrides"].([]any)
	require.Len(t, list, 2)
	first, _ := list[0].(map[string]any)
	require.Equal(t, []any{"anna", true, "api", "80000", d.now.Add(time.Hour).Format(time.RFC3339)},
		[]any{first["actor"], first["verified"], first["via"], first["referencePrice"], first["expiresAt"]})

	for _, body := range []map[string]any{
		{"cooldown": true}, {"cooldown": true, "reason": ""}, {"reason": "news"}, {"cooldown": true, "reason": "news", "actor": "eve"},
		{"cooldown": true, "reason": "news", "id": "a b"}, {"cooldown": true, "reason": "news", "expiresAt": "9999-01-01T00:00:00Z"},
	} {
		require.Equal(t, 400, ask(body).status, "%v", body)
	}
	r = ask(map[string]any{"checks": []string{"DAILY_LIMIT_REACHED"}, "reason": "news"})
	require.Equal(t, []any{400, "OVERRIDE_REFUSED"}, []any{r.status, r.code()})
	require.Contains(t, r.text, "DAILY_LIMIT_REACHED")
	r = ask(map[string]any{"id": "mine", "cooldown": true, "reason": "news"})
	require.Equal(t, "OVERRIDE_REFUSED", r.code(), "the ID is another's")
	require.Len(t, d.overrides("p"), 2)

	d.answering(workflows.ExecuteResult{}, errors.New("down"))
	require.Equal(t, 503, ask(map[string]any{"cooldown": true, "reason": "down", "execute": true}).status)
	d.set("p", trade.Executed)
	require.Equal(t, 409, ask(map[string]any{"cooldown": true, "reason": "news"}).status)
}

func (d *door) overrides(id string) []view.Override {
	d.t.Helper()
	list, err := d.owner.Overrides(ctx, id)
	require.NoError(d.t, err)
	return list
}

func TestNobodyConfirmsTheirOwnOverride(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.tradable()
	d.propose("p")
	require.Equal(t, 200, d.send("POST", "/api/trading/proposals/p/override", map[string]any{"id": "o1", "cooldown": true, "reason": "news"}).status)
	const path = "/api/trading/proposals/p/overrides/o1/confirm"
	for _, header := range [][]string{nil, d.as("anna", account)} {
		r := d.send("POST", path, map[string]any{"reason": "me too"}, header...)
		require.Equal(t, []any{409, "OVERRIDE_REFUSED"}, []any{r.status, r.code()}, "another token is the same person")
	}
	require.Equal(t, 404, d.send("POST", path, map[string]any{"reason": "me too"}, d.as("bert", account)...).status, "another user does not see it")
	require.Equal(t, 404, d.send("POST", "/api/trading/proposals/p/overrides/o2/confirm", map[string]any{"reason": "me too"}).status)
	require.Equal(t, 400, d.send("POST", path, map[string]any{"reason": " "}).status)
	require.Empty(t, d.overrides("p")[0].ConfirmedBy)
}
