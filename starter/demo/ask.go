package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"interlock/internal/api"
	"interlock/internal/trade"
)

var web = &http.Client{Timeout: 2 * time.Minute}

// reply is an answer of the API.
type reply struct {
	status int
	body   []byte
	code   string
	blocks []trade.Block
	later  string // what became of it after this answer
}

// String is the status, and why.
func (r reply) String() string {
	if r.code == "" {
		return fmt.Sprint(r.status) + r.later
	}
	return fmt.Sprintf("%d %s", r.status, r.code)
}

// executed reports whether the request was answered by the order's end, or its
// end came after the answer.
func (r reply) executed() bool { return r.status == http.StatusOK || r.later != "" }

// kind is the answer, in which it does not matter when the end came.
func (r reply) kind() string {
	if r.executed() {
		return fmt.Sprint(http.StatusOK)
	}
	return r.String()
}

// early is an answer about the machine instead of the proposal: it was too busy
// for a verdict, or for an attempt in time. Nothing has traded, and nothing
// will; the same may be asked again.
func (r reply) early() bool {
	return slices.Contains([]string{
		api.WorkflowsUnavailable, api.DatabaseUnavailable, string(trade.RequestTooLate), string(trade.ExchangeUnavailable),
		string(trade.ClockSkew), string(trade.PriceStale),
	}, r.code)
}

// blockedBy reports whether the reply is a block that names this code, first or
// among its blocks.
func (r reply) blockedBy(code trade.Code) bool {
	if r.status != http.StatusBadRequest {
		return false
	}
	for _, b := range r.blocks {
		if b.Code == code {
			return true
		}
	}
	return r.code == string(code)
}

// ask asks the API as the user.
func (u *user) ask(ctx context.Context, method, path string, body any) (reply, error) {
	status, text, err := call(ctx, method, u.kit.API+path, u.token, body)
	r := reply{status: status, body: text}
	if err != nil || status < http.StatusMultipleChoices {
		return r, err
	}
	var refusal struct {
		Code   string
		Blocks []trade.Block
	}
	_ = json.Unmarshal(text, &refusal) // what is no JSON has only its status
	r.code, r.blocks = refusal.Code, refusal.Blocks
	return r, nil
}

func call(ctx context.Context, method, url, token string, body any) (int, []byte, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := web.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// exchange is the paper exchange's side that only this machine sees.
type exchange struct{ admin string }

type exchangeOrder struct {
	OrderID       string `json:"orderId"`
	ClientOrderID string `json:"clientOrderId"`
}

// orders lists every order that the exchange ever took.
func (e exchange) orders(ctx context.Context) ([]exchangeOrder, error) {
	status, text, err := call(ctx, http.MethodGet, e.admin+"/orders", "", nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("the exchange's ledger answers %d", status)
	}
	var list []exchangeOrder
	return list, json.Unmarshal(text, &list)
}

// delay lets the exchange carry orders out at once and answer late.
func (e exchange) delay(ctx context.Context, d time.Duration) error {
	return e.pull(ctx, http.MethodPost, "/delay", map[string]int64{"replyDelayMs": d.Milliseconds()})
}

// loseReply lets the exchange take the next order and hang up.
func (e exchange) loseReply(ctx context.Context) error {
	return e.pull(ctx, http.MethodPost, "/faults", map[string]any{
		"kind": "accept-then-drop", "method": http.MethodPost, "path": "/order", "exact": true, "count": 1,
	})
}

// repair takes delays and faults away, also after the scenario's time is over.
func (e exchange) repair(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := e.delay(ctx, 0); err != nil {
		return err
	}
	return e.pull(ctx, http.MethodDelete, "/faults", nil)
}

func (e exchange) pull(ctx context.Context, method, path string, body any) error {
	status, text, err := call(ctx, method, e.admin+path, "", body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("exchange %s: %d %s", path, status, text)
	}
	return err
}
