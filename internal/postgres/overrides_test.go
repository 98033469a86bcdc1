package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func fourEyes(value string) func(*trade.Policy) {
	return func(p *trade.Policy) {
		cooling(p)
		p.FourEyes = &trade.AmountLimit{Value: dec(value)}
	}
}

func given(id, proposal, identity string) trade.Override {
	return trade.Override{
		ID: id, ProposalID: proposal, Cooldown: true, Actor: "anna", Reason: "news", Verified: identity != "", Identity: identity,
	}
}

// cooled is a desk where p would trade but for the cooldown.
func cooled(t *testing.T, policy func(*trade.Policy)) desk {
	t.Helper()
	d := newDesk(t, policy)
	d.exec(`INSERT INTO interlock.trade_history (user_id, asset, side, executed_at) VALUES ('anna', 'BTC', 'buy', now() - interval '30 min')`)
	d.propose("p", trade.Buy)
	return d
}

func (d desk) overrideByAPI(o trade.Override) string {
	d.t.Helper()
	problem, err := d.as(APIRole).StoreOverride(ctx, o, ViaAPI)
	require.NoError(d.t, err)
	return problem
}

func (d desk) confirm(id, identity string) string {
	d.t.Helper()
	problem, err := d.as(APIRole).ConfirmOverride(ctx, "p", id, identity, "I agree")
	require.NoError(d.t, err)
	return problem
}

func TestAnOverrideHoldsUnderThePolicyAndThePriceItWasGivenUnder(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(desk){
		"another policy": func(d desk) {
			d.policy("anna", func(p *trade.Policy) { cooling(p); p.MinConfidence = trade.Fraction{Decimal: dec("0.1")} })
		},
		"another price": func(d desk) { d.price("BTC-EUR", "85000") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := cooled(t, cooling)
			require.Empty(t, d.overrideByAPI(given("o1", "p", "anna")))
			change(d)
			require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("p").Verdict))
			require.Empty(t, d.overrideByAPI(given("o2", "p", "anna")), "given again it holds")
			require.NotNil(t, d.ask("p").Claim)
		})
	}
}

func TestFourEyesNeedASecondVerifiedPersonWhateverTheDoor(t *testing.T) {
	t.Parallel()
	d := cooled(t, fourEyes("50"))
	require.Empty(t, d.overrideByAPI(given("o1", "p", "anna")))
	require.Empty(t, d.override(given("signalled", "p", "")))
	blocked := []trade.Code{trade.CooldownBlocked}
	require.Equal(t, blocked, codes(d.ask("p").Verdict), "one person alone")
	require.Contains(t, d.confirm("o1", "anna"), "a second person")
	require.Equal(t, blocked, codes(d.ask("p").Verdict))
	require.Empty(t, d.confirm("signalled", "bert"))
	require.Equal(t, blocked, codes(d.ask("p").Verdict), "who signalled it was not verified")
	require.Empty(t, d.confirm("o1", "bert"))
	require.Empty(t, d.confirm("o1", "bert"), "the same again is one")
	require.NotNil(t, d.ask("p").Claim)
	require.Contains(t, d.confirm("o1", "carla"), "used up")
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'override.confirmed'`))
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'override.refused'`))
	_, err := d.as(APIRole).ConfirmOverride(ctx, "p", "unknown", "bert", "why")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = d.as(APIRole).ConfirmOverride(ctx, "p", "o1", " ", "why")
	require.ErrorIs(t, err, ErrInvalid)
}

func TestOnlyRoleAPICanSayThatSomebodyWasVerified(t *testing.T) {
	t.Parallel()
	d := cooled(t, fourEyes("50"))
	require.Empty(t, d.override(given("o1", "p", "")))
	for _, role := range []string{ProposalsRole, OrdersRole, ScansRole, OperatorRole} {
		_, err := d.as(role).StoreOverride(ctx, given("forged", "p", "bert"), "update")
		require.Error(t, err, role)
		_, err = d.as(role).ConfirmOverride(ctx, "p", "o1", "bert", "why")
		require.Error(t, err, role)
		_, err = d.as(role).pool.Exec(ctx, `UPDATE interlock.overrides SET verified = true, identity = 'bert'`)
		require.Error(t, err, role)
	}
	_, err := d.as(APIRole).pool.Exec(ctx, `UPDATE interlock.overrides SET consumed_by = NULL`)
	require.Error(t, err)
	_, err = d.as(APIRole).pool.Exec(ctx, `DELETE FROM interlock.override_confirmations`)
	require.Error(t, err)
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.overrides WHERE verified`))
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.override_confirmations`))
}

func TestAPolicyMayTakeOverridesOfVerifiedPeopleOnly(t *testing.T) {
	t.Parallel()
	d := cooled(t, func(p *trade.Policy) { cooling(p); p.VerifiedOverridesOnly = true })
	require.Contains(t, d.override(given("o1", "p", "")), "verified people only")
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.overrides`))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'override.refused' AND body->>'problem' LIKE '%verified people only%'`))
	req := request("p")
	req.OverrideCooldown, req.Reason = true, "news"
	decision, err := d.Preflight(ctx, req)
	require.NoError(t, err)
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(decision.Verdict), "one that a request brings is not verified either")
	require.Empty(t, d.overrideByAPI(given("o2", "p", "anna")))
	require.NotNil(t, d.ask("p").Claim)
}

func TestAnOverrideOfOneRequestServesNoOther(t *testing.T) {
	t.Parallel()
	d := cooled(t, cooling)
	req := request("p")
	o := given("o1", "p", "anna")
	o.RequestID = req.ID
	require.Empty(t, d.overrideByAPI(o))
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("p").Verdict))
	decision, err := d.Preflight(ctx, req)
	require.NoError(t, err)
	require.NotNil(t, decision.Claim)
	list, err := d.as(APIRole).Overrides(ctx, "p")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []any{"o1", true, "anna", ViaAPI, req.ID, 1}, []any{list[0].ID, list[0].Verified, list[0].Identity, list[0].Via, list[0].ConsumedBy, list[0].PolicyVersion})
	require.Equal(t, "80000", list[0].ReferencePrice.String())
}

func TestAnIDThatIsAnotherOverridesIsRefused(t *testing.T) {
	t.Parallel()
	d := cooled(t, cooling)
	require.Empty(t, d.override(given("o1", "p", "")))
	require.Empty(t, d.override(given("o1", "p", "")))
	require.Contains(t, d.overrideByAPI(given("o1", "p", "anna")), "another override's")
	other := given("o1", "p", "")
	other.AntiFlip = true
	require.Contains(t, d.override(other), "another override's")
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.overrides`))
}

func TestAnOverrideWithoutAFreshPriceIsRefused(t *testing.T) {
	t.Parallel()
	d := cooled(t, cooling)
	d.exec(`UPDATE interlock.market_facts SET observed_at = $1`, time.Now().Add(-time.Hour))
	require.Contains(t, d.overrideByAPI(given("o1", "p", "anna")), "no fresh market price")
	bound := given("o2", "p", "anna")
	bound.RequestID = "r"
	require.Empty(t, d.overrideByAPI(bound), "the request's own verdict says it")
}

// TestAKnownOverrideExcusesNothing: what cannot be overridden is refused, even
// when the rest of the override is one that was stored.
func TestAKnownOverrideExcusesNothing(t *testing.T) {
	t.Parallel()
	d := cooled(t, cooling)
	o := given("o1", "p", "anna")
	require.Empty(t, d.overrideByAPI(o))
	require.Empty(t, d.overrideByAPI(o), "the same again")
	o.Checks = []trade.Code{trade.CooldownBlocked, trade.DailyLimitReached}
	require.Contains(t, d.overrideByAPI(o), "DAILY_LIMIT_REACHED")
}

// TestWhatNoTextCanHoldIsAnswered: it must not look like a broken database,
// which would be asked again for ever.
func TestWhatNoTextCanHoldIsAnswered(t *testing.T) {
	t.Parallel()
	d := cooled(t, cooling)
	proposals := d.as(ProposalsRole)
	for _, o := range []trade.Override{
		{ID: "a\x00b", ProposalID: "p", Cooldown: true, Actor: "anna", Reason: "news"},
		{ID: "o", ProposalID: "p", Cooldown: true, Actor: "an\x00na", Reason: "news"},
		{ID: "o", ProposalID: "p", Cooldown: true, Actor: "anna", Reason: "ne\xffws\x00"},
		{ID: "o", ProposalID: "p", Cooldown: true, Actor: "anna", Reason: "news", ExpiresAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		problem, err := proposals.StoreOverride(ctx, o, "signal")
		require.NoError(t, err)
		if o.Reason == "news" && o.Actor == "anna" {
			require.NotEmpty(t, problem, "%q", o)
		}
	}
	decision, err := proposals.Preflight(ctx, trade.Request{ID: "r\x00", ProposalID: "p", Actor: "an\x00na", Reason: "\x00", Via: "update"})
	require.NoError(t, err)
	require.True(t, decision.Verdict.Blocked())
	_, err = proposals.Cancel(ctx, "p\x00", "anna", "r")
	require.ErrorIs(t, err, trade.ErrInvalid)
	status, err := proposals.Cancel(ctx, "p", "an\x00na", "r\x00")
	require.NoError(t, err)
	require.Equal(t, trade.Cancelled, status)
}
