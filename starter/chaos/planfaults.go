package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Fault is what the exchange is told to do wrong, in the form of its admin
// side, and the name under which it is counted.
type Fault struct {
	Name     string  `json:"-"`
	Kind     string  `json:"kind"`
	Method   string  `json:"method,omitempty"`
	Path     string  `json:"path,omitempty"`
	Exact    bool    `json:"exact,omitempty"`
	Count    int     `json:"count,omitempty"`
	Chance   float64 `json:"chance,omitempty"`
	DelayMs  int64   `json:"delayMs,omitempty"`
	AfterMs  int64   `json:"afterMs,omitempty"`
	ForMs    int64   `json:"forMs,omitempty"`
	Code     int     `json:"code,omitempty"`
	Placed   bool    `json:"placed,omitempty"`
	NoExpiry bool    `json:"noExpiry,omitempty"`
}

// strikesEach is how often each fault of placing is meant to strike. With three
// expected strikes one in twenty faults is missed, and struck on purpose later.
const strikesEach = 3

// mostChance keeps a small campaign from being nothing but faults.
const mostChance = 0.02

// planFaults is the schedule of the exchange. Chances follow the number of
// proposals, lengths the seed.
func planFaults(s Settings) []Fault {
	r := s.stream(streamFaults)
	placing := min(strikesEach/float64(s.Proposals), mostChance)
	// There are dozens of reads for one order, and a comparison of the account,
	// without which nothing trades, needs forty that all succeed.
	reading := min(0.4/float64(s.Proposals), 0.002)
	order := Fault{Method: "POST", Path: "/order", Exact: true, Chance: placing}
	reads := Fault{Method: "GET", Path: "/order", Chance: reading}
	clock := Fault{Method: "GET", Path: "/time", Exact: true, Chance: reading}
	cancel := Fault{Method: "DELETE", Path: "/order", Exact: true, Chance: 0.1}
	return slices.Concat(
		each(order, answersLost()), each(order, answersWrong()), each(order, answersLate(r)), each(order, endsOddly(r)), each(order, bans(r)),
		each(reads, readsFail(r)), each(clock, clockFails(r)), each(cancel, cancelsFail()),
	)
}

// each makes every fault of list strike the requests that strikes describes.
func each(strikes Fault, list []Fault) []Fault {
	for i := range list {
		list[i].Method, list[i].Path, list[i].Exact, list[i].Chance = strikes.Method, strikes.Path, strikes.Exact, strikes.Chance
	}
	return list
}

func millis(r *rand.Rand, least, most time.Duration) int64 {
	return between(r, least, most).Milliseconds()
}

func answersLost() []Fault {
	return []Fault{
		{Name: "accepted, reply lost", Kind: "accept-then-drop"},
		{Name: "lost on the way", Kind: "drop-before"},
		{Name: "connection reset", Kind: "down"},
		{Name: "redirected", Kind: "redirect"},
	}
}

// answersWrong deny or hide what became of an order, with and without it.
func answersWrong() []Fault {
	list := []Fault{
		{Name: "502 page, placed", Kind: "html", Placed: true},
		{Name: "502 page", Kind: "html"},
		{Name: "200 {}", Kind: "empty"},
		{Name: "200 cut short", Kind: "truncated"},
	}
	for _, code := range []int{101, 107, 108, 109} {
		list = append(list,
			Fault{Name: fmt.Sprintf("503 %d, placed", code), Kind: "503", Code: code, Placed: true},
			Fault{Name: fmt.Sprintf("503 %d", code), Kind: "503", Code: code})
	}
	return list
}

func answersLate(r *rand.Rand) []Fault {
	return []Fault{
		{Name: "304 past the window", Kind: "late-304"},
		{Name: "108 past the window", Kind: "late-108"},
		{Name: "late at the engine", Kind: "delay", DelayMs: millis(r, time.Second, 8*time.Second)},
		{Name: "late reply", Kind: "delay", AfterMs: millis(r, 9*time.Second, 13*time.Second)},
		{Name: "slow body", Kind: "slow-body", ForMs: millis(r, 2*time.Second, 14*time.Second)},
	}
}

// longestHidden is just below L, the time within which the exchange shows an
// order to its owner; it is 2 s for the account of a stack.
const longestHidden = 1900 * time.Millisecond

func endsOddly(r *rand.Rand) []Fault {
	return []Fault{
		{Name: "hidden at first", Kind: "hide", ForMs: millis(r, 500*time.Millisecond, longestHidden)},
		{Name: "hidden, reply lost", Kind: "hide", Placed: true, ForMs: millis(r, 500*time.Millisecond, longestHidden)},
		{Name: "filled in part", Kind: "partial-cancel"},
		{Name: "filled with nothing", Kind: "unfilled"},
		{Name: "fills settle late", Kind: "settle-late", ForMs: millis(r, time.Second, 5*time.Second)},
	}
}

// bans are few and short, because they stop all trading of the key. One that
// does not say when it ends is heeded for a minute.
func bans(r *rand.Rand) []Fault {
	return []Fault{
		{Name: "banned until", Kind: "105", Count: 2, ForMs: millis(r, 2*time.Second, 4*time.Second)},
		{Name: "banned", Kind: "105", NoExpiry: true, Count: 2, ForMs: millis(r, 2*time.Second, 4*time.Second)},
	}
}

func readsFail(r *rand.Rand) []Fault {
	return []Fault{
		{Name: "read: 109", Kind: "503", Code: 109},
		{Name: "read: 502 page", Kind: "html"},
		{Name: "read: {}", Kind: "empty"},
		{Name: "read: cut short", Kind: "truncated"},
		{Name: "read: dropped", Kind: "drop-before"},
		{Name: "read: late", Kind: "delay", AfterMs: millis(r, time.Second, 4*time.Second)},
		{Name: "read: slow body", Kind: "slow-body", ForMs: millis(r, time.Second, 4*time.Second)},
	}
}

func clockFails(r *rand.Rand) []Fault {
	return []Fault{
		{Name: "clock: reset", Kind: "down"},
		{Name: "clock: late", Kind: "delay", AfterMs: millis(r, 500*time.Millisecond, 3*time.Second)},
	}
}

func cancelsFail() []Fault {
	return []Fault{
		{Name: "cancel: reply lost", Kind: "accept-then-drop"},
		{Name: "cancel: lost on the way", Kind: "drop-before"},
		{Name: "cancel: 109, done", Kind: "503", Code: 109, Placed: true},
	}
}

// Names of faults that are no part of the schedule.
const (
	// deliveredTwice makes two orders of one that fills at once, because the
	// exchange documents unique client order IDs for open orders only. That is
	// the exchange's own fault, and stopping after it is shown elsewhere; here
	// it strikes only while the exchange refuses an ID for ever.
	deliveredTwice = "delivered twice"
	idsRepeat      = "order IDs repeat over markets"
)

// twiceFault is one double delivery.
func twiceFault() Fault {
	return Fault{Name: deliveredTwice, Kind: "twice", Method: "POST", Path: "/order", Exact: true, Count: 1}
}
