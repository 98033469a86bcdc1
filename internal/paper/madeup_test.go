package paper

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMadeUpMarketsTradeBesideTheOthers(t *testing.T) {
	t.Parallel()
	key := NewKey("paper", View, Trade)
	cfg := Config{Keys: []Key{key}}.WithMadeUp(3)
	e, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.Len(t, e.markets, len(DefaultMarkets())+3)
	require.Contains(t, e.markets, "X3-EUR")
	require.Len(t, cfg.Balances, len(DefaultBalances())+3)
	require.NotContains(t, DefaultBalances(), "X3", "the defaults stay as they are")
	require.Len(t, Config{}.WithMadeUp(0).Markets, len(DefaultMarkets()))
}
