package trade

import "time"

// Followed is what the records say of how a claim is carried out, to find the
// run that does not know of it: after Temporal was restored from a copy, or
// when the answer of a preflight was lost.
type Followed struct {
	At     time.Time // when somebody last acted on it; the claim itself is the first time
	ToldAt time.Time // when its run was last told to read the truth; zero: never
	Told   int       // how often since it was last followed
}

// Tell reports whether the run should be told now, and how often that is since
// somebody followed the claim. A run that knows of its claim and waits for a
// worker is told too, ever more seldom: each time is a signal in its history,
// and a history is full one day.
func (f Followed) Tell(now time.Time) (tell bool, told int) {
	told = f.Told
	if f.At.After(f.ToldAt) {
		told = 0
	}
	if now.Sub(f.At).Abs() < SendWithin || told > 0 && now.Sub(f.ToldAt).Abs() < tellPause(told) {
		return false, told
	}
	return true, told + 1
}

// tellPause is how long a run that was told so often is left alone: at most
// some ten thousand times in ten weeks.
func tellPause(told int) time.Duration {
	const first, most = 15 * time.Second, 10 * time.Minute
	pause := first
	for ; told > 1 && pause < most; told-- {
		pause *= 2
	}
	return min(pause, most)
}
