package postgres

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func proposal(id string) trade.Proposal {
	amount, confidence := dec("0.0010"), dec("0.9")
	return trade.Proposal{
		ID: id, UserID: "anna", AccountID: account, Market: "BTC/EUR", Side: "BUY", OrderType: trade.MarketOrder,
		Amount: &amount, Confidence: &confidence, Rationale: "it goes up", Source: "test",
	}
}

func TestProposalIsStoredOnceAmongRivals(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	created := make([]bool, 20)
	errs := make([]error, len(created))
	rivals(len(created), func(i int) { _, created[i], errs[i] = d.InsertProposal(ctx, proposal("p"), "anna") })
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, countTrue(created))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'proposal.stored'`))
}

func TestStoredProposalIsNormalHasItsPolicyAndAnHour(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.policy("anna", cooling)
	p, created, err := d.as(APIRole).InsertProposal(ctx, proposal("p"), "anna")
	require.NoError(t, err)
	require.True(t, created)
	require.EqualValues(t, "BTC-EUR", p.Market)
	require.Equal(t, trade.Buy, p.Side)
	require.Equal(t, trade.Pending, p.Status)
	require.Equal(t, 2, p.PolicyVersion)
	require.WithinDuration(t, p.CreatedAt.Add(time.Hour), p.ExpiresAt, time.Minute)
	require.Equal(t, "0.001", p.Amount.String())
}

// A story has a beginning whoever stored the proposal, and only one.
func TestEveryStoredProposalIsToldOnceWhoeverStoresIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.as(APIRole)
	const insert = `INSERT INTO interlock.trade_proposals
		(id, user_id, account_id, market, side, order_type, amount, price, expected_price, confidence, rationale, source)
		VALUES ($1, 'anna', 'paper', 'BTC/EUR', 'BUY', 'limit', 0.00100, 80000.50, 80001, 0.90, 'it "goes" up', 'another')`
	_, err := other.pool.Exec(ctx, insert, "p")
	require.NoError(t, err)
	events, err := d.AuditOf(ctx, "p")
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, "proposal.stored", events[0].Kind)
	require.Equal(t, "database login "+other.pool.Config().ConnConfig.User, events[0].Actor)
	body, err := json.Marshal(d.life("p").Proposal)
	require.NoError(t, err)
	var told trade.Proposal
	require.NoError(t, json.Unmarshal(events[0].Body, &told))
	again, err := json.Marshal(told)
	require.NoError(t, err)
	require.JSONEq(t, string(body), string(again), "as what this program stores is told")

	_, _, err = other.InsertProposal(ctx, proposal("q"), "anna")
	require.NoError(t, err)
	events, err = d.AuditOf(ctx, "q")
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, "anna", events[0].Actor)

	undone := d.held()
	_, err = undone.Exec(ctx, insert, "r")
	require.NoError(t, err)
	require.NoError(t, undone.Rollback(ctx))
	events, err = d.AuditOf(ctx, "r")
	require.NoError(t, err)
	require.Empty(t, events)
}

func TestSameProposalAgainReturnsWhatHasBecomeOfIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p := proposal("p")
	p.ExpiresAt = time.Now().Add(time.Hour).In(time.FixedZone("", 3600))
	_, _, err := d.InsertProposal(ctx, p, "anna")
	require.NoError(t, err)
	_, err = d.Cancel(ctx, "p", "anna", "changed my mind")
	require.NoError(t, err)

	longer := dec("0.00100000")
	p.Amount, p.Market, p.Side = &longer, "BTC-EUR", trade.Buy
	stored, created, err := d.InsertProposal(ctx, p, "anna")
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, trade.Cancelled, stored.Status)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'proposal.stored'`))
}

func TestAnotherBodyUnderTheSameIDConflicts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.exec(`INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('other', 'paper', 'u')`)
	_, _, err := d.InsertProposal(ctx, proposal("p"), "anna")
	require.NoError(t, err)
	two := dec("0.002")
	for name, change := range map[string]func(p *trade.Proposal){
		"user":        func(p *trade.Proposal) { p.UserID = "bert" },
		"account":     func(p *trade.Proposal) { p.AccountID = "other" },
		"market":      func(p *trade.Proposal) { p.Market = "ETH-EUR" },
		"side":        func(p *trade.Proposal) { p.Side = trade.Sell },
		"order type":  func(p *trade.Proposal) { p.OrderType, p.Price = trade.LimitOrder, &two },
		"amount":      func(p *trade.Proposal) { p.Amount = &two },
		"in quote":    func(p *trade.Proposal) { p.Amount, p.AmountQuote = nil, p.Amount },
		"expectation": func(p *trade.Proposal) { p.ExpectedPrice = &two },
		"confidence":  func(p *trade.Proposal) { p.Confidence = nil },
		"rationale":   func(p *trade.Proposal) { p.Rationale += "." },
		"source":      func(p *trade.Proposal) { p.Source += "." },
		"expiry":      func(p *trade.Proposal) { p.ExpiresAt = time.Now().Add(time.Minute) },
	} {
		p := proposal("p")
		change(&p)
		stored, created, err := d.InsertProposal(ctx, p, "anna")
		require.ErrorIs(t, err, ErrConflict, name)
		require.NotContains(t, err.Error(), "it goes up")
		require.Zero(t, stored, name)
		require.False(t, created, name)
	}
}

func TestProposalThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, change := range map[string]func(p *trade.Proposal){
		"id":         func(p *trade.Proposal) { p.ID = "a/b" },
		"account":    func(p *trade.Proposal) { p.AccountID = "nowhere" },
		"no amount":  func(p *trade.Proposal) { p.Amount = nil },
		"confidence": func(p *trade.Proposal) { c := dec("1.1"); p.Confidence = &c },
		"negative":   func(p *trade.Proposal) { c := dec("-1"); p.Amount = &c },
		"huge":       func(p *trade.Proposal) { c := decimal.New(1, 100000); p.Amount = &c },
		"nul":        func(p *trade.Proposal) { p.Rationale = "\x00" },
	} {
		p := proposal("p")
		change(&p)
		_, _, err := d.InsertProposal(ctx, p, "anna")
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.trade_proposals`))
}

func TestViewShowsALifeInFull(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	api := d.as(APIRole)
	view := func() ProposalView {
		t.Helper()
		v, err := api.Proposal(ctx, "p")
		require.NoError(t, err)
		return v
	}
	_, err := api.Proposal(ctx, "p")
	require.ErrorIs(t, err, ErrNotFound)

	_, _, err = d.InsertProposal(ctx, proposal("p"), "anna")
	require.NoError(t, err)
	require.Nil(t, view().Execution)
	require.Nil(t, view().Failure)
	require.Empty(t, view().Blocks)

	d.policy("anna", func(p *trade.Policy) { p.Allowlist = nil })
	d.ask("p")
	require.Equal(t, trade.AllowlistEmpty, view().Blocks[0].Code)

	d.policy("anna")
	c := *d.ask("p").Claim
	v := view()
	require.Empty(t, v.Blocks)
	require.Equal(t, trade.Executing, v.Execution.Status)
	require.Equal(t, c.RequestID, v.Execution.RequestID)
	require.Equal(t, c.ClientOrderID, v.Execution.ClientOrderID)

	require.Nil(t, d.begin(c, 1))
	d.look(c, trade.Inconclusive, time.Time{})
	v = view()
	require.Equal(t, []int{1, 1, 1}, []int{v.Execution.Attempts, v.Execution.Looks, v.Execution.InDoubt})
	require.NotNil(t, v.Execution.DoubtUntil)
	require.NotNil(t, v.Execution.LastLook)

	o := orderOf(c, "o-1", "filled")
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	require.Equal(t, "o-1", view().Execution.OrderID)
	d.record(c, o)
	v = view()
	require.Equal(t, trade.Executed, v.Status)
	require.EqualValues(t, "filled", v.Execution.OrderStatus)
	require.Equal(t, "80", v.Execution.FilledAmountQuote.String())
	require.Equal(t, "EUR", v.Execution.FeeCurrency)
	require.NotNil(t, v.Execution.EndedAt)
	require.Zero(t, v.Execution.InDoubt)
}

func TestViewShowsWhyItFailedAndWhoGaveUp(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	failure := trade.Failure{Code: trade.ExchangeRefused, ExchangeCode: "205", Message: "no"}
	require.Nil(t, d.begin(c, 1))
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Refused, Code: "205", Message: "no"}, "test"))
	require.Equal(t, trade.Failed, d.fail(c))
	v, err := d.Store.Proposal(ctx, "p")
	require.NoError(t, err)
	require.Equal(t, &failure, v.Failure)
	_, err = d.Cancel(ctx, "p", "anna", "enough")
	require.NoError(t, err)
	v, err = d.Store.Proposal(ctx, "p")
	require.NoError(t, err)
	require.Equal(t, []string{"anna", "enough"}, []string{v.CancelledBy, v.CancelReason})
}

func TestListsAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 7 {
		_, _, err := d.InsertProposal(ctx, proposal(fmt.Sprintf("p-%d", i)), "anna")
		require.NoError(t, err)
	}
	// One statement, one created_at: a page may end between equal times.
	d.exec(`UPDATE interlock.trade_proposals SET created_at = now()`)
	stranger := proposal("stranger")
	stranger.UserID = "bert"
	_, _, err := d.InsertProposal(ctx, stranger, "bert")
	require.NoError(t, err)
	_, err = d.Cancel(ctx, "p-3", "anna", "enough")
	require.NoError(t, err)

	var seen []string
	for before := ""; ; before = seen[len(seen)-1] {
		page, err := d.Proposals(ctx, ProposalFilter{UserID: "anna", AccountID: account, Limit: 3, Before: before})
		require.NoError(t, err)
		for _, v := range page {
			seen = append(seen, v.ID)
		}
		if len(page) < 3 {
			break
		}
	}
	require.Equal(t, []string{"p-6", "p-5", "p-4", "p-3", "p-2", "p-1", "p-0"}, seen)
	for _, c := range []struct {
		filter ProposalFilter
		want   int
	}{
		{ProposalFilter{}, 8}, {ProposalFilter{UserID: "bert"}, 1}, {ProposalFilter{Status: trade.Cancelled}, 1},
		{ProposalFilter{AccountID: "nowhere"}, 0}, {ProposalFilter{Before: "none"}, 0},
		{ProposalFilter{UserID: "anna", Before: "stranger"}, 0}, {ProposalFilter{Limit: 2}, 2},
	} {
		list, err := d.Proposals(ctx, c.filter)
		require.NoError(t, err)
		require.Len(t, list, c.want, "%+v", c.filter)
	}
}
