package paper

import (
	"net/http"
	"time"
)

// faultKind is what a kind of fault does to a request.
type faultKind struct {
	strikes scope
	// unread strikes before the request is read.
	unread bool
	// never places anything, so that Placed makes no sense.
	never bool
	// carriedOut lets the exchange act on the request whatever Placed says.
	carriedOut bool
	// twice lets it act once more on the same bytes.
	twice bool
	// fate is what the fault has in store past the door; nil is nothing.
	fate func(f Fault) fate
	// reply turns the true answer, empty if there is none, into the one sent.
	reply func(s strike) reply
}

// strike is one fault on one request.
type strike struct {
	Fault
	e      *Exchange
	req    *request
	honest reply
}

// faultKinds is the whole set; a new kind is a new line.
var faultKinds = map[string]faultKind{
	"down":             {strikes: anyCall, unread: true, never: true},
	"drop-before":      {strikes: anyCall, reply: dropped},
	"accept-then-drop": {strikes: requests, carriedOut: true, reply: dropped},
	"503":              {strikes: anyCall, reply: unavailable},
	"105":              {strikes: anyCall, reply: banned},
	"html":             {strikes: anyCall, reply: badGateway},
	"empty":            {strikes: requests, carriedOut: true, reply: emptied},
	"truncated":        {strikes: requests, carriedOut: true, reply: truncated},
	"delay":            {strikes: requests, carriedOut: true, reply: honestly},
	"slow-body":        {strikes: requests, carriedOut: true, reply: dripping},
	"redirect":         {strikes: anyCall, reply: redirected},
	"late-304":         {strikes: withWindow, never: true, reply: tooLate},
	"late-108":         {strikes: signedWrites, carriedOut: true, never: true, fate: stalled, reply: honestly},
	"twice":            {strikes: newOrdersOnly, carriedOut: true, twice: true, reply: honestly},
	"hide":             {strikes: newOrdersOnly, carriedOut: true, fate: hidden, reply: honestlyOrLost},
	"settle-late":      {strikes: newOrdersOnly, carriedOut: true, fate: settledLate, reply: honestly},
	"partial-cancel":   {strikes: newOrdersOnly, carriedOut: true, fate: endedInPart, reply: honestly},
	"unfilled":         {strikes: newOrdersOnly, carriedOut: true, fate: endedUnfilled, reply: honestly},
}

func dropped(strike) reply { return reply{drop: true} }

func honestly(s strike) reply { return s.honest }

func honestlyOrLost(s strike) reply {
	if s.Placed {
		return dropped(s)
	}
	return s.honest
}

func emptied(strike) reply { return answerJSON(http.StatusOK, struct{}{}) }

func badGateway(strike) reply {
	return answerHTML(http.StatusBadGateway, "502 Bad Gateway")
}

func unavailable(s strike) reply {
	if s.HTML {
		return answerHTML(http.StatusServiceUnavailable, "503 Service Unavailable")
	}
	return answerError(refuse(s.Code))
}

// banned refuses as one who asked too often. With ForMs the ban is real: it
// holds for whoever signed the request, or for its address.
func banned(s strike) reply {
	now := s.e.now()
	if s.ForMs == 0 {
		return answerError(banText(now.Truncate(time.Minute).Add(2*time.Minute), s.NoExpiry))
	}
	s.req.arrived = now
	_ = s.e.identify(s.req) // who cannot be told by a key has an address
	until := now.Add(ms(s.ForMs)).Truncate(time.Millisecond)
	return answerError(s.e.budget.ban(s.req.payer(), until, s.NoExpiry))
}

func truncated(s strike) reply {
	s.honest.cut = true
	return s.honest
}

func dripping(s strike) reply {
	s.honest.drip = func(pieces int) error { return s.e.cfg.Wait(s.e.closing, ms(s.ForMs)/time.Duration(pieces)) }
	return s.honest
}

func redirected(s strike) reply {
	return reply{status: http.StatusTemporaryRedirect, header: map[string]string{"Location": "/v2" + s.Path}}
}

// tooLate holds the request at the door until its window is over. A request
// whose window cannot be read, or was over before, is refused at once.
func tooLate(s strike) reply {
	s.req.arrived = s.e.now()
	if s.req.readWindow(s.req.header) == nil && s.e.outlast(s.req) != nil {
		return dropped(s)
	}
	return answerError(refuse(codeOutsideWindow))
}

// faulty answers a request that a fault has struck.
func (e *Exchange) faulty(f Fault, req request) reply {
	kind := faultKinds[f.Kind]
	if e.pause(f.DelayMs) != nil {
		return reply{drop: true}
	}
	if kind.fate != nil {
		req.fate = kind.fate(f)
	}
	s := strike{Fault: f, e: e, req: &req}
	if kind.carriedOut || f.Placed {
		s.honest = e.answer(req)
	}
	if kind.twice {
		if e.pause(f.ForMs) != nil {
			return reply{drop: true}
		}
		s.honest = e.answer(req)
	}
	out := kind.reply(s)
	if e.pause(f.AfterMs) != nil {
		return reply{drop: true}
	}
	return out
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// pause ends early, with an error, when the exchange closes.
func (e *Exchange) pause(forMs int64) error { return e.cfg.Wait(e.closing, ms(forMs)) }
