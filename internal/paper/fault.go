package paper

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
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
	// Chance is how likely it strikes a matching request; 0 and 1 mean surely.
	Chance float64 `json:"chance,omitempty"`
	// DelayMs passes before anything else, AfterMs before the reply.
	DelayMs int64 `json:"delayMs,omitempty"`
	AfterMs int64 `json:"afterMs,omitempty"`
	// ForMs is how long the kind's effect lasts.
	ForMs int64 `json:"forMs,omitempty"`
	// Code is the errorCode of kind 503: 101, 107, 108, 109 or 111.
	Code int `json:"code,omitempty"`
	// HTML answers kind 503 with a page instead of an errorCode.
	HTML bool `json:"html,omitempty"`
	// Placed carries the request out although the reply says otherwise; of kind
	// hide, which is carried out anyway, it loses the reply.
	Placed bool `json:"placed,omitempty"`
	// NoExpiry leaves the time out of the text of kind 105.
	NoExpiry bool `json:"noExpiry,omitempty"`
	// Struck is how often it has struck.
	Struck int `json:"struck"`
	// Disarmed says that it strikes no more and is kept to be counted.
	Disarmed bool `json:"disarmed,omitempty"`
}

// longest bounds every duration of a fault.
const longest = 24 * time.Hour

func (f *Fault) check() error {
	kind, known := faultKinds[f.Kind]
	if !known {
		return fmt.Errorf("no fault of kind %q", f.Kind)
	}
	if kind.never && f.Placed {
		return fmt.Errorf("fault %s: it never places anything", f.Kind)
	}
	f.Path = strings.TrimPrefix(f.Path, "/v2")
	if f.Code == 0 {
		f.Code = codeTimeout
	}
	if !slices.Contains([]int{codeUnknown, codeOverloaded, codeTooSlow, codeTimeout, codeEngineDown}, f.Code) {
		return fmt.Errorf("no fault with code %d", f.Code)
	}
	if f.Count < 0 || f.Chance < 0 || f.Chance > 1 {
		return fmt.Errorf("fault %s: want a count of at least 0 and a chance from 0 to 1", f.Kind)
	}
	for _, ms := range []int64{f.DelayMs, f.AfterMs, f.ForMs} {
		if ms < 0 || ms > longest.Milliseconds() {
			return fmt.Errorf("fault %s: want durations from 0 to %s", f.Kind, longest)
		}
	}
	return nil
}

// call is what a fault sees of a request before it is read.
type call struct {
	method, path string
	signed       bool
	socket       bool // on a socket, or the opening of one
	opening      bool
}

func callOf(r *http.Request) call {
	return call{method: r.Method, path: strings.TrimPrefix(r.URL.Path, "/v2"), signed: r.Header.Get("Bitvavo-Access-Key") != ""}
}

// scope is which calls a kind of fault has an effect on. It strikes no others:
// a fault that changed nothing must not count as one that struck.
type scope func(call) bool

func anyCall(call) bool         { return true }
func requests(c call) bool      { return !c.opening }
func withWindow(c call) bool    { return c.signed && !c.socket }
func signedWrites(c call) bool  { return c.signed && c.method != http.MethodGet }
func newOrdersOnly(c call) bool { return c.signed && c.method == http.MethodPost && c.path == "/order" }

// matches says whether the fault may strike a call, spent or not.
func (f *Fault) matches(c call) bool {
	return faultKinds[f.Kind].strikes(c) && (f.Method == "" || f.Method == c.method) &&
		(c.path == f.Path || !f.Exact && strings.HasPrefix(c.path, f.Path))
}
