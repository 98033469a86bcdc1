package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/api"
	"interlock/internal/devstack/devtest"
	"interlock/internal/postgres"
	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/migrations"
	"interlock/workflows"
)

func TestMain(m *testing.M) { devtest.Main(m) }

const account = "paper"

var ctx = context.Background()

// temporal is a workflow service that does as a test says.
type temporal struct {
	mu        sync.Mutex
	executes  []workflows.ExecuteRequest
	ids       []string
	started   []string
	cancels   []workflows.CancelRequest
	schedules []string

	execute    func(ctx context.Context, id, updateID string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error)
	cancelling func(id string, req workflows.CancelRequest) error
	resolving  func(id string, req workflows.ResolveRequest) (workflows.ResolveResult, error)
	down       error
}

func (f *temporal) Execute(ctx context.Context, id, updateID string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
	f.mu.Lock()
	f.executes, f.ids = append(f.executes, req), append(f.ids, updateID)
	execute := f.execute
	f.mu.Unlock()
	return execute(ctx, id, updateID, req)
}

func (f *temporal) Cancel(_ context.Context, id string, req workflows.CancelRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancels = append(f.cancels, req)
	return f.cancelling(id, req)
}

func (f *temporal) Resolve(_ context.Context, id, _ string, req workflows.ResolveRequest) (workflows.ResolveResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.resolving(id, req)
}

func (f *temporal) Start(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started = append(f.started, id)
	return f.down
}

func (f *temporal) PutSchedule(_ context.Context, j scan.Job) error {
	return f.scheduled("put " + j.ID)
}

func (f *temporal) PauseSchedule(_ context.Context, j scan.Job) error {
	if j.Paused {
		return f.scheduled("pause " + j.ID)
	}
	return f.scheduled("resume " + j.ID)
}

func (f *temporal) TriggerSchedule(_ context.Context, id string) error {
	return f.scheduled("trigger " + id)
}

func (f *temporal) DeleteSchedule(_ context.Context, id string) error {
	return f.scheduled("delete " + id)
}

func (f *temporal) scheduled(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.schedules = append(f.schedules, what)
	return f.down
}

func (f *temporal) Ping(context.Context) error { return f.down }

// count counts as metrics do.
type count struct {
	mu       sync.Mutex
	statuses map[int]int
	blocks   map[trade.Code]int
}

func (c *count) Requested(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses[status]++
}

func (c *count) Blocked(code trade.Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks[code]++
}

// door is the API over a database of its own, with the API's own rights.
type door struct {
	t        *testing.T
	url      string
	owner    *postgres.Store
	store    *postgres.Store
	temporal *temporal
	count    *count
	log      *bytes.Buffer
	now      time.Time
	token    string
	server   *httptest.Server
}

// timeout bounds what a test waits for; it judges nothing.
const timeout = 5 * time.Minute

func newDoor(t *testing.T, change ...func(*api.Config)) *door {
	t.Helper()
	url := devtest.Database(t, migrations.Up)
	d := &door{
		t: t, url: url, owner: open(t, url), store: open(t, apiLogin(t, url)), temporal: &temporal{}, log: &bytes.Buffer{},
		count: &count{statuses: map[int]int{}, blocks: map[trade.Code]int{}}, now: time.Now().UTC().Truncate(time.Second),
	}
	d.account(account)
	d.token = d.tokenOf("anna", account)
	cfg := api.Config{
		Store: d.store, Temporal: d.temporal, Metrics: d.count, Now: func() time.Time { return d.now },
		Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Patience: timeout,
		RPS: 1e6, FailuresPerMinute: 1e6, // for tests that are not about it
	}
	for _, c := range change {
		c(&cfg)
	}
	d.server = httptest.NewServer(api.New(cfg))
	t.Cleanup(d.server.Close)
	return d
}

func open(t *testing.T, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(ctx, url)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func apiLogin(t *testing.T, url string) string {
	t.Helper()
	login := "api_test_" + uuid.NewString()[:8]
	require.NoError(t, postgres.EnsureLogin(ctx, url, login, "secret", postgres.APIRole))
	t.Cleanup(func() { execute(t, url, `DROP ROLE `+login) })
	own, err := postgres.LoginURL(url, login, "secret")
	require.NoError(t, err)
	return own
}

// execute runs a statement as nobody but a test may.
func execute(t *testing.T, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql, args...)
	require.NoError(t, err)
}

// rows counts what is stored.
func (d *door) rows(sql string) (n int) {
	d.t.Helper()
	conn, err := pgx.Connect(ctx, d.url)
	require.NoError(d.t, err)
	defer conn.Close(ctx)
	require.NoError(d.t, conn.QueryRow(ctx, sql).Scan(&n))
	return n
}

func (d *door) account(id string) {
	d.t.Helper()
	require.NoError(d.t, d.owner.CreateAccount(ctx, postgres.Account{ID: id, Venue: "paper", RESTURL: "http://127.0.0.1:1/v2"}))
}

func (d *door) tokenOf(user, account string) string {
	d.t.Helper()
	return d.tokenFor(view.Trader, user, account)
}

func (d *door) tokenFor(role view.Role, user, account string) string {
	d.t.Helper()
	_, token, err := d.owner.CreateTokenOf(ctx, role, user, account, "", "test")
	require.NoError(d.t, err)
	return token
}

// reply is an answer with its decoded body.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (r reply) code() string { code, _ := r.body["code"].(string); return code }

// send asks as anna unless a header says otherwise, and holds every answer to
// being JSON. Body is text, or a value to be written as JSON.
func (d *door) send(method, path string, body any, header ...string) reply {
	d.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	case io.Reader:
		content = b
	default:
		text, err := json.Marshal(b)
		require.NoError(d.t, err)
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, d.server.URL+path, content)
	require.NoError(d.t, err)
	r.Header.Set("Authorization", "Bearer "+d.token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := d.server.Client().Do(r)
	require.NoError(d.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(d.t, err)
	require.Equal(d.t, "application/json", answer.Header.Get("Content-Type"), "%s %s: %s", method, path, text)
	got := reply{status: answer.StatusCode, header: answer.Header, text: string(text)}
	require.NoError(d.t, json.Unmarshal(text, &got.body), "%s", text)
	if got.status >= 300 {
		require.EqualValues(d.t, got.status, got.body["status"], got.text)
		require.NotEmpty(d.t, got.body["code"], got.text)
		require.NotEmpty(d.t, got.body["message"], got.text)
	}
	return got
}

func (d *door) as(user, account string) []string {
	return []string{"Authorization", "Bearer " + d.tokenOf(user, account)}
}

// in asks in a role of one's own.
func (d *door) in(role view.Role, user, account string) []string {
	return []string{"Authorization", "Bearer " + d.tokenFor(role, user, account)}
}

func body(id string) map[string]any {
	return map[string]any{"id": id, "market": "BTC/EUR", "side": "BUY", "amount": "0.001", "confidence": "0.9"}
}

func (d *door) propose(id string) {
	d.t.Helper()
	r := d.send("POST", "/api/trading/proposals", body(id))
	require.Equal(d.t, 201, r.status, r.text)
}

func (d *door) execute(id string) reply {
	d.t.Helper()
	return d.send("POST", "/api/trading/execute", map[string]any{"proposalId": id})
}

// set moves a proposal to a status without living its life.
func (d *door) set(id string, status trade.Status) {
	d.t.Helper()
	execute(d.t, d.url, `UPDATE interlock.trade_proposals SET status = $2 WHERE id = $1`, id, string(status))
}

// tradable stores everything that a preflight needs to pass.
func (d *door) tradable() {
	d.t.Helper()
	text, err := os.ReadFile("../trade/testdata/policy.json")
	require.NoError(d.t, err)
	r := d.send("PUT", "/api/trading/policy", string(text))
	require.Equal(d.t, 200, r.status, r.text)
	now, err := d.owner.Now(ctx)
	require.NoError(d.t, err)
	dec := decimal.RequireFromString
	require.NoError(d.t, d.owner.PutMarketFacts(ctx, account, now, []trade.MarketFact{{Market: "BTC-EUR", Price: dec("80000"), Rules: trade.MarketRules{
		TickSize: dec("1"), QuantityDecimals: 8, NotionalDecimals: 2, MinBase: dec("0.0001"), MinQuote: dec("5"), Status: "trading",
	}}}))
	require.NoError(d.t, d.owner.PutClock(ctx, account, now, now, now))
	_, err = d.owner.Compare(ctx, trade.Comparison{AccountID: account, StartedAt: now})
	require.NoError(d.t, err)
}

// claim is what the workflow would do first, for real.
func (d *door) claim(id, updateID string, req workflows.ExecuteRequest) trade.Decision {
	decision, err := d.owner.Preflight(ctx, trade.Request{ID: updateID, ProposalID: id, Actor: req.Actor, Via: "update", NotAfter: req.NotAfter})
	if err != nil {
		panic(fmt.Sprintf("preflight: %v", err))
	}
	return decision
}

// answering lets the workflow answer every execute with r.
func (d *door) answering(r workflows.ExecuteResult, err error) {
	d.temporal.execute = func(context.Context, string, string, workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
		return r, err
	}
}
