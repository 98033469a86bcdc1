package market

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/paper"
)

func TestPaperExchangeIsReadThroughTheOfficialClient(t *testing.T) {
	key := paper.NewKey("main", paper.View)
	exchange, err := paper.New(paper.Config{Keys: []paper.Key{key}})
	require.NoError(t, err)
	require.NoError(t, exchange.Pin("BTC-EUR", "80000"))
	server := httptest.NewServer(exchange.Handler())
	t.Cleanup(func() { require.NoError(t, exchange.Close()) })
	t.Cleanup(server.Close)
	r, err := New(Config{URL: server.URL + "/v2", Key: key.Key, Secret: key.Secret})
	require.NoError(t, err)
	t.Cleanup(r.Close)

	_, err = r.Time(t.Context())
	require.NoError(t, err)
	prices, err := r.Prices(t.Context())
	require.NoError(t, err)
	require.Equal(t, "80000", prices["BTC-EUR"].String())
	tops, err := r.BookTops(t.Context())
	require.NoError(t, err)
	require.True(t, tops["BTC-EUR"].Bid.LessThan(tops["BTC-EUR"].Ask))
	rules, err := r.Rules(t.Context())
	require.NoError(t, err)
	require.Len(t, rules, len(prices))
	require.Equal(t, int32(8), rules["BTC-EUR"].QuantityDecimals)
	candles, err := r.Candles(t.Context(), "BTC-EUR", "1m", 3)
	require.NoError(t, err)
	require.NotEmpty(t, candles)
	balances, err := r.Balance(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, balances)
}
