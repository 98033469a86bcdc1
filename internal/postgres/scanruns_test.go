package postgres

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/prompt"
	"interlock/internal/scan"
	"interlock/internal/trade"
)

func scanJob(id string) scan.Job {
	j := scan.Job{ID: id, UserID: "anna", AccountID: account, Revision: 1, Spec: scan.Defaults()}
	j.Markets, j.Every, j.Model = []trade.Market{"BTC-EUR", "ETH-EUR"}, trade.Duration(time.Minute), "m"
	return j
}

// scanning is a desk with a job and a run that has seen something.
func scanning(t *testing.T, change ...func(*trade.Policy)) (d desk, j scan.Job, digest string) {
	t.Helper()
	d, j = newDesk(t, change...), scanJob("job")
	require.NoError(t, d.AddScanJob(ctx, j, "olga"))
	_, ended, err := d.as(ScansRole).BeginScan(ctx, "run", j)
	require.NoError(t, err)
	require.Empty(t, ended)
	digest, err = d.as(ScansRole).PutSnapshot(ctx, "run", seen("80000"))
	require.NoError(t, err)
	return d, j, digest
}

func seen(price string) prompt.Snapshot {
	return prompt.Snapshot{At: time.Unix(1000, 0).UTC(), Holdings: []trade.Holding{}, Markets: []prompt.MarketView{{Market: "BTC-EUR", Last: dec(price)}}}
}

func idea(run string, number int, market trade.Market, side trade.Side) trade.Proposal {
	amount, confidence := decimal.NewFromInt(10), dec("0.9")
	return trade.Proposal{
		ID: scan.ProposalID(run, number), UserID: "anna", AccountID: account, Market: market, Side: side, OrderType: trade.MarketOrder,
		AmountQuote: &amount, Confidence: &confidence, ExpiresAt: time.Now().Add(time.Hour).Truncate(time.Microsecond),
	}
}

func TestASnapshotIsKeptByItsDigestAndARunKeepsWhatItSaw(t *testing.T) {
	t.Parallel()
	d, j, digest := scanning(t)
	back, err := d.Snapshot(ctx, digest)
	require.NoError(t, err)
	_, again, err := back.Text()
	require.NoError(t, err)
	require.Equal(t, digest, again)
	later, err := d.PutSnapshot(ctx, "run", seen("90000"))
	require.NoError(t, err)
	require.Equal(t, digest, later, "a repeated look goes on with the first")
	found, _, err := d.BeginScan(ctx, "run", j)
	require.NoError(t, err)
	require.Equal(t, digest, found)
	_, err = d.Snapshot(ctx, "unknown")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestARepeatedRunStoresEachIdeaOnce(t *testing.T) {
	t.Parallel()
	d, j, _ := scanning(t)
	scans := d.as(ScansRole)
	proposals := []trade.Proposal{idea("run", 1, "BTC-EUR", trade.Buy), idea("run", 3, "ETH-EUR", trade.Sell)}
	refused := []prompt.Refused{{Number: 2, Reason: "side: no", Body: "{\x00}"}}
	results := make([]scan.Stored, 8)
	errs := make([]error, len(results))
	rivals(len(results), func(i int) {
		errs[i] = outwait(func() (err error) {
			results[i], err = scans.StoreIdeas(ctx, "run", j, proposals, []string{"a", "b"}, refused)
			return err
		})
	})
	for i := range results {
		require.NoError(t, errs[i])
		require.Equal(t, scan.Stored{Proposals: []string{"run-1", "run-3"}, Refused: 1}, results[i])
	}
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.trade_proposals WHERE status = 'PENDING' AND policy_version = 1`))
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'proposal.stored' AND actor = 'scan:job'`))
}

func TestAnIdeaThatRepeatsAnOpenProposalIsADuplicate(t *testing.T) {
	t.Parallel()
	d, j, _ := scanning(t)
	d.propose("open", trade.Buy)
	d.exec(`INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, expires_at)
		VALUES ('over', 'anna', 'paper', 'ETH-EUR', 'buy', 1, now() - interval '1 second'), ('others', 'bert', 'paper', 'ETH-EUR', 'buy', 1, now() + interval '1 hour')`)
	stored, err := d.StoreIdeas(ctx, "run", j, []trade.Proposal{
		idea("run", 1, "BTC-EUR", trade.Buy), idea("run", 2, "BTC-EUR", trade.Sell), idea("run", 3, "ETH-EUR", trade.Buy), idea("run", 4, "ETH-EUR", trade.Buy),
	}, []string{"a", "b", "c", "d"}, nil)
	require.NoError(t, err)
	require.Equal(t, scan.Stored{Proposals: []string{"run-2", "run-3"}, Duplicates: 2}, stored)
	runs, err := d.ScanRuns(ctx, "job", 5)
	require.NoError(t, err)
	require.Equal(t, "open", runs[0].Ideas[0].ProposalID)
	require.Equal(t, "run-3", runs[0].Ideas[3].ProposalID)
}

func TestThePolicyOfTheMomentSaysWhetherIdeasExecuteByThemselves(t *testing.T) {
	t.Parallel()
	d, j, _ := scanning(t, func(p *trade.Policy) { p.AutoExecute = true })
	stored, err := d.StoreIdeas(ctx, "run", j, []trade.Proposal{idea("run", 1, "BTC-EUR", trade.Buy)}, []string{"a"}, nil)
	require.NoError(t, err)
	require.True(t, stored.Execute)
	d.policy("anna")
	stored, err = d.StoreIdeas(ctx, "run", j, nil, nil, nil)
	require.NoError(t, err)
	require.False(t, stored.Execute, "switched off while the model thought")
	require.Len(t, stored.Proposals, 1)
}

func TestARunEndsOnceAndOneThatNeverBeganIsRecorded(t *testing.T) {
	t.Parallel()
	d, j, _ := scanning(t)
	scans := d.as(ScansRole)
	require.NoError(t, scans.EndScan(ctx, "run", "job", "SCANNED", "first"))
	require.NoError(t, scans.EndScan(ctx, "run", "job", "REPLY_INVALID", "second"))
	require.NoError(t, scans.EndScan(ctx, "other", "job", "SCANS_UNAVAILABLE", "nobody"))
	_, ended, err := scans.BeginScan(ctx, "run", j)
	require.NoError(t, err)
	require.Equal(t, scan.Scanned, ended)
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.scan_runs WHERE ended_at IS NOT NULL`))
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'scan.ended'`))
	require.ErrorIs(t, scans.EndScan(ctx, "x", "never", "SCANNED", ""), ErrNotFound)
}

func TestDroppedDueTimesAreRecordedOnceByRivals(t *testing.T) {
	t.Parallel()
	d, j, _ := scanning(t)
	scans := d.as(ScansRole)
	record := func(overlaps, missed int64) (sum int64) {
		counts := make([]int64, 8)
		rivals(len(counts), func(i int) {
			skipped, late, err := scans.RecordDropped(ctx, j, overlaps, missed)
			if err == nil {
				counts[i] = skipped + late
			}
		})
		for _, n := range counts {
			sum += n
		}
		return sum
	}
	require.EqualValues(t, 0, record(0, 0))
	require.EqualValues(t, 5, record(3, 2))
	require.EqualValues(t, 1, record(4, 2))
	require.EqualValues(t, 1, record(1, 0), "the schedule was made again")
	require.Equal(t, 5, d.count(`SELECT sum(due_times)::int FROM interlock.scan_runs WHERE code = 'SCAN_SKIPPED'`))
	require.Equal(t, 2, d.count(`SELECT sum(due_times)::int FROM interlock.scan_runs WHERE code = 'SCAN_MISSED'`))
}

func TestJobsArePausedAndDeletedWithARecordAndTheirNamesAreNotGivenAgain(t *testing.T) {
	t.Parallel()
	d, j, _ := scanning(t)
	operator := d.as(OperatorRole)
	require.ErrorIs(t, operator.AddScanJob(ctx, j, "olga"), ErrConflict)
	require.ErrorIs(t, operator.AddScanJob(ctx, scanJob("A"), "olga"), ErrInvalid)
	require.NoError(t, operator.PauseScanJob(ctx, j, true, "news", "olga"))
	back, err := d.ScanJob(ctx, "job")
	require.NoError(t, err)
	require.True(t, back.Paused)
	require.Equal(t, "news", back.Note)
	require.NoError(t, operator.DeleteScanJob(ctx, j, "olga"))
	require.ErrorIs(t, operator.DeleteScanJob(ctx, j, "olga"), ErrNotFound)
	require.ErrorIs(t, operator.PauseScanJob(ctx, j, false, "", "olga"), ErrNotFound)
	_, err = d.ScanJob(ctx, "job")
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorIs(t, operator.AddScanJob(ctx, j, "olga"), ErrConflict)
	jobs, err := d.ScanJobs(ctx, "")
	require.NoError(t, err)
	require.Empty(t, jobs)
	for _, kind := range []string{"scan.added", "scan.paused", "scan.deleted"} {
		require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = $1`, kind), kind)
	}
}

func TestRoleScansCannotChooseAProposalsStatusNorTouchTrading(t *testing.T) {
	t.Parallel()
	d, _, _ := scanning(t)
	scans := d.as(ScansRole)
	for _, sql := range []string{
		`INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, status) VALUES ('x', 'anna', 'paper', 'BTC-EUR', 'buy', 1, 'EXECUTED')`,
		`INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, cancel_actor) VALUES ('x', 'anna', 'paper', 'BTC-EUR', 'buy', 1, 'me')`,
		`INSERT INTO interlock.trading_policies (user_id, account_id, version, body, created_by) VALUES ('anna', 'paper', 9, '{}', 'me')`,
		`INSERT INTO interlock.budget_clearances (user_id, actor, reason) VALUES ('anna', 'me', 'more')`,
		`INSERT INTO interlock.overrides DEFAULT VALUES`, `INSERT INTO interlock.trade_history DEFAULT VALUES`,
		`UPDATE interlock.gpt_usage_log SET user_id = 'bert'`, `UPDATE interlock.scan_jobs SET body = '{}'`,
		`DELETE FROM interlock.gpt_usage_log`, `UPDATE interlock.trading_controls SET state = 'ACTIVE'`,
		`SELECT * FROM interlock.order_attempts`, `SELECT * FROM interlock.api_tokens`,
	} {
		_, err := scans.pool.Exec(ctx, sql)
		require.ErrorContains(t, err, "permission denied", sql)
	}
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.trade_proposals`))
}
