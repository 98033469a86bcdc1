package trade

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// told counts how often sweeps tell a run of its claim, within a time.
func told(f Followed, within, every time.Duration) int {
	n, at := 0, f.At
	for now := f.At; now.Before(at.Add(within)); now = now.Add(every) {
		if tell, count := f.Tell(now); tell {
			f.ToldAt, f.Told = now, count
			n++
		}
	}
	return n
}

func TestHoweverOftenSomebodySweepsARunIsToldEverMoreSeldom(t *testing.T) {
	claim := Followed{At: noon}
	for _, every := range []time.Duration{time.Second, 15 * time.Second, time.Minute} {
		require.LessOrEqual(t, told(claim, 42*time.Hour, every), 260, every)
		require.Less(t, told(claim, 60*24*time.Hour, every), 10_000, every)
		require.GreaterOrEqual(t, told(claim, 24*time.Hour, every), 24*6-10, "it is told all the same")
	}
}

// After Temporal was set back to a copy, a run rests that had claimed: nothing
// but this tells it.
func TestARunThatForgotItsClaimIsToldWithinHalfAMinute(t *testing.T) {
	tell, _ := Followed{At: noon}.Tell(noon.Add(30 * time.Second))
	require.True(t, tell)
}

func TestARunIsToldAtOnceWhenSomebodyFollowedAndStopped(t *testing.T) {
	long := Followed{At: noon, ToldAt: noon.Add(-1), Told: 50}
	for at, tells := range map[time.Duration]bool{0: false, SendWithin - 1: false, SendWithin: true} {
		tell, count := long.Tell(noon.Add(at))
		require.Equal(t, tells, tell, at)
		if tell {
			require.Equal(t, 1, count, "and counted anew")
		}
	}
}

func TestWhenARunIsTold(t *testing.T) {
	at := func(ago time.Duration) time.Time { return noon.Add(-ago) }
	for name, c := range map[string]struct {
		f    Followed
		tell bool
	}{
		"followed":                       {Followed{At: at(29 * time.Second)}, false},
		"not followed":                   {Followed{At: at(30 * time.Second)}, true},
		"just told":                      {Followed{At: at(time.Minute), ToldAt: at(15*time.Second - 1), Told: 1}, false},
		"told a while ago":               {Followed{At: at(time.Minute), ToldAt: at(15 * time.Second), Told: 1}, true},
		"told twice":                     {Followed{At: at(time.Minute), ToldAt: at(29 * time.Second), Told: 2}, false},
		"told for a week":                {Followed{At: at(time.Hour), ToldAt: at(10*time.Minute - 1), Told: 1000}, false},
		"told at the most":               {Followed{At: at(time.Hour), ToldAt: at(10 * time.Minute), Told: 1000}, true},
		"told by a clock that was ahead": {Followed{At: at(time.Hour), ToldAt: at(-time.Hour), Told: 3}, true},
	} {
		tell, _ := c.f.Tell(noon)
		require.Equal(t, c.tell, tell, name)
	}
}
