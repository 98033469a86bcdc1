package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"interlock/internal/paper"
)

// madeUp is how many markets there are beside the usual four. An unknown order
// holds its asset for ten seconds and more, so few markets would mean that most
// proposals are blocked instead of put at risk.
const madeUp = 12

// ExchangeArgs are the flags that a campaign's paper exchange is started with.
func ExchangeArgs() []string { return []string{"--made-up-markets", strconv.Itoa(madeUp)} }

// markets are those of an exchange that was started with ExchangeArgs.
var markets = func() []string {
	var names []string
	for _, m := range (paper.Config{}).WithMadeUp(madeUp).Markets {
		names = append(names, m.Name())
	}
	return names
}()

// Form is how a proposal states its order.
type Form string

// The forms. A market order in base goes out as limit IOC.
const (
	InQuote Form = "market in quote"
	InBase  Form = "market in base"
	Limit   Form = "limit"
)

// Door is a way to ask for an execution.
type Door string

// The doors.
const (
	ByHTTP   Door = "http"
	ByUpdate Door = "update"
	BySignal Door = "signal"
)

// Proposal is what is proposed, and when it is asked to be executed.
type Proposal struct {
	ID         string
	User       int // index into the plan's users
	Market     string
	Side       string
	Form       Form
	Cents      int64 // the order's worth in euro
	AwayBps    int64 // limit orders: how far from the market's price, above zero on the resting side
	Confidence string
	At         time.Duration
	ExpiresIn  time.Duration // 0: the usual hour
	CancelIn   time.Duration // after the first ask; 0: never
	Asks       []Ask
}

// Ask is one request to execute.
type Ask struct {
	In   time.Duration // after the proposal
	Door Door
}

// planProposals spreads the proposals over the time in which they come; every
// fifth comes with the one before it.
func planProposals(s Settings, users int) []Proposal {
	r := s.stream(streamProposals)
	list := make([]Proposal, s.Proposals)
	times := arrivalTimes(r, s)
	for i := range list {
		p := newProposal(r, fmt.Sprintf("c%d-%d", s.Seed, i+1))
		p.User, p.At = r.IntN(users), times[i]
		p.complicate(r)
		list[i] = p
	}
	return list
}

func arrivalTimes(r *rand.Rand, s Settings) []time.Duration {
	times := make([]time.Duration, s.Proposals)
	for i := range times {
		times[i] = between(r, 0, s.arrivals())
	}
	slices.Sort(times)
	for i := 1; i < len(times); i++ {
		if r.IntN(5) == 0 {
			times[i] = times[i-1]
		}
	}
	return times
}

// spares is enough for every fault to be struck once more, and some to be
// blocked on the way, in both rounds.
const spares = 120

// planSpares alternates the forms, so that a fault finds the order it needs.
func planSpares(s Settings) []Proposal {
	r := s.stream(streamSpares)
	list := make([]Proposal, spares)
	for i := range list {
		p := newProposal(r, fmt.Sprintf("c%d-spare-%d", s.Seed, i+1))
		p.Market, p.Form, p.AwayBps = markets[i%len(markets)], InBase, 0
		if i%3 == 0 {
			p.Form, p.AwayBps = Limit, 200
		}
		list[i] = p
	}
	return list
}

func newProposal(r *rand.Rand, id string) Proposal {
	p := Proposal{
		ID: id, Market: pick(r, markets), Side: pick(r, []string{"buy", "buy", "sell"}),
		Form: pick(r, []Form{InQuote, InBase, InBase, Limit}), Cents: 1200 + r.Int64N(4800), Confidence: "0.9",
	}
	if p.Form == Limit {
		p.AwayBps = r.Int64N(250) - 50
	}
	p.Asks = []Ask{{In: between(r, 0, 1500*time.Millisecond), Door: pick(r, doors)}}
	return p
}

// doors are as often as they stand here.
var doors = []Door{ByHTTP, ByHTTP, ByHTTP, ByHTTP, ByUpdate, ByUpdate, BySignal}

// complicate adds what few proposals have: rivals, repetitions, a cancel, an
// early end, too little confidence.
func (p *Proposal) complicate(r *rand.Rand) {
	first := p.Asks[0].In
	if r.IntN(4) == 0 {
		for range 1 + r.IntN(3) {
			p.Asks = append(p.Asks, Ask{In: first + between(r, 0, 20*time.Millisecond), Door: pick(r, doors)})
		}
	}
	if r.IntN(4) == 0 {
		p.Asks = append(p.Asks, Ask{In: first + between(r, time.Second, 15*time.Second), Door: pick(r, doors)})
	}
	if r.IntN(14) == 0 {
		p.CancelIn = between(r, 0, 4*time.Second)
	}
	if r.IntN(25) == 0 {
		p.ExpiresIn = between(r, 2*time.Second, 15*time.Second)
	}
	if r.IntN(40) == 0 {
		p.Confidence = "0.3"
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
