package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// asked executes p under a request ID that somebody chose, with an override of
// its own when it gives a reason.
func (d desk) asked(id, reason string) trade.Decision {
	d.t.Helper()
	req := trade.Request{ID: id, ProposalID: "p", Actor: "anna", Via: "update", OverrideCooldown: reason != "", Reason: reason}
	decision, err := d.Preflight(ctx, req)
	require.NoError(d.t, err)
	return decision
}

func TestAnOverrideThatBearsTheRequestsIDIsUsedOrBlocksAndIsNeverABug(t *testing.T) {
	t.Parallel()
	blocked := []trade.Code{trade.CooldownBlocked}
	flip := trade.Override{ID: "r", ProposalID: "p", AntiFlip: true, Actor: "anna", Reason: "news"}
	for name, c := range map[string]struct {
		given  trade.Override
		used   bool
		reason string
		claims bool
	}{
		"it lifts, and the request brings none":       {given("r", "p", ""), false, "", true},
		"it lifts, and the request brings one":        {given("r", "p", ""), false, "mine", true},
		"it lifts something else":                     {flip, false, "mine", false},
		"it is used up, and the request brings one":   {given("r", "p", ""), true, "mine", false},
		"it is used up, and the request brings none":  {given("r", "p", ""), true, "", false},
		"it was stored to be executed at once":        {given("override:a", "p", ""), false, "", true},
		"another ID, and the request brings its own":  {flip, false, "other", true},
		"another ID, and the request brings no other": {given("s", "p", ""), false, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := cooled(t, cooling)
			require.Empty(t, d.override(c.given))
			if c.used {
				d.exec(`UPDATE interlock.overrides SET consumed_by = 'an earlier request'`)
			}
			id := c.given.ID
			if c.reason == "other" || id == "s" {
				id = "another"
			}
			decision := d.asked(id, c.reason)
			if c.claims {
				require.NotNil(t, decision.Claim)
				require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.overrides WHERE consumed_by = $1`, id))
				return
			}
			require.Equal(t, blocked, codes(decision.Verdict))
			if c.reason != "" {
				require.Contains(t, decision.Verdict.Blocks()[0].Message, "bears the ID of this request")
			}
		})
	}
}
