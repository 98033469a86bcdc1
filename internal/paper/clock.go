package paper

import (
	"fmt"
	"net/http"
	"time"
)

// The exchange tells time by its own clock, which may be off the machine's.
// Whatever it says or checks is on its own: answers, orders, fills, windows,
// bans, candles. Prices step by the machine's, or they would leap with the
// offset; an order notes how far off the clock was when it was stamped.

// now is the time as the exchange tells it.
func (e *Exchange) now() time.Time { return e.cfg.Clock().Add(e.offset()) }

func (e *Exchange) offset() time.Duration { return time.Duration(e.skew.Load()) }

// machine turns a time as the exchange tells it into the machine's.
func (e *Exchange) machine(t time.Time) time.Time { return t.Add(-e.offset()) }

// since is how long ago a stamp was made that was off by skewMs.
func (e *Exchange) since(stamp, skewMs int64, now time.Time) time.Duration {
	return ms(e.machine(now).UnixMilli() - (stamp - skewMs))
}

// furthest bounds the offset, so that every stamp stays one of 13 digits.
const furthest = 365 * day

// setClock puts the exchange's clock off the machine's.
func setClock(e *Exchange, r *http.Request) (any, error) {
	in, err := readJSON[struct{ OffsetMs int64 }](r)
	if err != nil {
		return nil, err
	}
	if in.OffsetMs > furthest.Milliseconds() || in.OffsetMs < -furthest.Milliseconds() {
		return nil, fmt.Errorf("offset %d ms: want up to %d either way", in.OffsetMs, furthest.Milliseconds())
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// What happened until now happened at the old time.
	e.catchUp(e.now())
	e.skew.Store(int64(ms(in.OffsetMs)))
	return map[string]int64{"offsetMs": in.OffsetMs, "time": e.now().UnixMilli()}, nil
}
