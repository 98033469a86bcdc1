package api

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// pace bounds how often each of many may do something. It remembers the latest
// of them only: who was forgotten begins anew.
type pace struct {
	each  rate.Limit
	burst int
	known *lru.Cache[string, *rate.Limiter]
}

func newPace(perSecond float64, burst int) *pace {
	known, _ := lru.New[string, *rate.Limiter](keptPaces) // it fails for no size only
	return &pace{each: rate.Limit(perSecond), burst: burst, known: known}
}

func (p *pace) of(key string) *rate.Limiter {
	l, known := p.known.Get(key)
	if known {
		return l
	}
	l = rate.NewLimiter(p.each, p.burst)
	if rival, known, _ := p.known.PeekOrAdd(key, l); known {
		return rival
	}
	return l
}

// take lets key do it once more, or says how long it has to wait.
func (p *pace) take(key string, now time.Time) time.Duration {
	r := p.of(key).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// wait says how long key has to wait, without doing it.
func (p *pace) wait(key string, now time.Time) time.Duration {
	missing := 1 - p.of(key).TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(p.each) * float64(time.Second))
}
