package paper

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

const shownLimit = 1000

// weightBudget counts the weight of requests per key or address and whole
// minute. Who exceeds it is banned: a key for the minute after, an address for
// the quarter of an hour after.
type weightBudget struct {
	mu     sync.Mutex
	limit  int // 0 counts and never bans
	spends map[string]*spend
}

type spend struct {
	minute int64
	used   int
	until  time.Time
	// silent leaves the end of the ban out of its text.
	silent bool
}

// meter is what one request is told about its budget.
type meter struct {
	limit, remaining int
	resetAt          int64
	banned           error
}

func newWeightBudget(limit int) *weightBudget {
	return &weightBudget{limit: limit, spends: map[string]*spend{}}
}

func (b *weightBudget) charge(payer string, key bool, weight int, now time.Time) meter {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(payer)
	minute := now.Truncate(time.Minute)
	if s.minute != minute.UnixMilli() {
		s.minute, s.used = minute.UnixMilli(), 0
	}
	s.used += weight
	next := minute.Add(time.Minute)
	if b.limit > 0 && s.used > b.limit && now.After(s.until) {
		s.until, s.silent = next.Add(time.Minute), false
		if !key {
			s.until = next.Add(15 * time.Minute)
		}
	}
	m := meter{limit: b.limit, resetAt: next.UnixMilli()}
	if m.limit == 0 {
		m.limit = shownLimit
	}
	m.remaining = max(m.limit-s.used, 0)
	if now.Before(s.until) {
		m.remaining, m.banned = 0, banText(s.until, s.silent)
	}
	return m
}

func (b *weightBudget) of(payer string) *spend {
	s, ok := b.spends[payer]
	if !ok {
		s = &spend{}
		b.spends[payer] = s
	}
	return s
}

// ban turns a payer away until a moment and says so, now and each time it asks.
func (b *weightBudget) ban(payer string, until time.Time, silent bool) refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(payer)
	s.until, s.silent = until, silent
	return banText(until, silent)
}

// banText has the wording that older clients cut the time out of, or the one
// without a time that they stumble over.
func banText(t time.Time, silent bool) refusal {
	if silent {
		return refusef(codeRateLimit, "Rate limit exceeded.")
	}
	return refusal{codeRateLimit, fmt.Sprintf("Your IP or API key has been banned for not respecting the rate limit. The ban expires at %d.", t.UnixMilli())}
}

func (m meter) stamp(header map[string]string) {
	header["bitvavo-ratelimit-limit"] = strconv.Itoa(m.limit)
	header["bitvavo-ratelimit-remaining"] = strconv.Itoa(m.remaining)
	header["bitvavo-ratelimit-resetat"] = strconv.FormatInt(m.resetAt, 10)
}
