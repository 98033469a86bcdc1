package trade

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A runaway is a throttle that is full, for somebody who could trade but for it.
func TestOnlyAFullThrottleIsARunaway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		reason := Runaway(s.p, s.f)
		throttled := false
		for _, b := range s.verdict().Blocks() {
			throttled = throttled || b.Code == RepeatThrottle
		}
		if reason != "" {
			require.True(t, throttled, "what halts also blocks")
			require.False(t, s.policy.RepeatThrottle.Unlimited)
			require.NotEqual(t, Halted, s.f.Control)
			require.Contains(t, reason, RunawayReason)
		}
		if throttled && s.policy.RepeatThrottle.Executions > 0 && s.p.Status.Executable() && s.f.Control != Halted {
			require.NotEmpty(t, reason, "a throttle with room blocks only when it is full, and then halts")
		}
	})
}

// Otherwise the first request after a resume would halt again.
func TestAResumeStartsTheCountAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		for i, at := range s.f.Executions {
			if !at.Before(s.f.Now) {
				s.f.Executions[i] = s.f.Now.Add(-time.Second)
			}
		}
		s.f.ResumedAt = s.f.Now
		require.Empty(t, Runaway(s.p, s.f))
		room := rapid.IntRange(1, 5).Draw(t, "room")
		s.policy.RepeatThrottle = Throttle{Executions: room, Window: Duration(time.Hour)}
		s.p.Status, s.f.Control = Pending, Active
		for n := 0; n < room; n++ {
			require.Empty(t, Runaway(s.p, s.f), "%d of %d", n, room)
			s.f.Executions = append(s.f.Executions, s.f.Now)
		}
		require.NotEmpty(t, Runaway(s.p, s.f))
	})
}

func TestALaterResumeNeverMakesARunaway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		before := Runaway(s.p, s.f)
		s.f.ResumedAt = s.f.ResumedAt.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "minutes")) * time.Minute)
		if before == "" {
			require.Empty(t, Runaway(s.p, s.f))
		}
	})
}

func TestWithoutAPolicyNothingIsARunaway(t *testing.T) {
	s := calm(t)
	s.f.Policy = nil
	require.Empty(t, Runaway(s.p, s.f))
}
