package trade

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The verification tests of the earlier system that need no store: 3, 4 and 5,
// with its cooldown of 60 and antiFlip of 120 minutes.

func TestEarlierSystem3AllowlistDenyByDefault(t *testing.T) {
	s := calm(t)
	require.NoError(t, s.policy.Allowlist.UnmarshalJSON([]byte(`[]`)))
	require.Equal(t, AllowlistEmpty, s.verdict().Blocks()[0].Code)

	require.NoError(t, s.policy.Allowlist.UnmarshalJSON([]byte(`["BTC/EUR"]`)))
	require.False(t, s.verdict().Blocked())
}

func TestEarlierSystem4Cooldown(t *testing.T) {
	s := calm(t)
	s.policy.Cooldown = Duration(time.Hour)
	s.traded(Buy, 30*time.Minute)
	require.Equal(t, []Code{CooldownBlocked}, codes(s.verdict()))

	s.req.OverrideCooldown, s.req.Reason = true, "news"
	require.False(t, s.verdict().Blocked())
}

func TestEarlierSystem5AntiFlip(t *testing.T) {
	s := calm(t)
	s.policy.Cooldown, s.policy.AntiFlip = Duration(time.Hour), Duration(2*time.Hour)
	s.p.Side = Sell
	s.traded(Buy, time.Hour)
	require.Equal(t, []Code{AntiFlipBlocked}, codes(s.verdict()), "the cooldown is just over")

	s.req.OverrideAntiFlip, s.req.Reason = true, "news"
	require.False(t, s.verdict().Blocked())
}
