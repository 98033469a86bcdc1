package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func throttled(executions int) func(*trade.Policy) {
	return func(p *trade.Policy) {
		p.RepeatThrottle = trade.Throttle{Executions: executions, Window: trade.Duration(time.Hour)}
	}
}

func (d desk) control(scope string) Control {
	d.t.Helper()
	states, err := d.TradingStates(ctx)
	require.NoError(d.t, err)
	for _, s := range states {
		if s.Scope == scope {
			return s
		}
	}
	require.Fail(d.t, "no such scope", scope)
	return Control{}
}

func TestAFullThrottleHaltsTheAccountUntilAPersonResumes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, throttled(2))
	proposals := desk{d.as(ProposalsRole), t}
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		d.propose(id, trade.Buy)
	}
	require.NotNil(t, proposals.ask("a").Claim)
	require.NotNil(t, proposals.ask("b").Claim)
	require.Equal(t, trade.Active, d.control(account).State, "as many as there is room for are none too many")

	require.Equal(t, []trade.Code{trade.RepeatThrottle}, codes(proposals.ask("c").Verdict))
	halt := d.control(account)
	require.Equal(t, trade.Halted, halt.State)
	require.Equal(t, "interlock", halt.Actor)
	require.Contains(t, halt.Reason, trade.RunawayReason)
	require.Contains(t, halt.Reason, "proposal c")
	require.Equal(t, trade.Active, d.control(AllAccounts).State)

	require.Equal(t, []trade.Code{trade.TradingHalted, trade.RepeatThrottle}, codes(proposals.ask("c").Verdict))
	const told = `SELECT count(*) FROM interlock.audit_events WHERE chain = 'paper' AND kind = 'trading.state' AND actor = 'interlock'`
	require.Equal(t, 1, d.count(told), "one halt is told once")
	require.Equal(t, halt, d.control(account))

	require.NoError(t, d.SetTradingState(ctx, account, trade.Active, "olga", "looked at it"))
	require.NotNil(t, proposals.ask("c").Claim, "the count starts anew from the resume")
	require.NotNil(t, proposals.ask("d").Claim)
	require.Nil(t, proposals.ask("e").Claim)
	require.Equal(t, trade.Halted, d.control(account).State)
	require.Equal(t, 2, d.count(told))
}

func TestAThrottleReplacesNoHaltOfAPerson(t *testing.T) {
	t.Parallel()
	d := newDesk(t, throttled(1))
	d.claimed("a")
	d.propose("b", trade.Buy)
	require.NoError(t, d.SetTradingState(ctx, account, trade.Halted, "olga", "fear"))
	d.ask("b")
	require.Equal(t, "olga", d.control(account).Actor)
	require.NoError(t, d.SetTradingState(ctx, account, trade.Active, "olga", "calm"))
	require.NoError(t, d.SetTradingState(ctx, AllAccounts, trade.Halted, "olga", "fear"))
	d.ask("b")
	require.Equal(t, trade.Active, d.control(account).State, "what is halted already is no runaway")
}

func TestAskingAgainForWhatIsExecutingIsNoRunaway(t *testing.T) {
	t.Parallel()
	d := newDesk(t, throttled(1))
	d.claimed("a")
	require.Contains(t, codes(d.ask("a").Verdict), trade.RepeatThrottle)
	require.Equal(t, trade.Active, d.control(account).State)
}

// The halt and what caused it stand or fall together, and rivals, attempts and
// a person's halt at the same moment neither fail nor miss it.
func TestRivalsHaltOnceAndAPersonsHaltNeverFails(t *testing.T) {
	t.Parallel()
	d := newDesk(t, throttled(3))
	var claims []trade.Claim
	for i := range 3 {
		claims = append(claims, d.claimed(fmt.Sprint("c", i)))
	}
	for i := range 20 {
		d.propose(fmt.Sprint("p", i), trade.Buy)
	}
	errs := make([]error, 30)
	rivals(len(errs), func(i int) {
		switch {
		case i < 20:
			_, errs[i] = d.Preflight(ctx, request(fmt.Sprint("p", i)))
		case i < 23:
			errs[i] = outwait(func() error {
				_, _, err := d.BeginAttempt(ctx, claims[i-20].Ref(), 1, time.Now().Add(trade.AccessWindow), "test")
				return err
			})
		default:
			errs[i] = outwait(func() error { return d.SetTradingState(ctx, account, trade.Halted, "olga", "fear") })
		}
	})
	for i, err := range errs {
		if i >= 20 { // a preflight is asked again, as its caller does
			require.NoError(t, err, i)
		}
	}
	require.Equal(t, trade.Halted, d.control(account).State)
	require.Equal(t, 3, d.count(`SELECT count(*) FROM interlock.trade_executions`))
}

// A program that writes where it only read before, and a person who waits to
// write the same, do not wait for each other.
func TestAPersonsHaltWaitsForARunawaysAndBothAreTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	share := func() pgx.Tx {
		tx := d.held()
		_, err := tx.Exec(ctx, `SELECT interlock.lock_trading_state('paper')`)
		require.NoError(t, err)
		return tx
	}
	program, attempt := share(), share()
	halted := make(chan error, 1)
	go func() {
		halted <- outwait(func() error { return d.SetTradingState(ctx, account, trade.Halted, "olga", "fear") })
	}()
	require.True(t, d.awaitBlocked(1, func() bool { return len(halted) > 0 }))
	written := make(chan error, 1)
	go func() {
		_, err := haltByItself(ctx, program, account, "a runaway")
		written <- err
	}()
	require.NoError(t, attempt.Commit(ctx))
	require.NoError(t, <-written)
	require.NoError(t, program.Commit(ctx))
	require.NoError(t, <-halted)
	require.Equal(t, "olga", d.control(account).Actor)
}
