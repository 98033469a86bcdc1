package postgres

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func somePolicy(t *testing.T) trade.Policy {
	t.Helper()
	text, err := os.ReadFile("../trade/testdata/policy.json")
	require.NoError(t, err)
	p, err := trade.ParsePolicy(text)
	require.NoError(t, err)
	return p
}

func TestPolicyVersionsCountUpAndTheSameOneIsKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.as(APIRole)
	p := somePolicy(t)
	_, _, err := s.Policy(ctx, "bert", account)
	require.ErrorIs(t, err, ErrNotFound)
	for _, want := range []struct{ trades, version int }{{10, 1}, {10, 1}, {11, 2}, {11, 2}, {10, 3}} {
		p.TradesPerDay = trade.CountLimit{Value: want.trades}
		version, err := s.PutPolicy(ctx, "bert", account, p, "bert")
		require.NoError(t, err)
		require.Equal(t, want.version, version)
	}
	stored, version, err := s.Policy(ctx, "bert", account)
	require.NoError(t, err)
	require.Equal(t, 3, version)
	require.Equal(t, 10, stored.TradesPerDay.Value)
	require.Equal(t, 3, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'policy.stored' AND user_id = 'bert'`))
}

func TestRivalPoliciesGetVersionsWithoutGapOrDouble(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	versions := make([]int, 12)
	rivals(len(versions), func(i int) {
		p := somePolicy(t)
		p.TradesPerDay = trade.CountLimit{Value: 100 + i}
		require.NoError(t, outwait(func() (err error) { versions[i], err = d.PutPolicy(ctx, "bert", account, p, "bert"); return err }))
	})
	slices.Sort(versions)
	require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, versions)

	same := make([]int, 12)
	rivals(len(same), func(i int) { same[i], _ = d.PutPolicy(ctx, "carl", account, somePolicy(t), "carl") })
	require.Equal(t, slices.Repeat([]int{1}, 12), same)
}

func TestPolicyWrittenOtherwiseIsTheSamePolicy(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	text, err := json.MarshalIndent(somePolicy(t), " ", "   ")
	require.NoError(t, err)
	d.exec(`INSERT INTO interlock.trading_policies VALUES ('bert', 'paper', 4, $1::json, 'another program')`, string(text))
	version, err := d.PutPolicy(ctx, "bert", account, somePolicy(t), "bert")
	require.NoError(t, err)
	require.Equal(t, 4, version)
}

func TestPolicyThatDoesNotReadBackIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.PutPolicy(ctx, "bert", account, trade.Policy{}, "bert")
	require.ErrorIs(t, err, ErrInvalid)
	_, err = d.PutPolicy(ctx, "bert", "nowhere", somePolicy(t), "bert")
	require.ErrorIs(t, err, ErrInvalid)
	_, err = d.PutPolicy(ctx, "no good", account, somePolicy(t), "bert")
	require.ErrorIs(t, err, ErrInvalid)

	d.exec(`INSERT INTO interlock.trading_policies VALUES ('carl', 'paper', 7, '{"cooldown":"1h"}', 'another program')`)
	p, version, err := d.Policy(ctx, "carl", account)
	require.ErrorIs(t, err, ErrInvalid)
	require.Equal(t, 7, version)
	require.Zero(t, p)
	version, err = d.PutPolicy(ctx, "carl", account, somePolicy(t), "carl")
	require.NoError(t, err)
	require.Equal(t, 8, version)
}
