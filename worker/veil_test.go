package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// veil hides orders from whoever reads the exchange: lists lack them, and
// asking for one by its client order ID is answered as told.
type veil struct {
	http.Handler

	mu     sync.Mutex
	hidden map[string]int // client order ID to the errorCode of the answer
	held   map[string]heldAnswer
	placed []time.Time // when each order was on the wire
	ended  string      // what the exchange calls a cancelled order instead
}

// heldAnswer is what becomes of the exchange's answer to an order.
type heldAnswer struct {
	code    int // of the answer to whoever looks for the order from then on
	release chan struct{}
}

const (
	noSuchOrder  = 240 // the exchange denies the order
	noAnswerNow  = 107 // the exchange says nothing
	listsOfOrder = "/v2/"
)

func (v *veil) hide(clientOrderID string, code int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := maps.Clone(v.hidden)
	if next == nil {
		next = map[string]int{}
	}
	next[clientOrderID] = code
	v.hidden = next
}

// swallow hides the next order of this ID the moment the exchange has taken it.
// The answer is held back until release, and then lost.
func (v *veil) swallow(clientOrderID string, code int) (release func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held == nil {
		v.held = map[string]heldAnswer{}
	}
	until := make(chan struct{})
	v.held[clientOrderID] = heldAnswer{code, until}
	return sync.OnceFunc(func() { close(until) })
}

// swallows carries out an order whose answer is to be lost.
func (v *veil) swallows(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != listsOfOrder+"order" {
		return false
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var o struct {
		ClientOrderID string `json:"clientOrderId"`
	}
	_ = json.Unmarshal(body, &o)
	v.mu.Lock()
	held, ok := v.held[o.ClientOrderID]
	delete(v.held, o.ClientOrderID)
	v.mu.Unlock()
	if !ok {
		return false
	}
	v.Handler.ServeHTTP(httptest.NewRecorder(), r)
	v.hide(o.ClientOrderID, held.code)
	select {
	case <-held.release:
	case <-r.Context().Done():
	}
	return true
}

func (v *veil) lift() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hidden = nil
}

func (v *veil) now() map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.hidden
}

// note writes down when an order arrived.
func (v *veil) note(r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != listsOfOrder+"order" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.placed = append(v.placed, time.Now())
}

// lastPlaced is when the last order arrived.
func (v *veil) lastPlaced() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.placed) == 0 {
		return time.Time{}
	}
	return v.placed[len(v.placed)-1]
}

// callsCancelled lets the exchange give cancelled orders another status.
func (v *veil) callsCancelled(status string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = status
}

func (v *veil) otherStatus() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ended
}

func (v *veil) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.note(r)
	if status := v.otherStatus(); status != "" && strings.HasPrefix(r.URL.Path, listsOfOrder+"order") {
		seen := httptest.NewRecorder()
		v.Handler.ServeHTTP(seen, r)
		maps.Copy(w.Header(), seen.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(seen.Code)
		_, _ = w.Write(bytes.ReplaceAll(seen.Body.Bytes(), []byte(`"status":"canceled"`), []byte(`"status":"`+status+`"`)))
		return
	}
	if v.swallows(r) {
		panic(http.ErrAbortHandler)
	}
	hidden := v.now()
	if len(hidden) == 0 || r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, listsOfOrder) {
		v.Handler.ServeHTTP(w, r)
		return
	}
	if code, ok := hidden[r.URL.Query().Get("clientOrderId")]; ok {
		status := http.StatusServiceUnavailable
		if code == noSuchOrder {
			status = http.StatusNotFound
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errorCode": code, "error": "as the test wants it"})
		return
	}
	seen := httptest.NewRecorder()
	v.Handler.ServeHTTP(seen, r)
	maps.Copy(w.Header(), seen.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(seen.Code)
	_, _ = w.Write(without(seen.Body.Bytes(), hidden))
}

// without is a list without the hidden orders; anything else stays as it is.
func without(body []byte, hidden map[string]int) []byte {
	var rows []json.RawMessage
	if json.Unmarshal(body, &rows) != nil {
		return body
	}
	left := []json.RawMessage{}
	for _, row := range rows {
		var o struct {
			ClientOrderID string `json:"clientOrderId"`
		}
		_ = json.Unmarshal(row, &o)
		if _, ok := hidden[o.ClientOrderID]; !ok {
			left = append(left, row)
		}
	}
	text, err := json.Marshal(left)
	if err != nil {
		return body
	}
	return text
}

// clientOrderID is the one ID that a proposal's order can have.
func (s *stack) clientOrderID(id string) string {
	s.t.Helper()
	var installation uuid.UUID
	require.NoError(s.t, s.query(`SELECT id FROM interlock.installation`, &installation))
	return trade.ClientOrderID(installation, account, "anna", id).String()
}

// orderCounts counts the orders there ever were of each proposal.
func (s *stack) orderCounts(ids ...string) map[string]int {
	s.t.Helper()
	proposals := map[string]string{}
	for _, id := range ids {
		proposals[s.clientOrderID(id)] = id
	}
	counts := map[string]int{}
	for _, o := range s.ordered() {
		client, _ := o["clientOrderId"].(string)
		counts[proposals[client]]++
	}
	return counts
}
