package chaos

import (
	"fmt"
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

// needs is the request without which a fault cannot strike.
type needs int

const (
	needsPlacing needs = iota
	needsReading
	needsCancelling
)

func (f Fault) needs() needs {
	switch f.Method {
	case "POST":
		return needsPlacing
	case "DELETE":
		return needsCancelling
	}
	return needsReading
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
	ms := func(least, most time.Duration) int64 { return between(r, least, most).Milliseconds() }
	var list []Fault
	add := func(chance float64, f Fault) {
		f.Chance = chance
		list = append(list, f)
	}
	placing := min(strikesEach/float64(s.Proposals), mostChance)
	place := func(name string, f Fault) {
		f.Name, f.Method, f.Path, f.Exact = name, "POST", "/order", true
		add(placing, f)
	}
	place("accepted, reply lost", Fault{Kind: "accept-then-drop"})
	place("lost on the way", Fault{Kind: "drop-before"})
	place("connection reset", Fault{Kind: "down"})
	place("502 page, placed", Fault{Kind: "html", Placed: true})
	place("502 page", Fault{Kind: "html"})
	place("200 {}", Fault{Kind: "empty"})
	place("200 cut short", Fault{Kind: "truncated"})
	for _, code := range []int{101, 107, 108, 109} {
		place(fmt.Sprintf("503 %d, placed", code), Fault{Kind: "503", Code: code, Placed: true})
		place(fmt.Sprintf("503 %d", code), Fault{Kind: "503", Code: code})
	}
	place("304 past the window", Fault{Kind: "late-304"})
	place("108 past the window", Fault{Kind: "late-108"})
	// An order may stay hidden for up to L, which is 2 s at this exchange.
	place("hidden at first", Fault{Kind: "hide", ForMs: ms(500*time.Millisecond, 1900*time.Millisecond)})
	place("hidden, reply lost", Fault{Kind: "hide", Placed: true, ForMs: ms(500*time.Millisecond, 1900*time.Millisecond)})
	place("late at the engine", Fault{Kind: "delay", DelayMs: ms(time.Second, 8*time.Second)})
	place("late reply", Fault{Kind: "delay", AfterMs: ms(9*time.Second, 13*time.Second)})
	place("slow body", Fault{Kind: "slow-body", ForMs: ms(2*time.Second, 14*time.Second)})
	place("filled in part", Fault{Kind: "partial-cancel"})
	place("filled with nothing", Fault{Kind: "unfilled"})
	place("fills settle late", Fault{Kind: "settle-late", ForMs: ms(time.Second, 5*time.Second)})
	place("redirected", Fault{Kind: "redirect"})
	// A ban stops all trading of the key, so there are few and they are short.
	place("banned until", Fault{Kind: "105", Count: 2, ForMs: ms(2*time.Second, 4*time.Second)})
	place("banned", Fault{Kind: "105", NoExpiry: true, Count: 2, ForMs: ms(2*time.Second, 4*time.Second)})

	// There are dozens of reads for one order, and a comparison of the account,
	// without which nothing trades, needs forty that all succeed.
	reading := min(0.4/float64(s.Proposals), 0.002)
	read := func(name string, f Fault) {
		f.Name, f.Method, f.Path = name, "GET", "/order"
		add(reading, f)
	}
	read("read: 109", Fault{Kind: "503", Code: 109})
	read("read: 502 page", Fault{Kind: "html"})
	read("read: {}", Fault{Kind: "empty"})
	read("read: cut short", Fault{Kind: "truncated"})
	read("read: dropped", Fault{Kind: "drop-before"})
	read("read: late", Fault{Kind: "delay", AfterMs: ms(time.Second, 4*time.Second)})
	read("read: slow body", Fault{Kind: "slow-body", ForMs: ms(time.Second, 4*time.Second)})
	add(reading, Fault{Name: "clock: reset", Kind: "down", Method: "GET", Path: "/time", Exact: true})
	add(reading, Fault{Name: "clock: late", Kind: "delay", Method: "GET", Path: "/time", Exact: true, AfterMs: ms(500*time.Millisecond, 3*time.Second)})

	cancelling := 0.1
	cancel := func(name string, f Fault) {
		f.Name, f.Method, f.Path, f.Exact = name, "DELETE", "/order", true
		add(cancelling, f)
	}
	cancel("cancel: reply lost", Fault{Kind: "accept-then-drop"})
	cancel("cancel: lost on the way", Fault{Kind: "drop-before"})
	cancel("cancel: 109, done", Fault{Kind: "503", Code: 109, Placed: true})
	return list
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
