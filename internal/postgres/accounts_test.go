package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func TestAccountIsCreatedOnceAndKeepsItsVenue(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := Account{ID: "paper", Venue: "paper", RESTURL: "http://127.0.0.1:1/v2", Label: "mine"}
	errs := make([]error, 10)
	rivals(len(errs), func(i int) { errs[i] = s.CreateAccount(ctx, a) })
	for _, err := range errs {
		require.NoError(t, err)
	}
	stored, err := s.Account(ctx, "paper")
	require.NoError(t, err)
	require.Equal(t, trade.DefaultReadLag, stored.ReadLag)
	require.Equal(t, "mine", stored.Label)

	for _, other := range []Account{
		{ID: "paper", Venue: "live", RESTURL: a.RESTURL}, {ID: "paper", Venue: "paper", RESTURL: "http://127.0.0.1:2/v2"},
	} {
		require.ErrorIs(t, s.CreateAccount(ctx, other), ErrConflict)
	}
	reports, err := s.VerifyAudit(ctx)
	require.NoError(t, err)
	require.Len(t, reports, 1)
	require.EqualValues(t, 1, reports[0].Rows)
}

func TestAccountThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, a := range []Account{
		{ID: "", Venue: "paper", RESTURL: "u"}, {ID: "a b", Venue: "paper", RESTURL: "u"},
		{ID: "a", Venue: "elsewhere", RESTURL: "u"}, {ID: "a", Venue: "paper", RESTURL: "u", ReadLag: -time.Second},
	} {
		require.ErrorIs(t, s.CreateAccount(ctx, a), ErrInvalid, "%+v", a)
	}
	_, err := s.Account(ctx, "a")
	require.ErrorIs(t, err, ErrNotFound)
	list, err := s.Accounts(ctx)
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestNewAccountTradesUntilItIsHalted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	operator := d.as(OperatorRole)
	require.NoError(t, operator.CreateAccount(ctx, Account{ID: "second", Venue: "paper", RESTURL: "u", ReadLag: time.Minute}))
	list, err := operator.Accounts(ctx)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, time.Minute, list[1].ReadLag)
	states, err := operator.TradingStates(ctx)
	require.NoError(t, err)
	require.Len(t, states, 3)
	for _, s := range states {
		require.Equal(t, trade.Active, s.State)
	}
}
