package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/audit"
	"interlock/internal/trade"
)

// tamper changes the audit as only a superuser could.
func (d desk) tamper(sql string) {
	d.t.Helper()
	d.exec(`ALTER TABLE interlock.audit_events DISABLE TRIGGER ALL`)
	d.exec(sql)
	d.exec(`ALTER TABLE interlock.audit_events ENABLE TRIGGER ALL`)
}

func (d desk) chain(name string) audit.Report {
	d.t.Helper()
	reports, err := d.as(OperatorRole).VerifyAudit(ctx)
	require.NoError(d.t, err)
	for _, r := range reports {
		if r.Chain == name {
			return r
		}
	}
	require.FailNow(d.t, "no chain", name)
	return audit.Report{}
}

func TestAuditVerifiesWithoutTheDatabasesOwnFunction(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.executed("p")
	require.NoError(t, d.SetTradingState(ctx, AllAccounts, trade.Halted, "anna — ü", "fire \" \n"))
	d.exec(`DROP FUNCTION interlock.audit_hash CASCADE`)
	reports, err := d.VerifyAudit(ctx)
	require.NoError(t, err)
	require.Len(t, reports, 2)
	for _, r := range reports {
		require.True(t, r.Holds(), r.Problem)
		require.Positive(t, r.Rows)
		require.EqualValues(t, d.count(`SELECT seq FROM interlock.audit_heads WHERE chain = $1`, r.Chain), r.Rows)
		require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_heads WHERE encode(hash, 'hex') = $1`, r.Head.String()))
	}
}

func TestAnyTamperingIsFoundAtItsRow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql string
		bad int64
	}{
		"actor":       {`UPDATE interlock.audit_events SET actor = 'eve' WHERE seq = 3`, 3},
		"empty actor": {`UPDATE interlock.audit_events SET actor = '' WHERE seq = 6 AND actor IS NULL`, 6},
		"moved field": {`UPDATE interlock.audit_events SET proposal_id = user_id, user_id = proposal_id WHERE seq = 4`, 4},
		"body":        {`UPDATE interlock.audit_events SET body = '{}' WHERE seq = 1`, 1},
		"white space": {`UPDATE interlock.audit_events SET body = (body::text || ' ')::json WHERE seq = 1`, 1},
		"time":        {`UPDATE interlock.audit_events SET at = at + interval '1 microsecond' WHERE seq = 2`, 2},
		"removed":     {`DELETE FROM interlock.audit_events WHERE seq = 3`, 3},
		"first":       {`DELETE FROM interlock.audit_events WHERE seq = 1`, 1},
		"rehashed":    {`UPDATE interlock.audit_events e SET actor = 'eve', hash = interlock.audit_hash(prev_hash, ROW(chain, seq, at, kind, user_id, proposal_id, 'eve', body, prev_hash, NULL)::interlock.audit_events) WHERE seq = 3`, 4},
		"cut off":     {`DELETE FROM interlock.audit_events WHERE seq > 4`, 5},
		"all gone":    {`DELETE FROM interlock.audit_events`, 1},
		"no head":     {`DELETE FROM interlock.audit_heads`, 1},
		"old head":    {`UPDATE interlock.audit_heads SET seq = 2`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			_, _, err := d.InsertProposal(ctx, proposal("p"), "anna")
			require.NoError(t, err)
			for range 4 {
				_, err := d.StoreOverride(ctx, trade.Override{ProposalID: "p", Actor: "bert"}, "signal")
				require.NoError(t, err)
			}
			d.exec(`SELECT interlock.audit_append('paper', 'noise', NULL, NULL, NULL, '{}')`)
			require.True(t, d.chain(account).Holds())
			d.tamper(c.sql)
			r := d.chain(account)
			require.False(t, r.Holds())
			require.Equal(t, c.bad, r.FirstBad, r.Problem)
			require.NotEmpty(t, r.Problem)
		})
	}
}

func TestLongChainsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const batch = 100 // a statement may take only so long
	for n := auditPage + 1; n > 0; n -= batch {
		d.exec(`SELECT interlock.audit_append('long', 'noise', NULL, NULL, NULL, '{}') FROM generate_series(1, $1::int)`, min(n, batch))
	}
	require.EqualValues(t, auditPage+1, d.chain("long").Rows)
	require.True(t, d.chain("long").Holds())
}

func TestAuditOfAProposalTellsItsLife(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, _, err := d.InsertProposal(ctx, proposal("p"), "anna")
	require.NoError(t, err)
	require.NotNil(t, d.ask("p").Claim)
	d.propose("other", trade.Sell)
	d.ask("other")
	events, err := d.as(APIRole).AuditOf(ctx, "p")
	require.NoError(t, err)
	var kinds []string
	for _, e := range events {
		require.Equal(t, "p", e.ProposalID)
		require.Equal(t, "anna", e.UserID)
		kinds = append(kinds, e.Kind)
	}
	require.Equal(t, []string{"proposal.stored", "preflight.claimed"}, kinds)
	require.Contains(t, string(events[0].Body), "it goes up")
	events, err = d.AuditOf(ctx, "unknown")
	require.NoError(t, err)
	require.Empty(t, events)
}

// TestAnExportedHeadFindsWhatTheOwnerCutOff: whoever owns the database can move
// its own heads, and not the exported ones.
func TestAnExportedHeadFindsWhatTheOwnerCutOff(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.executed("p")
	heads, err := d.as(OperatorRole).ReadAudit(ctx, func(audit.Row) error { return nil })
	require.NoError(t, err)
	d.executed("q")
	reports, err := d.VerifyAudit(ctx, heads...)
	require.NoError(t, err)
	for _, r := range reports {
		require.True(t, r.Holds(), r.Problem)
	}
	d.tamper(`DELETE FROM interlock.audit_events WHERE chain = 'paper' AND seq > 2`)
	d.exec(`UPDATE interlock.audit_heads h SET seq = 2, hash = e.hash FROM interlock.audit_events e WHERE e.chain = h.chain AND e.seq = 2 AND h.chain = 'paper'`)
	require.True(t, d.chain(account).Holds(), "by itself it looks whole")
	reports, err = d.VerifyAudit(ctx, heads...)
	require.NoError(t, err)
	i := slices.IndexFunc(reports, func(r audit.Report) bool { return r.Chain == account })
	require.EqualValues(t, 3, reports[i].FirstBad, reports[i].Problem)
}

// TestEveryRowOfALifeIsTold: what the stores write is what the sentences read.
func TestEveryRowOfALifeIsTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, _, err := d.InsertProposal(ctx, proposal("p"), "anna")
	require.NoError(t, err)
	d.override(trade.Override{ProposalID: "p", Cooldown: true, Actor: "bert", Reason: "news"})
	c := *d.ask("p").Claim
	deadline := time.Now().Add(trade.AccessWindow)
	_, _, err = d.BeginAttempt(ctx, c.Ref(), 1, deadline, "worker-1")
	require.NoError(t, err)
	d.conclude(c, 1)
	d.look(c, trade.NotThere, deadline)
	d.look(c, trade.Found, deadline.Add(time.Minute), orderOf(c, "o-1", "filled"))
	d.conclude(c, 1)
	d.record(c, orderOf(c, "o-1", "filled"))
	events, err := d.as(OperatorRole).AuditOf(ctx, "p")
	require.NoError(t, err)
	var told []string
	for _, line := range audit.Story(nil, events) {
		require.NotContains(t, line.Text, `{`, "a row without a sentence")
		told = append(told, line.Text)
	}
	require.Len(t, told, 9)
	require.Contains(t, told[0], "anna stored the proposal: buy 0.001 BTC at the market")
	require.Contains(t, told[len(told)-1], "Order o-1 ended filled: bought 0.001 BTC for 80 EUR in 1 fill, fee 0.2 EUR. EXECUTED.")
}
