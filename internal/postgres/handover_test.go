package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/handover"
	"interlock/internal/trade"
)

var taking = Handover{AccountID: account, Actor: "anna"}

func begun(id string) []handover.Proposal {
	return []handover.Proposal{{ID: id, UserID: "anna", Status: "EXECUTED", Source: handover.TradeExecutions}}
}

// Whoever comes first, a proposal is either refused or cancelled: none stays
// open under an ID that the earlier system began.
func TestRivalsOfAClosedIDLeaveNoOpenProposal(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 20 {
		id := fmt.Sprintf("p%d", i)
		rivals(4, func(k int) {
			if k == 0 {
				require.NoError(t, outwait(func() error { _, err := d.CloseElsewhere(ctx, taking, begun(id)); return err }))
				return
			}
			amount := dec("0.001")
			err := outwait(func() error {
				_, _, err := d.InsertProposal(ctx, trade.Proposal{ID: id, UserID: "anna", AccountID: account, Market: "BTC-EUR", Side: trade.Buy, Amount: &amount}, "anna")
				return err
			})
			if err != nil {
				require.ErrorIs(t, err, ErrConflict)
			}
		})
	}
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.trade_proposals WHERE status <> 'CANCELLED'`))
	require.Equal(t, 20, d.count(`SELECT count(*) FROM interlock.closed_elsewhere`))
}

// Whoever closes an ID waits for the one that is just storing it, and finds it.
func TestAClosedIDCancelsWhatIsJustBeingStored(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	storing := d.held()
	_, err := storing.Exec(ctx, `INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, confidence)
		VALUES ('p', 'anna', 'paper', 'BTC-EUR', 'buy', 0.001, 0.9)`)
	require.NoError(t, err)
	d.queue(storing, func() error { _, err := d.CloseElsewhere(ctx, taking, begun("p")); return err })
	require.Equal(t, trade.Cancelled, d.life("p").Proposal.Status)
}

// A claim and the end of the ID exclude each other, and the loser knows.
func TestClaimAndClosedIDExcludeEachOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 20 {
		id := fmt.Sprintf("p%d", i)
		d.propose(id, trade.Buy)
		var claimed, told bool
		rivals(2, func(k int) {
			if k == 0 {
				claimed = d.ask(id).Claim != nil
				return
			}
			var closed []Closed
			require.NoError(t, outwait(func() (err error) { closed, err = d.CloseElsewhere(ctx, taking, begun(id)); return err }))
			told = closed[0].Claimed()
		})
		require.Equal(t, claimed, told, id)
		want := trade.Cancelled
		if claimed {
			want = trade.Executing
		}
		require.Equal(t, want, d.life(id).Proposal.Status)
	}
}

func TestRivalImportsBringEachRowOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	at := time.Now().Add(-time.Hour)
	trades := []handover.Trade{{Key: "a", UserID: "anna", Asset: "BTC", Side: trade.Buy, ExecutedAt: at}, {Key: "b", UserID: "anna", Asset: "BTC", Side: trade.Buy, ExecutedAt: at}}
	calls := []handover.Usage{{Key: "a", UserID: "anna", Tokens: 7, CreatedAt: at}}
	fresh := make([]int64, 8)
	rivals(len(fresh), func(i int) {
		n, err := d.ImportTrades(ctx, taking, trades)
		require.NoError(t, err)
		m, err := d.ImportUsage(ctx, taking, calls)
		require.NoError(t, err)
		fresh[i] = n + m
	})
	var total int64
	for _, n := range fresh {
		total += n
	}
	require.EqualValues(t, 3, total)
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.trade_history`))
	require.Equal(t, 7, d.count(`SELECT sum(tokens) FROM interlock.gpt_usage_log`))
	_, err := d.ImportTrades(ctx, Handover{AccountID: "none", Actor: "anna"}, []handover.Trade{{Key: "c", UserID: "anna", Asset: "BTC", Side: trade.Buy, ExecutedAt: at}})
	require.ErrorIs(t, err, ErrInvalid)
}

func TestClosedIDIsClosedForEveryDoor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.CloseElsewhere(ctx, taking, begun("p"))
	require.NoError(t, err)
	_, err = d.pool.Exec(ctx, `INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount) VALUES ('p', 'berta', 'paper', 'BTC-EUR', 'buy', 1)`)
	require.ErrorIs(t, classify(err), ErrConflict)
	for _, sql := range []string{`DELETE FROM interlock.closed_elsewhere`, `UPDATE interlock.closed_elsewhere SET proposal_id = 'q'`} {
		_, err = d.pool.Exec(ctx, sql)
		require.ErrorIs(t, classify(err), ErrInvalid)
	}
}
