package paper

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault makes matching requests go wrong.
type Fault struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Method and Path say which requests it strikes; empty means any. Path is
	// without /v2 and a prefix, unless Exact.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Exact  bool   `json:"exact,omitempty"`
	// Count is how often it strikes; 0 means until it is removed.
	Count int `json:"count"`
	// DelayMs passes before anything else, AfterMs before the reply.
	DelayMs int64 `json:"delayMs,omitempty"`
	AfterMs int64 `json:"afterMs,omitempty"`
	// Code is the errorCode of kind 503: 101, 107, 108, 109 or 111.
	Code int `json:"code,omitempty"`
	// HTML answers kind 503 with a page instead of an errorCode.
	HTML bool `json:"html,omitempty"`
	// Placed carries the request out although the reply says otherwise.
	Placed bool `json:"placed,omitempty"`
	// NoExpiry leaves the time out of the text of kind 105.
	NoExpiry bool `json:"noExpiry,omitempty"`
	// Struck is how often it has struck.
	Struck int `json:"struck"`
}

// faultKind is what a kind of fault does to a request.
type faultKind struct {
	// unread strikes before the request is read.
	unread bool
	// carriedOut lets the exchange act on the request whatever Placed says.
	carriedOut bool
	// reply turns the true answer, empty if there is none, into the one sent.
	reply func(f Fault, honest reply, now time.Time) reply
}

// faultKinds is the whole set; a new kind is a new line.
var faultKinds = map[string]faultKind{
	"down":             {unread: true},
	"drop-before":      {reply: dropped},
	"accept-then-drop": {carriedOut: true, reply: dropped},
	"503":              {reply: unavailable},
	"105":              {reply: banned},
	"html":             {reply: badGateway},
	"empty":            {carriedOut: true, reply: emptied},
	"truncated":        {carriedOut: true, reply: truncated},
	"delay":            {carriedOut: true, reply: honestly},
	"redirect":         {reply: redirected},
}

func dropped(Fault, reply, time.Time) reply { return reply{drop: true} }

func honestly(_ Fault, honest reply, _ time.Time) reply { return honest }

func emptied(Fault, reply, time.Time) reply { return answerJSON(http.StatusOK, struct{}{}) }

func badGateway(Fault, reply, time.Time) reply {
	return answerHTML(http.StatusBadGateway, "502 Bad Gateway")
}

func unavailable(f Fault, _ reply, _ time.Time) reply {
	if f.HTML {
		return answerHTML(http.StatusServiceUnavailable, "503 Service Unavailable")
	}
	return answerError(refuse(f.Code))
}

func banned(f Fault, _ reply, now time.Time) reply {
	if f.NoExpiry {
		return answerError(refusef(codeRateLimit, "Rate limit exceeded."))
	}
	return answerError(banUntil(now.Truncate(time.Minute).Add(2 * time.Minute)))
}

func truncated(_ Fault, honest reply, _ time.Time) reply {
	honest.cut = true
	return honest
}

func redirected(f Fault, _ reply, _ time.Time) reply {
	return reply{status: http.StatusTemporaryRedirect, header: map[string]string{"Location": "/v2" + f.Path}}
}

// faultSet holds the armed and the spent faults.
type faultSet struct {
	mu     sync.Mutex
	last   int
	faults []*Fault
}

func (s *faultSet) add(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return Fault{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	f.ID, f.Struck = strconv.Itoa(s.last), 0
	s.faults = append(s.faults, &f)
	return f, nil
}

func (f *Fault) check() error {
	if _, known := faultKinds[f.Kind]; !known {
		return fmt.Errorf("no fault of kind %q", f.Kind)
	}
	f.Path = strings.TrimPrefix(f.Path, "/v2")
	if f.Code == 0 {
		f.Code = codeTimeout
	}
	if !slices.Contains([]int{codeUnknown, codeOverloaded, codeTooSlow, codeTimeout, codeEngineDown}, f.Code) {
		return fmt.Errorf("no fault with code %d", f.Code)
	}
	if f.Count < 0 || f.DelayMs < 0 || f.AfterMs < 0 {
		return fmt.Errorf("fault %s: want counts and delays of at least 0", f.Kind)
	}
	return nil
}

// strike finds the first fault that is due and counts it.
func (s *faultSet) strike(method, path string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.due(method, path) {
			f.Struck++
			return *f, true
		}
	}
	return Fault{}, false
}

func (f *Fault) due(method, path string) bool {
	return (f.Count == 0 || f.Struck < f.Count) && (f.Method == "" || f.Method == method) &&
		(path == f.Path || !f.Exact && strings.HasPrefix(path, f.Path))
}

func (s *faultSet) list() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		all = append(all, *f)
	}
	return all
}

// clear removes one fault, or all for an empty id, and says how many.
func (s *faultSet) clear(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.faults)
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return id == "" || f.ID == id })
	return before - len(s.faults)
}

// faulty answers a request that a fault has struck.
func (e *Exchange) faulty(f Fault, honestly func() reply) reply {
	kind := faultKinds[f.Kind]
	if e.cfg.Wait(e.closing, time.Duration(f.DelayMs)*time.Millisecond) != nil {
		return reply{drop: true}
	}
	var honest reply
	if kind.carriedOut || f.Placed {
		honest = honestly()
	}
	out := kind.reply(f, honest, e.cfg.Clock())
	if e.cfg.Wait(e.closing, time.Duration(f.AfterMs)*time.Millisecond) != nil {
		return reply{drop: true}
	}
	return out
}
