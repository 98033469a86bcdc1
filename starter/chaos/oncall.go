package chaos

import (
	"context"
	"strings"
	"time"

	"interlock/internal/trade"
)

// onCallEvery is how often the person on call looks.
const onCallEvery = time.Second

// onCall resumes what the repeat throttle has halted, as a person would who
// finds that the campaign is meant to be busy. Other halts are not theirs: an
// alarm must end the trading of a campaign.
func (c *campaign) onCall(ctx context.Context) {
	for pause(ctx, onCallEvery) == nil {
		states, err := c.store.TradingStates(ctx)
		if err != nil {
			continue // the database is being disturbed; look again
		}
		for _, s := range states {
			if s.State == trade.Halted && strings.HasPrefix(s.Reason, trade.RunawayReason) && c.resume(ctx) == nil {
				c.sayf("resumed after the repeat throttle")
			}
		}
	}
}
