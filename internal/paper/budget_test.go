package paper

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWeightIsShownAndNeverRefusedByDefault(t *testing.T) {
	b := newBench(t)
	a := b.get("/ticker/24h")
	require.Equal(t, "1000", a.header.Get("bitvavo-ratelimit-limit"))
	require.Equal(t, "975", a.header.Get("bitvavo-ratelimit-remaining"))
	nextMinute := strconv.FormatInt(b.clock.Now().Truncate(time.Minute).Add(time.Minute).UnixMilli(), 10)
	require.Equal(t, nextMinute, a.header.Get("bitvavo-ratelimit-resetat"))
	for range 50 {
		a = b.get("/ticker/24h")
	}
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, "0", a.header.Get("bitvavo-ratelimit-remaining"))
	b.clock.Move(time.Minute)
	require.Equal(t, "999", b.get("/time").header.Get("bitvavo-ratelimit-remaining"), "a new minute")
}

func TestKeyOverItsBudgetIsBannedForTheMinuteAfter(t *testing.T) {
	b := newBench(t, func(c *Config) { c.WeightPerMinute = 20 })
	b.clock.Move(15 * time.Second)
	for range 4 {
		require.Equal(t, http.StatusOK, b.call(b.key, "GET", "/balance", "").status)
	}
	a := b.call(b.key, "GET", "/balance", "")
	require.Equal(t, http.StatusTooManyRequests, a.status)
	require.Equal(t, 105, a.code(t))
	until := time.Date(2026, 3, 4, 12, 2, 0, 0, time.UTC)
	require.Contains(t, a.object(t)["error"], " at "+strconv.FormatInt(until.UnixMilli(), 10)+".")
	require.Equal(t, "0", a.header.Get("bitvavo-ratelimit-remaining"))
	require.Equal(t, 105, b.call(b.key, "POST", "/order", orderJSON(nil)).code(t))
	require.Empty(t, b.recorded())
	require.Equal(t, http.StatusOK, b.call(b.other, "GET", "/balance", "").status, "another key")

	b.clock.Move(until.Sub(b.clock.Now()) - time.Millisecond)
	require.Equal(t, 105, b.call(b.key, "GET", "/time", "").code(t))
	b.clock.Move(time.Millisecond)
	require.Equal(t, http.StatusOK, b.call(b.key, "GET", "/time", "").status)
}

func TestAddressOverItsBudgetIsBannedLonger(t *testing.T) {
	b := newBench(t, func(c *Config) { c.WeightPerMinute = 20 })
	require.Equal(t, 105, b.get("/ticker/24h").code(t))
	b.clock.Move(15 * time.Minute)
	require.Equal(t, 105, b.get("/time").code(t))
	b.clock.Move(time.Minute)
	require.Equal(t, http.StatusOK, b.get("/time").status)
}

func TestCancelsAreNotCounted(t *testing.T) {
	b := newBench(t)
	a := b.call(b.key, "DELETE", "/orders?operatorId=1", "")
	require.Equal(t, "1000", a.header.Get("bitvavo-ratelimit-remaining"))
}
