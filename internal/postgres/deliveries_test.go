package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/outbox"
	"interlock/internal/trade"
)

const tries = 3

var secretTarget = outbox.Target{Service: "webhook", Address: "https://example.test/hook-of-anna", SigningKey: "whk_key-of-anna"}

// rule adds a rule for a user, or for everybody.
func (d desk) rule(id, user string, kinds ...outbox.Kind) {
	d.t.Helper()
	r := outbox.Rule{ID: id, AccountID: account, UserID: user, Kinds: kinds, Service: "webhook", Shown: "https://example.test/…"}
	require.NoError(d.t, d.as(OperatorRole).AddRule(ctx, r, secretTarget, "olga"))
}

// nextFor is what is to be delivered now; nil when nothing is.
func (d desk) nextFor(rule string) *outbox.Delivery {
	d.t.Helper()
	next, err := d.as(ProposalsRole).TakeDelivery(ctx, rule, tries, time.Hour)
	if err != nil {
		require.ErrorIs(d.t, err, ErrNotFound)
		return nil
	}
	return &next
}

func (d desk) blocked(id string) {
	d.t.Helper()
	if d.count(`SELECT count(*) FROM interlock.trade_proposals WHERE id = $1`, id) == 0 {
		d.propose(id, trade.Buy)
	}
	require.NotEmpty(d.t, d.ask(id).Verdict.Blocks())
}

func haltedDesk(t *testing.T) desk {
	t.Helper()
	d := newDesk(t)
	require.NoError(t, d.SetTradingState(ctx, account, trade.Halted, "olga", "test"))
	return d
}

func TestARuleIsToldItsUsersEventsOfItsKindsFromNowOn(t *testing.T) {
	t.Parallel()
	d := haltedDesk(t)
	d.blocked("before")
	d.rule("annas", "anna")
	d.rule("berts", "bert")
	d.rule("all", "")
	d.rule("halts", "", outbox.Halted, outbox.Resumed)
	d.blocked("p")
	require.NoError(t, d.SetTradingState(ctx, AllAccounts, trade.Reducing, "olga", "test"))
	for rule, want := range map[string]int{"annas": 2, "berts": 1, "all": 2, "halts": 1} {
		require.Equal(t, want, d.count(`SELECT count(*) FROM interlock.deliveries WHERE rule_id = $1`, rule), rule)
	}
	due, err := d.as(ProposalsRole).DueRules(ctx, []string{"all"}, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"annas", "berts", "halts"}, due)
	next := d.nextFor("annas")
	require.Equal(t, "p", next.ProposalID)
	require.Equal(t, secretTarget, next.Target)
}

func TestALaterEventOfAProposalWaitsForTheEarlierOne(t *testing.T) {
	t.Parallel()
	d := haltedDesk(t)
	d.rule("r", "")
	d.blocked("p")
	d.blocked("p")
	d.blocked("other")
	first := d.nextFor("r")
	require.Equal(t, "other", d.nextFor("r").ProposalID, "another proposal's need not wait")
	require.Nil(t, d.nextFor("r"))
	store := d.as(ProposalsRole)
	require.NoError(t, store.NotDelivered(ctx, first.ID, "r", "it answered 500", 0, false))
	again := d.nextFor("r")
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, 2, again.Attempt)
	require.NoError(t, store.Delivered(ctx, first.ID, "r"))
	require.NoError(t, store.Delivered(ctx, first.ID, "r"))
	second := d.nextFor("r")
	require.Equal(t, "p", second.ProposalID)
	require.Greater(t, second.ID, first.ID)
}

func TestWhatIsTriedInVainIsGivenUpShownAndLetsLaterOnesPass(t *testing.T) {
	t.Parallel()
	d := haltedDesk(t)
	d.rule("r", "")
	d.blocked("p")
	d.blocked("p")
	first := d.nextFor("r").ID
	require.NoError(t, d.as(ProposalsRole).NotDelivered(ctx, first, "r", "it answered 500", 0, true))
	require.Greater(t, d.nextFor("r").ID, first)
	rules, err := d.as(OperatorRole).Rules(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, rules[0].GivenUp)
	require.Equal(t, 1, rules[0].Open)
	require.Equal(t, "it answered 500", rules[0].LastError)
}

// A try that kills its worker must not be made for ever.
func TestATryIsCountedBeforeItIsMade(t *testing.T) {
	t.Parallel()
	d := haltedDesk(t)
	d.rule("r", "")
	d.blocked("p")
	store := d.as(ProposalsRole)
	for attempt := 1; attempt <= tries; attempt++ {
		next, err := store.TakeDelivery(ctx, "r", tries, 0)
		require.NoError(t, err)
		require.Equal(t, attempt, next.Attempt)
	}
	require.Nil(t, d.nextFor("r"))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.deliveries WHERE given_up_at IS NOT NULL`))
}

func TestRivalsNeverTakeTheSameDelivery(t *testing.T) {
	t.Parallel()
	d := haltedDesk(t)
	d.rule("r", "")
	for _, id := range []string{"a", "b", "c", "d"} {
		d.blocked(id)
	}
	store := d.as(ProposalsRole)
	taken := make([]int64, 8)
	rivals(len(taken), func(i int) {
		if next, err := store.TakeDelivery(ctx, "r", tries, time.Hour); err == nil {
			taken[i] = next.ID
		}
	})
	seen := map[int64]int{}
	for _, id := range taken {
		seen[id]++
	}
	delete(seen, 0)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
}

func TestARulesSecretsAreReadByTheNotifierOnlyAndErasedWithIt(t *testing.T) {
	t.Parallel()
	d := haltedDesk(t)
	d.rule("r", "anna")
	d.blocked("p")
	for _, role := range []string{APIRole, OrdersRole, ScansRole, OperatorRole} {
		_, err := d.as(role).pool.Exec(ctx, `SELECT address FROM interlock.notification_rules`)
		require.ErrorContains(t, err, "permission denied", role)
	}
	operator := d.as(OperatorRole)
	require.NoError(t, operator.RemoveRule(ctx, "r", "olga"))
	require.NoError(t, operator.RemoveRule(ctx, "r", "olga"))
	require.ErrorIs(t, operator.RemoveRule(ctx, "none", "olga"), ErrNotFound)
	require.Nil(t, d.nextFor("r"))
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.notification_rules WHERE address <> '' OR signing_key <> ''`))
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind LIKE 'notify.%'`))
	rows, err := d.pool.Query(ctx, `SELECT body::text FROM interlock.audit_events UNION ALL SELECT body::text FROM interlock.outbox`)
	require.NoError(t, err)
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		require.False(t, strings.Contains(text, "of-anna"), "a secret is in a record")
	}
}

func TestATestGoesToItsRuleAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.rule("r", "", outbox.Executed)
	d.rule("other", "")
	operator := d.as(OperatorRole)
	id, err := operator.TestRule(ctx, "r")
	require.NoError(t, err)
	require.Equal(t, id, d.nextFor("r").ID)
	require.Nil(t, d.nextFor("other"))
	got, err := operator.DeliveryOf(ctx, id, "r")
	require.NoError(t, err)
	require.Equal(t, 1, got.Attempts)
	_, err = operator.TestRule(ctx, "none")
	require.ErrorIs(t, err, ErrNotFound)
	age, err := d.UndeliveredAge(ctx)
	require.NoError(t, err)
	require.Positive(t, age)
}
