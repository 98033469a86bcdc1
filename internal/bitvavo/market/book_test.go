package market

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBookIsItsBestLevelsAndWhatStandsOnThem(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/BTC-EUR/book", says(200, `{"market":"BTC-EUR","nonce":1,"bids":[["100","2"],["99","1"]],"asks":[["101","3"]]}`))
	d, err := v.reader.Book(t.Context(), "BTC-EUR", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"100", "101", "299", "303"}, []string{d.Bid.String(), d.Ask.String(), d.BidQuote.String(), d.AskQuote.String()})
	require.Equal(t, "depth=10", v.last().URL.RawQuery)

	v.on("/v2/BTC-EUR/book", says(200, `{"market":"BTC-EUR","nonce":1,"bids":[],"asks":[]}`))
	d, err = v.reader.Book(t.Context(), "BTC-EUR", 10)
	require.NoError(t, err)
	require.True(t, d.Bid.IsZero() && d.Ask.IsZero())
}

func TestDoubtfulBookIsAnError(t *testing.T) {
	v := newVenue(t)
	for _, body := range []string{
		`{"market":"ETH-EUR","bids":[["1","1"]],"asks":[["2","1"]]}`, `{"market":"BTC-EUR","bids":[["1"]],"asks":[]}`,
		`{"market":"BTC-EUR","bids":[["-1","1"]],"asks":[]}`, `{"market":"BTC-EUR","bids":[["1","1e9"]],"asks":[]}`, `{}`, `[]`, `null`,
	} {
		v.on("/v2/BTC-EUR/book", says(200, body))
		_, err := v.reader.Book(t.Context(), "BTC-EUR", 10)
		require.ErrorIs(t, err, ErrUnavailable, body)
	}
	_, err := v.reader.Book(t.Context(), "BTC-EUR/../x", 10)
	require.Error(t, err)
	_, err = v.reader.Book(t.Context(), "BTC-EUR", 0)
	require.Error(t, err)
}
