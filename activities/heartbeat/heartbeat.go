// Package heartbeat lets an activity that talks to strangers be missed soon
// when its worker dies. It decides nothing else.
package heartbeat

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// every is well below the heartbeat timeout that the workflows ask for, so
// that only a dead or frozen worker misses it.
const every = time.Second

// Keep tells Temporal that this worker lives until stop is called. A lost
// worker is noticed by the missing beat, long before the activity's own
// timeout; a beat that is missed for nothing only means that somebody looks.
func Keep(ctx context.Context) (stop func()) {
	if !activity.IsActivity(ctx) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return cancel
}
