package postgres

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// A restored database hands the same numbers out again: here c is the claim of
// a workflow that lived through the restore, and its execution is another's.
func TestAClaimOfALostTimelineTouchesNoOthersExecution(t *testing.T) {
	t.Parallel()
	for name, steal := range map[string]func(c *trade.Claim){
		"another proposal's":     func(c *trade.Claim) { c.ProposalID = "lost" },
		"another account's":      func(c *trade.Claim) { c.AccountID = "second" },
		"a number not given out": func(c *trade.Claim) { c.ExecutionID += 1000 },
		"an earlier claim's":     func(c *trade.Claim) { c.RequestID = "an earlier request" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			mine, deadline := d.inDoubt("p")
			theirs := mine
			steal(&theirs)
			order := orderOf(mine, "o1", "filled")
			for what, err := range d.everythingWithAClaim(theirs, order, deadline.Add(time.Hour)) {
				require.ErrorIs(t, err, ErrNotFound, what)
			}
			require.Zero(t, d.count(`SELECT count(*) FROM interlock.order_looks`))
			require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.order_attempts WHERE verdict IS NULL AND reply_code = ''`))
			require.Equal(t, trade.Executing, d.life("p").Proposal.Status)
			for what, err := range d.everythingWithAClaim(mine, order, deadline.Add(time.Hour)) {
				require.NotErrorIs(t, err, ErrNotFound, what)
			}
		})
	}
}

// everythingWithAClaim tries whatever takes a claim, beginning an attempt left
// out: it answers a claim that is no longer in force with a refusal.
func (d desk) everythingWithAClaim(c trade.Claim, o trade.Order, late time.Time) map[string]error {
	errs := map[string]error{}
	_, errs["followed"] = d.Followed(ctx, c.Ref(), trade.Sight{Order: o}, "test")
	_, errs["lookup"] = d.LookupOf(ctx, c.Ref(), 1)
	_, errs["order"] = d.AcceptedOrder(ctx, c.Ref())
	errs["read"] = d.RecordReading(ctx, c.Ref(), trade.Reading{ExchangeTime: late})
	errs["looked"] = d.RecordLookup(ctx, c.Ref(), 1, trade.Lookup{Result: trade.NotThere, ExchangeTime: late})
	_, errs["concluded"] = d.Conclude(ctx, c.Ref(), 1)
	_, errs["resolved"] = d.Resolve(ctx, c.Ref(), 1, trade.Resolution{Actor: "olga", Reason: "seen"})
	errs["replied"] = d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test")
	_, errs["recorded"] = d.RecordOrder(ctx, c.Ref())
	_, errs["failed"] = d.FailExecution(ctx, c.Ref(), 1)
	return errs
}

func TestAnAttemptOfALostTimelineBeginsNowhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	c.ProposalID = "lost"
	_, _, err := d.BeginAttempt(ctx, c.Ref(), 1, time.Now().Add(trade.AccessWindow), "test")
	require.ErrorIs(t, err, ErrNotFound)
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.order_attempts`))
}

// restored makes this database another than the one that made the account, as
// a restore does, with nothing of its own done yet.
func (d desk) restored() {
	d.t.Helper()
	d.exec(`UPDATE interlock.accounts SET created_in = 'the one that was backed up'`)
	d.exec(`UPDATE interlock.reconciliations SET database_id = 'the one that was backed up'`)
	d.exec(`ALTER TABLE interlock.database_lives DISABLE TRIGGER ALL`)
	d.exec(`DELETE FROM interlock.database_lives`)
}

// begun says how long ago the first worker of this life was seen.
func (d desk) begun(ago time.Duration) {
	d.t.Helper()
	d.begunAt(d.now().Add(-ago))
}

func (d desk) begunAt(at time.Time) {
	d.t.Helper()
	require.NoError(d.t, beginLife(ctx, d.pool))
	d.exec(`UPDATE interlock.database_lives SET began_at = $1`, at)
}

func (d desk) now() time.Time {
	d.t.Helper()
	now, err := d.Now(ctx)
	require.NoError(d.t, err)
	return now
}

// compare makes a comparison that began so long ago.
func (d desk) compare(ago time.Duration) trade.Compared {
	d.t.Helper()
	return d.compareFrom(d.now().Add(-ago))
}

func (d desk) compareFrom(began time.Time) trade.Compared {
	d.t.Helper()
	found, err := d.Compare(ctx, trade.Comparison{AccountID: account, StartedAt: began})
	require.NoError(d.t, err)
	return found
}

func TestAComparisonCountsOnlyOnceALostRequestMustBeVisible(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.restored()
	d.propose("p", trade.Buy)
	require.Equal(t, []trade.Code{trade.ReconcileStale}, codes(d.ask("p").Verdict), "before anything was compared")

	now := d.now()
	d.begunAt(now.Add(-20 * time.Second))
	wait := d.compareFrom(now).Wait
	require.LessOrEqual(t, wait, 15*time.Second, "35 s after the life began: 5 s to act, 30 s to be seen")
	require.Greater(t, wait, 14*time.Second-d.now().Sub(now))
	require.Equal(t, []trade.Code{trade.ReconcileStale}, codes(d.ask("p").Verdict))

	d.exec(`DELETE FROM interlock.reconciliations`)
	now = d.now()
	d.begunAt(now.Add(-40 * time.Second))
	require.Positive(t, d.compareFrom(now.Add(-6*time.Second)).Wait, "it began before")
	require.Equal(t, []trade.Code{trade.ReconcileStale}, codes(d.ask("p").Verdict))
	require.Zero(t, d.compareFrom(now.Add(-4*time.Second)).Wait)
	require.NotNil(t, d.ask("p").Claim)
}

func TestAnAccountMadeInThisLifeTradesAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.Zero(t, d.compare(0).Wait)
	d.propose("p", trade.Buy)
	require.NotNil(t, d.ask("p").Claim)
}

func TestALifeIsDatedOnceByWhoeverComesFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.restored()
	orders, scans := d.as(OrdersRole), d.as(ScansRole)
	rivals(8, func(i int) {
		if i%2 == 0 {
			_, _, err := orders.StartComparison(ctx, account, time.Minute)
			require.NoError(t, err)
			return
		}
		now, err := scans.Now(ctx)
		require.NoError(t, err)
		require.NoError(t, scans.PutClock(ctx, account, now, now, now))
	})
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.database_lives`))
	d.exec(`ALTER TABLE interlock.database_lives ENABLE TRIGGER ALL`)
	_, err := d.pool.Exec(ctx, `UPDATE interlock.database_lives SET began_at = now() - interval '1 hour'`)
	require.ErrorIs(t, classify(err), ErrInvalid)
}

func TestAComparisonReachesBackFarEnoughToSeeWhatALostLifeSentLast(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.exec(`UPDATE interlock.accounts SET created_at = now() - interval '1 day', read_lag = '1 hour'`)
	d.compare(0)
	now, since, err := d.StartComparison(ctx, account, 10*time.Minute)
	require.NoError(t, err)
	require.GreaterOrEqual(t, now.Sub(since), 70*time.Minute)
	d.restored()
	now, since, err = d.StartComparison(ctx, account, 10*time.Minute)
	require.NoError(t, err)
	require.Greater(t, now.Sub(since), 24*time.Hour, "a restored one compares from the account's first day")
}

// In the lost future the attempt may have been made: it is neither begun again
// nor taken for one that never began.
func TestAClaimOlderThanThisLifeIsLookedForNotAttempted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	d.restored()
	require.Equal(t, trade.Unknown, d.begin(c, 1).Reply)
	d.begun(0)
	require.Equal(t, trade.Unknown, d.begin(c, 1).Reply)
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.order_attempts`))

	f := d.conclude(c, 1)
	require.False(t, f.Concluded)
	require.Equal(t, trade.Unresolved, d.life("p").Proposal.Status)
	require.Equal(t, trade.Unknown, d.begin(c, 1).Reply, "the worker that wakes up late does not own it")
	d.look(c, trade.Found, time.Now(), orderOf(c, "o-lost", "filled"))
	require.Equal(t, "o-lost", d.conclude(c, 1).Result.Order.OrderID)
	d.record(c, orderOf(c, "o-lost", "filled"))
	require.Equal(t, trade.Executed, d.life("p").Proposal.Status)
}

func TestAbsenceInARestoredDatabaseIsNotBelievedBeforeALostRequestMustBeVisible(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	d.restored()
	d.begun(0)
	lag := 30 * time.Second
	d.exec(`UPDATE interlock.database_lives SET began_at = $1::timestamptz`, deadline.Add(time.Hour))
	d.look(c, trade.NotThere, deadline.Add(lag+time.Second))
	d.look(c, trade.NotThere, deadline.Add(10*lag))
	require.False(t, d.conclude(c, 1).Concluded, "enough for an attempt of this life")
	require.Contains(t, d.wish(c, nil, deadline.Add(10*lag), "olga"), "may still be placed", "a person cannot know it either")

	end := deadline.Add(time.Hour + trade.LostWindow)
	d.look(c, trade.NotThere, end.Add(lag+time.Second))
	d.look(c, trade.NotThere, end.Add(2*lag+time.Second))
	require.Equal(t, trade.OutcomeAbsent, d.conclude(c, 1).Outcome)
}

func TestEveryWayOfRestoringIsAnotherLife(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var first string
	require.NoError(t, d.pool.QueryRow(ctx, `SELECT interlock.database_id()`).Scan(&first))
	copied := fmt.Sprintf("copy_%d", time.Now().UnixNano())
	address := d.pool.Config().ConnString()
	d.Close()
	admin := openStore(t, withDatabase(t, address, "postgres"))
	_, err := admin.pool.Exec(ctx, "CREATE DATABASE "+copied+" TEMPLATE "+quoted(d.pool.Config().ConnConfig.Database))
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = admin.pool.Exec(ctx, "DROP DATABASE "+copied+" WITH (FORCE)") })

	second := desk{openStore(t, withDatabase(t, address, copied)), t}
	var now string
	require.NoError(t, second.pool.QueryRow(ctx, `SELECT interlock.database_id()`).Scan(&now))
	require.NotEqual(t, first, now)
	second.price("BTC-EUR", "80000")
	second.propose("p", trade.Buy)
	require.Positive(t, second.compare(0).Wait)
	require.Equal(t, []trade.Code{trade.ReconcileStale}, codes(second.ask("p").Verdict))
}

func withDatabase(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}
