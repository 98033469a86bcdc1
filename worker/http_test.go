package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/api"
	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// door is the HTTP API of a stack, used by one user.
type door struct {
	*stack
	url   string
	token string
	user  string
}

// openDoor serves the API with its own database login. The user anna has the
// stack's policy; others bring their own.
func (s *stack) openDoor(user string) door {
	s.t.Helper()
	url, err := postgres.LoginURL(s.ownerURL, s.login("api"), "secret")
	require.NoError(s.t, err)
	store, err := postgres.Open(ctx, url)
	require.NoError(s.t, err)
	server := httptest.NewServer(api.New(api.Config{Store: store, Temporal: api.NewExecutor(s.temporal)}))
	s.t.Cleanup(func() { server.Close(); store.Close() })
	_, token, err := s.owner.CreateToken(ctx, user, account, "", "test")
	require.NoError(s.t, err)
	return door{s, server.URL, token, user}
}

// answered is a reply of the API, as far as the tests read it.
type answered struct {
	HTTP           int
	Status         any    `json:"status"`
	Code           string `json:"code"`
	Message        string `json:"message"`
	ExchangeCode   string `json:"exchangeCode"`
	Order          map[string]any
	ProposalStatus string `json:"proposalStatus"`
}

func (d door) call(method, path string, body any) answered {
	d.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(d.t, err)
	req, err := http.NewRequest(method, d.url+path, bytes.NewReader(text))
	require.NoError(d.t, err)
	req.Header.Set("Authorization", "Bearer "+d.token)
	req.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer reply.Body.Close()
	raw, err := io.ReadAll(reply.Body)
	require.NoError(d.t, err)
	a := answered{HTTP: reply.StatusCode}
	_ = json.Unmarshal(raw, &a)
	require.Less(d.t, len(raw), 1<<20)
	return a
}

func (d door) propose(id, side string, more map[string]any) {
	d.t.Helper()
	body := map[string]any{
		"id": id, "market": "BTC/EUR", "side": side, "amount": "0.001", "confidence": "0.9",
		"expiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano),
	}
	for k, v := range more {
		body[k] = v
	}
	a := d.call(http.MethodPost, "/api/trading/proposals", body)
	require.Equal(d.t, http.StatusCreated, a.HTTP, a.Message)
}

// machines are the codes of answers that are about the machine: it was too busy.
var machines = []string{
	api.WorkflowsUnavailable, api.DatabaseUnavailable, string(trade.RequestTooLate), string(trade.ClockSkew), string(trade.PriceStale),
}

// execute asks until there is an answer about the proposal, and not only that
// a busy machine had none in time: such a request never trades later.
func (d door) execute(id string, more ...map[string]any) (a answered) {
	d.t.Helper()
	d.eventually("an answer about "+id, func() bool {
		a = d.executeOnce(id, more...)
		return !slices.Contains(machines, a.Code)
	})
	return a
}

// executes asks until the proposal is executed by what was asked: 200, or on a
// busy machine 202 and later, or once more.
func (d door) executes(id string, more ...map[string]any) {
	d.t.Helper()
	a := d.execute(id, more...)
	late := a.HTTP == http.StatusServiceUnavailable && a.Code == string(trade.ExchangeUnavailable)
	require.True(d.t, a.HTTP == http.StatusOK || a.HTTP == http.StatusAccepted || late, "%+v", a)
	if a.HTTP != http.StatusOK {
		d.t.Logf("%s was answered %d first", id, a.HTTP)
	}
	d.becomes(id, trade.Executed)
}

func (d door) executeOnce(id string, more ...map[string]any) answered {
	d.t.Helper()
	body := map[string]any{"proposalId": id}
	for _, m := range more {
		for k, v := range m {
			body[k] = v
		}
	}
	return d.call(http.MethodPost, "/api/trading/execute", body)
}

// proposeShortLived stores a proposal that expires as soon as this machine can
// have it stored before.
func (d door) proposeShortLived(id string) {
	d.t.Helper()
	for life := time.Second; ; life *= 2 {
		a := d.call(http.MethodPost, "/api/trading/proposals", map[string]any{
			"id": id, "market": "BTC/EUR", "side": "buy", "amount": "0.001", "confidence": "0.9",
			"expiresAt": time.Now().Add(life).UTC().Format(time.RFC3339Nano),
		})
		if a.HTTP == http.StatusCreated {
			return
		}
		require.Contains(d.t, a.Message, "expiresAt")
	}
}

func (d door) traded(side string, ago time.Duration) {
	d.t.Helper()
	_, err := d.pool.Exec(ctx, `INSERT INTO interlock.trade_history (user_id, asset, side, executed_at) VALUES ($1, 'BTC', $2, now() - $3::interval)`, d.user, side, ago)
	require.NoError(d.t, err)
}

func TestHTTPExecutedTwiceAnswers200Then409(t *testing.T) {
	t.Parallel()
	d := newStack(t, 1).openDoor("anna")
	d.propose("prop-1", "buy", nil)
	d.executes("prop-1")
	require.Equal(t, http.StatusConflict, d.execute("prop-1").HTTP)
	require.Len(t, d.ordered(), 1)

	require.Equal(t, http.StatusNotFound, d.execute("nowhere").HTTP)
	other := d.openDoor("bert")
	require.Equal(t, http.StatusNotFound, other.execute("prop-1").HTTP)
	other.token = "ilk_wrong"
	require.Equal(t, http.StatusUnauthorized, other.execute("prop-1").HTTP)
}

func TestHTTPFiftyAtOnceAreOneOrder(t *testing.T) {
	t.Parallel()
	d := newStack(t, 1).openDoor("anna")
	d.delayReplies(2 * time.Second)
	d.propose("p", "buy", nil)
	got := make([]int, 50)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i] = d.execute("p").HTTP })
	}
	all.Wait()
	d.becomes("p", trade.Executed)
	counts := map[int]int{}
	for _, status := range got {
		counts[status]++
	}
	claims := counts[http.StatusOK] + counts[http.StatusAccepted] + counts[http.StatusServiceUnavailable]
	require.Equal(t, 50-claims, counts[http.StatusConflict], counts)
	d.claimedOnce("p", claims)
	require.Len(t, d.ordered(), 1)
}

func TestHTTPAllowlistDeniesByDefault(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1, func(p *trade.Policy) { p.Allowlist = nil })
	d := s.openDoor("anna")
	d.propose("p", "buy", nil)
	a := d.execute("p")
	require.Equal(t, []any{http.StatusBadRequest, "ALLOWLIST_EMPTY"}, []any{a.HTTP, a.Code})
	policy := widePolicy(t, nil)
	require.Equal(t, http.StatusOK, d.call(http.MethodPut, "/api/trading/policy", policy).HTTP)
	d.executes("p") // the same proposal, under the new policy
}

func TestHTTPCooldownAndAntiFlipAndTheirOverrides(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1, func(p *trade.Policy) {
		p.Cooldown, p.AntiFlip = trade.Duration(time.Hour), trade.Duration(2*time.Hour)
	})
	d := s.openDoor("anna")
	d.traded("buy", 30*time.Minute)
	d.propose("prop-2", "buy", nil)
	a := d.execute("prop-2")
	require.Equal(t, []any{http.StatusBadRequest, "COOLDOWN_BLOCKED"}, []any{a.HTTP, a.Code})
	a = d.execute("prop-2", map[string]any{"overrideCooldown": true})
	require.Equal(t, []any{http.StatusBadRequest, "OVERRIDE_REASON_REQUIRED"}, []any{a.HTTP, a.Code})
	a = d.execute("prop-2", map[string]any{"side": "sell"})
	require.Equal(t, []any{http.StatusBadRequest, "SIDE_MISMATCH"}, []any{a.HTTP, a.Code})
	d.executes("prop-2", map[string]any{"overrideCooldown": true, "reason": "news"})

	flip := s.openDoor("carl")
	_, err := s.owner.PutPolicy(ctx, "carl", account, widePolicy(t, []func(*trade.Policy){func(p *trade.Policy) {
		p.Cooldown, p.AntiFlip = trade.Duration(time.Hour), trade.Duration(2*time.Hour)
	}}), "test")
	require.NoError(t, err)
	flip.traded("buy", time.Hour)
	flip.propose("prop-3", "sell", nil)
	a = flip.execute("prop-3")
	require.Equal(t, []any{http.StatusBadRequest, "ANTI_FLIP_BLOCKED"}, []any{a.HTTP, a.Code})
	flip.executes("prop-3", map[string]any{"overrideAntiFlip": true, "reason": "news", "side": "sell"})
	require.Len(t, d.ordered(), 2)
}

func TestHTTPProposalExpiresByItselfAndIsGone(t *testing.T) {
	t.Parallel()
	d := newStack(t, 1).openDoor("anna")
	d.proposeShortLived("p")
	d.becomes("p", trade.Expired)
	require.Equal(t, http.StatusGone, d.execute("p").HTTP)
	require.Empty(t, d.ordered())
}

func TestHTTPRefusalOfTheExchangeIs422WithItsCode(t *testing.T) {
	t.Parallel()
	d := newStack(t, 1, func(p *trade.Policy) {
		p.MaxOrderQuote, p.MaxOrderBase = trade.AmountLimit{Unlimited: true}, trade.AssetLimits{Unlimited: true}
	}).openDoor("anna")
	d.admin(http.MethodPost, "/admin/market", map[string]any{"market": "BTC-EUR", "status": "halted"}, nil)
	d.propose("halted", "buy", nil)
	d.refuses("halted", "423")
	d.admin(http.MethodPost, "/admin/market", map[string]any{"market": "BTC-EUR", "status": "trading"}, nil)

	// Insufficient balance is a refusal only after one look past deadline and L.
	d.propose("poor", "buy", map[string]any{"amount": "1000"})
	d.refuses("poor", "216")
	require.Empty(t, d.ordered())
}

// refuses asks until the exchange's refusal is answered, or it came after the
// answer that the proposal was claimed.
func (d door) refuses(id, code string) {
	d.t.Helper()
	var a answered
	d.eventually("the refusal of "+id, func() bool {
		a = d.execute(id)
		return a.HTTP != http.StatusConflict && a.Code != string(trade.ExchangeUnavailable)
	})
	if a.HTTP == http.StatusAccepted {
		d.becomes(id, trade.Failed)
		return
	}
	require.Equal(d.t, []any{http.StatusUnprocessableEntity, code}, []any{a.HTTP, a.ExchangeCode}, a.Message)
}

func TestHTTPLostReplyIsAcceptedThenExecuted(t *testing.T) {
	t.Parallel()
	d := newStack(t, 1).openDoor("anna")
	d.fault(map[string]any{"kind": "accept-then-drop", "method": "POST", "path": "/order", "count": 1})
	d.propose("p", "buy", nil)
	d.executes("p")
	require.Len(t, d.ordered(), 1)
}

func TestHTTPHaltAnswersBlockedAndResumeLetsTheSameProposalTrade(t *testing.T) {
	t.Parallel()
	d := newStack(t, 1).openDoor("anna")
	d.propose("p", "buy", nil)
	require.NoError(t, d.owner.SetTradingState(ctx, account, trade.Halted, "olga", "fear"))
	a := d.execute("p")
	require.Equal(t, []any{http.StatusBadRequest, "TRADING_HALTED"}, []any{a.HTTP, a.Code})
	require.NoError(t, d.owner.SetTradingState(ctx, account, trade.Active, "olga", "calm"))
	d.executes("p")
}

func TestHTTPWithoutWorkersIs503AndTheRequestNeverTradesLater(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	d := s.openDoor("anna")
	d.propose("p", "buy", nil)
	s.kill("proposals-0")
	asked := time.Now()
	a := d.executeOnce("p")
	require.Equal(t, http.StatusServiceUnavailable, a.HTTP, a.Message)
	s.eventually("the request's time is over", func() bool { return time.Since(asked) > 31*time.Second })
	s.start("proposals-again", "proposals")
	s.eventually("the late request is decided", func() bool {
		return s.count(`SELECT count(*) FROM interlock.verdicts WHERE body::text LIKE '%REQUEST_TOO_LATE%'`) > 0 || len(s.ordered()) > 0
	})
	require.Empty(t, s.ordered())
	d.executes("p") // a new request trades
}

func TestHTTPWithoutTemporalOrDatabaseIs503(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	d := s.openDoor("anna")
	d.propose("p", "buy", nil)
	s.temporal.Close()
	require.Equal(t, http.StatusServiceUnavailable, d.executeOnce("p").HTTP)
	d.propose("q", "buy", nil)
	require.Empty(t, s.ordered(), "storing needs no Temporal")

	_, err := s.pool.Exec(ctx, fmt.Sprintf(`ALTER ROLE %s NOLOGIN`, s.logins["api"]))
	require.NoError(t, err)
	_, err = s.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1`, s.logins["api"])
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, d.executeOnce("p").HTTP)
}
