package orders

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNowCountsOnFromOneReading(t *testing.T) {
	v := newVenue(t)
	elapsed := time.Hour
	v.client.clock.elapsed = func() time.Duration { return elapsed }

	first, err := v.client.Now(ctx(t))
	require.NoError(t, err)
	require.Equal(t, venueTime, first)

	elapsed += measureAgain
	later, err := v.client.Now(ctx(t))
	require.NoError(t, err)
	require.Equal(t, venueTime.Add(measureAgain), later)
	require.Len(t, v.requests("GET /v2/time"), 1)
}

func TestReadingOlderThanThirtySecondsIsNotUsed(t *testing.T) {
	v := newVenue(t)
	elapsed := time.Duration(0)
	v.client.clock.elapsed = func() time.Duration { return elapsed }
	_, err := v.client.Now(ctx(t))
	require.NoError(t, err)

	elapsed = measureAgain + 1
	v.on("GET /v2/time", says(503, ``))
	_, err = v.client.Now(ctx(t))
	require.ErrorIs(t, err, ErrUnavailable)
}

// The reply is made before it travels: counting from its departure, or from
// the request, would run ahead of the exchange.
func TestEstimateIsNeverAheadOfTheExchange(t *testing.T) {
	v := newVenue(t)
	elapsed := time.Duration(0)
	v.client.clock.elapsed = func() time.Duration { return elapsed }
	v.on("GET /v2/time", func(w http.ResponseWriter, r *http.Request) {
		says(200, fmt.Sprintf(`{"time":%d}`, venueTime.UnixMilli()))(w, r)
		elapsed += 3 * time.Second // the way back
	})
	now, err := v.client.Now(ctx(t))
	require.NoError(t, err)
	require.Equal(t, venueTime, now)
	again, err := v.client.Now(ctx(t))
	require.NoError(t, err)
	require.False(t, again.After(venueTime.Add(3*time.Second)))
}

func TestReadThatArrivesOutsideItsWindowForgetsTheClock(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/balance", says(403, string(errorBody(304))))
	_, err := v.client.Balances(ctx(t))
	require.Error(t, err)
	_, known := v.client.clock.estimate()
	require.False(t, known)
}

func TestReadsAreSignedAtTheExchangesTime(t *testing.T) {
	v := newVenue(t)
	v.client.clock.elapsed = func() time.Duration { return 0 }
	v.on("GET /v2/balance", says(200, `[]`))
	_, err := v.client.Balances(ctx(t))
	require.NoError(t, err)
	header := v.requests("GET /v2/balance")[0].header
	require.Equal(t, "1548172481125", header.Get("Bitvavo-Access-Timestamp"))
	require.Equal(t, "10000", header.Get("Bitvavo-Access-Window"))
}
