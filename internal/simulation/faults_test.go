package simulation

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"interlock/activities/orders"
)

// odds is how likely each fault is at each of its occasions. A run draws its
// own, so that some are calm and some are storms.
type odds struct {
	freeze     float64 // an activity's worker freezes or dies
	noWorker   float64 // nobody takes an activity for a while
	answerLost float64 // an activity's answer does not reach the server
	database   float64 // a transaction is lost, before or after its commit
	read       float64 // a read at the exchange fails
	post       float64 // a request to place goes wrong
}

func (w *world) drawOdds() odds {
	storm := []float64{0.1, 1, 1, 2}[w.rng.IntN(4)]
	return odds{
		freeze: 0.06 * storm, noWorker: 0.03 * storm, answerLost: 0.03 * storm,
		database: 0.03 * storm, read: 0.03 * storm, post: 0.35 * storm,
	}
}

// drawFreezes decides where a thread freezes, for how long, and whether twice.
func (w *world) drawFreezes(name string) []freeze {
	var list []freeze
	if w.focus == frozenPlacing && strings.HasPrefix(name, orders.PlaceOrder) && w.chance(0.5) {
		list = append(list, freeze{step: 1 + w.rng.IntN(2), length: w.between(5*time.Second, 25*time.Second)})
	}
	for p := w.odds.freeze; w.chance(p) && len(list) < 2; p = 0.3 {
		f := freeze{step: 1 + w.rng.IntN(12), length: w.between(time.Second, 20*time.Second)}
		switch w.rng.IntN(6) {
		case 0:
			f.length = forEver
		case 1, 2:
			f.length = w.between(20*time.Second, 3*time.Minute)
		case 3:
			f.length = w.between(3*time.Minute, 20*time.Minute)
		}
		list = append(list, f)
	}
	return list
}

// frozenPlacing is a focus: workers freeze before the attempt's row.
const frozenPlacing = "a worker frozen before the attempt's row"

// wrongWord is a focus: people say that there is no order, whether there is one
// or not, and execute again.
const wrongWord = "a person's wrong word"

// lateReplica is a focus: every read is served later than the exchange promises,
// by less than L.
const lateReplica = "a replica later than L"

const placedAfterReply = "unclear reply, placed after it"

// postFaults is everything that can happen to a request to place.
var postFaults = []string{
	"never arrived", "delayed on the way", "delayed beyond everything", "delayed in the engine", "reply delayed",
	"delivered twice", "turned away: 105", "unclear and not placed", "refused by validation", "no balance: 216",
	placedAfterReply, "placed, no reply", "placed, unclear reply", "placed, truncated reply",
}

func (w *world) drawPostFault() string {
	if (w.focus == wrongWord || w.focus == lateReplica) && w.chance(0.5) {
		return "placed, no reply"
	}
	if slices.Contains(postFaults, w.focus) && w.chance(0.5) {
		return w.focus
	}
	if !w.chance(w.odds.post) {
		return ""
	}
	fault := postFaults[w.rng.IntN(len(postFaults))]
	if fault == "delivered twice" && w.exchange.slow {
		return "" // the one look that a refusal takes rests on L
	}
	return fault
}

// unclear is every reply that proves nothing.
var unclear = []*reply{
	nil,
	refusal(http.StatusServiceUnavailable, 101, "unknown, may have been placed"),
	refusal(http.StatusServiceUnavailable, 107, "overloaded"),
	refusal(http.StatusServiceUnavailable, 108, "not in time"),
	refusal(http.StatusInternalServerError, 109, "internal error"),
	refusal(http.StatusServiceUnavailable, 111, "engine unavailable"),
	refusal(http.StatusBadRequest, 230, "rejected by the engine"),
	refusal(http.StatusBadRequest, 400, "unknown error"),
	refusal(http.StatusServiceUnavailable, 430, "not ready"),
	refusal(http.StatusServiceUnavailable, 203, "a code that does not go with its status"),
	{http.StatusBadGateway, "<html>502 Bad Gateway</html>"},
	{http.StatusServiceUnavailable, ""},
	{http.StatusOK, "{}"},
	{http.StatusTemporaryRedirect, ""},
	{http.StatusBadRequest, `{"errorCode":203,"orderId":"x"}`},
}

func (w *world) drawUnclear() *reply { return unclear[w.rng.IntN(len(unclear))] }

// window is a span of time.
type window struct{ from, to time.Time }

func within(list []window, at time.Time) bool {
	for _, s := range list {
		if !at.Before(s.from) && at.Before(s.to) {
			return true
		}
	}
	return false
}

// drawWindow is, with probability p, a span that begins soon.
func (w *world) drawWindow(p float64, least, most time.Duration) []window {
	if !w.chance(p) {
		return nil
	}
	from := w.now.Add(w.between(0, 40*time.Second))
	return []window{{from, from.Add(w.between(least, most))}}
}
