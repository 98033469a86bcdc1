package postgres

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/internal/rate"
	"interlock/migrations"
)

const requester = "a"

func newRequests(t *testing.T) *Store {
	t.Helper()
	s := openStore(t, devtest.Database(t, migrations.Up), ForRequests)
	_, err := s.pool.Exec(t.Context(), `INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('a', 'paper', 'http://x/v2')`)
	require.NoError(t, err)
	return s
}

func (s *Store) take(t *testing.T, r rate.Request) rate.Grant {
	t.Helper()
	g, err := s.TakeRequest(t.Context(), requester, r)
	require.NoError(t, err)
	return g
}

func TestRivalsAreGrantedNoMoreThanTheLimitInAnyWindow(t *testing.T) {
	s := newRequests(t)
	const limit, enough = 7, 4 * 7
	var mu sync.Mutex
	var asked, answered []time.Time // of each grant, by this machine's clock
	ctx, stop := context.WithTimeout(t.Context(), timeout)
	defer stop()
	rivals(6, func(int) {
		for ctx.Err() == nil {
			from := time.Now()
			g, err := s.TakeRequest(ctx, requester, rate.Request{Most: limit})
			if err == nil && g.Granted {
				mu.Lock()
				asked, answered = append(asked, from), append(answered, time.Now())
				if len(asked) == enough {
					stop()
				}
				mu.Unlock()
			}
		}
	})
	slices.SortFunc(asked, time.Time.Compare)
	slices.SortFunc(answered, time.Time.Compare)
	require.GreaterOrEqual(t, len(asked), enough)
	for i := range asked[limit:] {
		// A grant lies between its question and its answer.
		require.Greater(t, answered[i+limit].Sub(asked[i]), rate.Window-100*time.Millisecond)
	}
}

// ahead makes what was granted newer than anything that is asked from now on,
// as if no time passed any more.
func (s *Store) ahead(t *testing.T) {
	t.Helper()
	_, err := s.pool.Exec(t.Context(), `UPDATE interlock.request_budgets SET slot = slot + 36000`)
	require.NoError(t, err)
}

// took takes so many turns that count as taken just now.
func (s *Store) took(t *testing.T, turns int) {
	t.Helper()
	s.ahead(t)
	for n := range turns {
		require.True(t, s.take(t, rate.Request{Most: n + 1}).Granted)
		s.ahead(t)
	}
}

func TestShareOfAClassIsLeftToTheMoreUrgent(t *testing.T) {
	s := newRequests(t)
	s.took(t, 3)
	no := s.take(t, rate.Request{Most: 3})
	require.False(t, no.Granted)
	require.Positive(t, no.Wait)
	require.LessOrEqual(t, no.Wait, rate.Window+100*time.Millisecond)
	s.ahead(t)
	require.True(t, s.take(t, rate.Request{Most: 5}).Granted)
}

func TestWaitThatWasToldIsLongEnough(t *testing.T) {
	s := newRequests(t)
	no := s.take(t, rate.Request{Most: 1})
	for tries := 0; no.Granted && tries < 1000; tries++ {
		no = s.take(t, rate.Request{Most: 1})
	}
	require.False(t, no.Granted)
	timer := time.NewTimer(no.Wait)
	<-timer.C
	require.True(t, s.take(t, rate.Request{Most: 1}).Granted)
}

func TestRequestsSentWithoutTheDatabaseCount(t *testing.T) {
	s := newRequests(t)
	require.False(t, s.take(t, rate.Request{Most: 4, Spent: 4}).Granted)
	s.ahead(t)
	require.True(t, s.take(t, rate.Request{Most: 5}).Granted)
	s.ahead(t)
	require.False(t, s.take(t, rate.Request{Most: 5}).Granted)
}

func TestClockOfTheDatabaseSetBackGrantsNothingTwice(t *testing.T) {
	s := newRequests(t)
	s.took(t, 3)
	no := s.take(t, rate.Request{Most: 3})
	require.False(t, no.Granted)
	require.LessOrEqual(t, no.Wait, rate.Window+100*time.Millisecond, "and stops nobody for an hour")
}

func TestWhatTheExchangeSaysHoldsForEveryWorker(t *testing.T) {
	s := newRequests(t)
	heed := func(n rate.Notice) { require.NoError(t, s.HeedExchange(t.Context(), requester, n)) }
	ask := func(floor int) rate.Grant { return s.take(t, rate.Request{Most: 1000, Floor: floor}) }

	began := time.Now()
	heed(rate.Notice{Limit: 1000, Left: 200, Reset: time.Hour})
	require.False(t, ask(300).Granted)
	require.True(t, ask(150).Granted)
	heed(rate.Notice{Limit: 1000, Left: 400, Reset: 59 * time.Minute})
	require.False(t, ask(300).Granted, "a reply that was overtaken")
	for _, n := range []rate.Notice{{}, {Ban: time.Hour}, {Ban: time.Second}} {
		heed(n)
		wait := ask(300).Wait
		require.LessOrEqual(t, wait, time.Hour+time.Millisecond)
		require.GreaterOrEqual(t, wait, time.Hour-time.Since(began)-time.Millisecond, "never shortened")
	}
	require.False(t, ask(0).Granted)
	_, err := s.pool.Exec(t.Context(), `UPDATE interlock.request_budgets SET banned_until = clock_timestamp()`)
	require.NoError(t, err)
	require.False(t, ask(300).Granted, "a ban says nothing of the weight")
	_, err = s.pool.Exec(t.Context(), `UPDATE interlock.request_budgets SET reset_at = clock_timestamp()`)
	require.NoError(t, err)
	require.True(t, ask(300).Granted, "a new minute")
	heed(rate.Notice{Limit: 1000, Left: 900, Reset: time.Minute})
	require.True(t, ask(300).Granted)
}

func TestOnlyTheRoleWithTheTradeKeyTakesTurns(t *testing.T) {
	s := newRequests(t)
	for role, may := range map[string]bool{
		"interlock_orders": true, "interlock_proposals": false, "interlock_scans": false, "interlock_api": false, "interlock_operator": false,
	} {
		var has bool
		err := s.pool.QueryRow(t.Context(), `SELECT has_function_privilege($1, 'interlock.take_request(text, int, int, int)', 'EXECUTE')
			AND has_function_privilege($1, 'interlock.heed_exchange(text, int, int, bigint, bigint)', 'EXECUTE')`, role).Scan(&has)
		require.NoError(t, err)
		require.Equal(t, may, has, role)
	}
}

func BenchmarkTakeRequest(b *testing.B) {
	s, err := Open(b.Context(), devtest.Database(b, migrations.Up), ForRequests)
	require.NoError(b, err)
	defer s.Close()
	_, err = s.pool.Exec(b.Context(), `INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('a', 'paper', 'http://x/v2')`)
	require.NoError(b, err)
	for b.Loop() {
		_, err := s.TakeRequest(b.Context(), requester, rate.Request{Most: 1000})
		require.NoError(b, err)
	}
}
