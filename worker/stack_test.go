package main

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
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"interlock/activities/scans"
	"interlock/internal/bitvavo/market"
	"interlock/internal/devstack/devtest"
	"interlock/internal/paper"
	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/internal/waittest"
	"interlock/migrations"
	"interlock/workflows"
)

const account = "paper"

var ctx = context.Background()

// binary is this package built once, with the race detector, so that workers
// run, die and freeze as processes.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "interlock-worker-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "worker")
	out, err := exec.Command("go", "build", "-race", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return path, nil
})

// stack is everything real: PostgreSQL with a login per role, a namespace of a
// Temporal server, a paper exchange over HTTP, and worker processes.
type stack struct {
	t         *testing.T
	owner     *postgres.Store
	ownerURL  string
	pool      *pgxpool.Pool
	temporal  client.Client
	server    devtest.Server
	exchange  *httptest.Server
	veil      *veil
	trade     paper.Key
	read      paper.Key
	processes map[string]*exec.Cmd
	logins    map[string]string
	model     string // base URL that role scans asks
}

// newStack starts one process per role, and as many of role proposals as asked.
func newStack(t *testing.T, proposalsWorkers int, change ...func(*trade.Policy)) *stack {
	t.Helper()
	return newStackOn(t, devtest.Database(t, migrations.Up), proposalsWorkers, change...)
}

// newStackOn is newStack on a database that the test wants to disturb.
func newStackOn(t *testing.T, url string, proposalsWorkers int, change ...func(*trade.Policy)) *stack {
	t.Helper()
	return newStackAt(t, url, devtest.Namespace(t, workflows.SearchAttributes()), proposalsWorkers, change...)
}

// newStackAt is newStackOn at a Temporal server that the test wants to disturb.
func newStackAt(t *testing.T, url string, server devtest.Server, proposalsWorkers int, change ...func(*trade.Policy)) *stack {
	t.Helper()
	s := newGround(t, url, server, change...)
	s.start("scans", "scans")
	for i := range proposalsWorkers {
		s.start(fmt.Sprintf("proposals-%d", i), "proposals")
	}
	s.start("orders", "orders")
	s.awaitReady()
	return s
}

// newGround is a stack without workers.
func newGround(t *testing.T, url string, server devtest.Server, change ...func(*trade.Policy)) *stack {
	t.Helper()
	s := newExchange(t, url, server, "")
	s.openRecords(change)
	return s
}

// newExchange is a stack without records that are its own: the exchange keeps
// its orders in a file unless that is empty.
func newExchange(t *testing.T, url string, server devtest.Server, stateFile string) *stack {
	t.Helper()
	s := &stack{
		t: t, ownerURL: url, server: server,
		trade: paper.NewKey("a", paper.View, paper.Trade), read: paper.NewKey("a", paper.View), processes: map[string]*exec.Cmd{}, logins: map[string]string{},
	}
	s.temporal = s.server.Client(t)
	s.openExchange(stateFile)
	s.openStores()
	return s
}

func (s *stack) openExchange(stateFile string) {
	ex, err := paper.New(paper.Config{
		Keys: []paper.Key{s.trade, s.read}, Admin: true, Seed: 7, WeightPerMinute: 10_000_000, StateFile: stateFile,
	})
	require.NoError(s.t, err)
	s.veil = &veil{Handler: ex.Handler()}
	s.exchange = httptest.NewServer(s.veil)
	s.t.Cleanup(func() {
		s.exchange.CloseClientConnections()
		s.exchange.Close()
		require.NoError(s.t, ex.Close())
	})
}

func (s *stack) openStores() {
	var err error
	s.owner, err = postgres.Open(ctx, s.ownerURL)
	require.NoError(s.t, err)
	s.t.Cleanup(s.owner.Close)
	cfg, err := pgxpool.ParseConfig(s.ownerURL)
	require.NoError(s.t, err)
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // a pooler may stand between
	s.pool, err = pgxpool.NewWithConfig(ctx, cfg)
	require.NoError(s.t, err)
	s.t.Cleanup(s.pool.Close)
}

func (s *stack) openRecords(change []func(*trade.Policy)) {
	require.NoError(s.t, s.owner.CreateAccount(ctx, postgres.Account{
		ID: account, Venue: "paper", RESTURL: s.exchange.URL + "/v2", ReadLag: 2 * time.Second,
	}))
	_, err := s.owner.PutPolicy(ctx, "anna", account, widePolicy(s.t, change), "test")
	require.NoError(s.t, err)
}

func widePolicy(t *testing.T, change []func(*trade.Policy)) trade.Policy {
	t.Helper()
	text, err := os.ReadFile("../internal/trade/testdata/policy.json")
	require.NoError(t, err)
	p, err := trade.ParsePolicy(text)
	require.NoError(t, err)
	p.Cooldown, p.AntiFlip = 0, 0
	p.TradesPerDay, p.TradesPerHour = trade.CountLimit{Unlimited: true}, trade.CountLimit{Unlimited: true}
	p.ExposureMarket, p.ExposureAccount = trade.AmountLimit{Unlimited: true}, trade.AmountLimit{Unlimited: true}
	p.RepeatThrottle = trade.Throttle{Unlimited: true}
	p.PriceMaxAge, p.ReconcileMaxAge = trade.Duration(10*time.Minute), trade.Duration(30*time.Minute)
	for _, c := range change {
		c(&p)
	}
	return p
}

var groups = map[string]string{
	"proposals": postgres.ProposalsRole, "orders": postgres.OrdersRole, "scans": postgres.ScansRole,
	"api": postgres.APIRole, "operator": postgres.OperatorRole,
}

// login is the database login of a role, made at its first use.
func (s *stack) login(role string) string {
	s.t.Helper()
	if s.logins[role] == "" {
		name := fmt.Sprintf("test_%s_%s", role, strings.ReplaceAll(uuid.NewString(), "-", "")[:8])
		require.NoError(s.t, postgres.EnsureLogin(ctx, s.ownerURL, name, "secret", groups[role]))
		s.logins[role] = name
	}
	return s.logins[role]
}

// environment is all that a process of a role gets to see.
func (s *stack) environment(role string) []string {
	url, err := postgres.LoginURL(s.ownerURL, s.login(role), "secret")
	require.NoError(s.t, err)
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.t.TempDir(), "INTERLOCK_ACCOUNT=" + account, "DATABASE_URL=" + url,
		"TEMPORAL_ADDRESS=" + s.server.Address, "TEMPORAL_NAMESPACE=" + s.server.Namespace, "BITVAVO_TRADE_RPS=1000",
	}
	switch role {
	case "orders":
		env = append(env, "BITVAVO_REST_URL="+s.exchange.URL+"/v2", "BITVAVO_TRADE_KEY="+s.trade.Key,
			"BITVAVO_TRADE_SECRET="+s.trade.Secret, "BITVAVO_OPERATOR_ID=7")
	case "scans":
		env = append(env, "BITVAVO_REST_URL="+s.exchange.URL+"/v2", "BITVAVO_READONLY_KEY="+s.read.Key, "BITVAVO_READONLY_SECRET="+s.read.Secret)
		if s.model != "" {
			env = append(env, "OPENAI_BASE_URL="+s.model)
		}
	}
	return env
}

// keepMarket keeps prices fresh without a process of role scans, for tests
// that are not about it. The first are there when it returns.
func (s *stack) keepMarket() {
	s.t.Helper()
	reader, err := market.New(market.Config{URL: s.exchange.URL + "/v2", Key: s.read.Key, Secret: s.read.Secret, Timeout: waittest.Timeout})
	require.NoError(s.t, err)
	m := &scans.Refresher{Market: reader, Facts: s.owner, Account: account, Every: time.Second, Log: slog.New(slog.DiscardHandler)}
	require.NoError(s.t, m.Refresh(ctx))
	running, stop := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() { m.Run(running) })
	s.t.Cleanup(func() { stop(); keeping.Wait(); reader.Close() })
}

func (s *stack) start(name, role string) {
	s.t.Helper()
	path, err := binary()
	require.NoError(s.t, err)
	cmd := exec.Command(path, "--role", role)
	cmd.Env = s.environment(role)
	s.launch(name, cmd)
}

// startStruck starts a worker that is struck down once.
func (s *stack) startStruck(name string, order strike) {
	s.t.Helper()
	text, err := json.Marshal(order)
	require.NoError(s.t, err)
	self, err := os.Executable()
	require.NoError(s.t, err)
	cmd := exec.Command(self)
	cmd.Env = append(s.environment(order.Role), strikeVariable+"="+string(text))
	s.launch(name, cmd)
}

// launch runs a worker until the test ends, and then reads its log.
func (s *stack) launch(name string, cmd *exec.Cmd) {
	s.t.Helper()
	log := &bytes.Buffer{}
	cmd.Stderr, cmd.Stdout = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(s.t, cmd.Start())
	s.processes[name] = cmd
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		require.NotContains(s.t, log.String(), "DATA RACE", "in "+name)
		require.NotContains(s.t, log.String(), s.trade.Secret, "a secret in the log of "+name)
		if s.t.Failed() {
			s.t.Logf("log of %s:\n%s", name, tail(log.String()))
		}
	})
}

func tail(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

func (s *stack) signal(name string, sig syscall.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.processes[name].Process.Signal(sig))
}

// kill ends a process as a power cut would.
func (s *stack) kill(name string) {
	s.t.Helper()
	s.signal(name, syscall.SIGKILL)
	_, _ = s.processes[name].Process.Wait()
}

func (s *stack) awaitReady() {
	s.t.Helper()
	s.eventually("a first comparison and fresh prices", func() bool {
		var n int
		err := s.query(`SELECT count(*) FROM interlock.reconciliations r, interlock.market_facts m, interlock.exchange_clocks`, &n)
		return err == nil && n > 0
	})
}

func (s *stack) query(sql string, into any, args ...any) error {
	return s.pool.QueryRow(ctx, sql, args...).Scan(into)
}

func (s *stack) count(sql string, args ...any) int {
	s.t.Helper()
	var n int
	require.NoError(s.t, s.query(sql, &n, args...))
	return n
}

func (s *stack) propose(id string, change ...func(*trade.Proposal)) {
	s.t.Helper()
	s.proposeIn(id, "BTC-EUR", change...)
}

func (s *stack) proposeIn(id string, market trade.Market, change ...func(*trade.Proposal)) {
	s.t.Helper()
	p := trade.Proposal{
		ID: id, UserID: "anna", AccountID: account, Market: market, Side: trade.Buy, OrderType: trade.MarketOrder,
		ExpiresAt: time.Now().Add(time.Hour),
	}
	amount, confidence := dec("0.001"), dec("0.9")
	p.Amount, p.Confidence = &amount, &confidence
	for _, c := range change {
		c(&p)
	}
	_, _, err := s.owner.InsertProposal(ctx, p, "anna")
	require.NoError(s.t, err)
}

// ask executes a proposal through update-with-start, as any client would.
func (s *stack) ask(id string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
	return s.askAs(ctx, uuid.NewString(), id, req)
}

// askAs names the request: asked again, it is the same one.
func (s *stack) askAs(ctx context.Context, request, id string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
	var result workflows.ExecuteResult
	req.Actor = "anna"
	bound, cancel := context.WithTimeout(ctx, oneAnswer)
	defer cancel()
	start := s.temporal.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.ProposalsQueue, WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, workflows.ProposalType, workflows.ProposalInput{})
	h, err := s.temporal.UpdateWithStartWorkflow(bound, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: request, UpdateName: workflows.ExecuteUpdate, Args: []any{req}, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = h.Get(bound, &result)
	}
	return result, err
}

// executing asks in the background until there is an answer, for what is to be
// disturbed.
func (s *stack) executing(id string) {
	s.t.Helper()
	var done sync.WaitGroup
	asking, giveUp := context.WithCancel(ctx)
	request := uuid.NewString()
	done.Go(func() {
		for asking.Err() == nil {
			result, err := s.askAs(asking, request, id, workflows.ExecuteRequest{})
			if err == nil && !busy(result.Blocks) {
				return
			}
			request = next(request, result, err)
		}
	})
	s.t.Cleanup(func() { giveUp(); done.Wait() })
}

func (s *stack) status(id string) trade.Status {
	s.t.Helper()
	life, err := s.owner.ReadState(ctx, id)
	require.NoError(s.t, err)
	return life.Proposal.Status
}

func (s *stack) becomes(id string, want trade.Status) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s becomes %s", id, want), func() bool {
		if want != trade.Failed {
			s.again(id)
		}
		life, err := s.owner.ReadState(ctx, id)
		return err == nil && life.Proposal.Status == want // an error may be a connection that the test has cut
	})
}

// ordered is the exchange's own list of every order there ever was.
func (s *stack) ordered() []map[string]any {
	s.t.Helper()
	var reply any
	s.admin(http.MethodGet, "/admin/orders", nil, &reply)
	return orderList(reply)
}

func orderList(reply any) []map[string]any {
	list, ok := reply.([]any)
	if !ok {
		if object, isObject := reply.(map[string]any); isObject {
			list, _ = object["orders"].([]any)
		}
	}
	var orders []map[string]any
	for _, o := range list {
		orders = append(orders, o.(map[string]any))
	}
	return orders
}

func (s *stack) admin(method, path string, body, into any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(s.t, err)
	req, err := http.NewRequest(method, s.exchange.URL+path, bytes.NewReader(text))
	require.NoError(s.t, err)
	reply, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer reply.Body.Close()
	answer, err := io.ReadAll(reply.Body)
	require.NoError(s.t, err)
	require.Less(s.t, reply.StatusCode, 300, string(answer))
	if into != nil {
		require.NoError(s.t, json.Unmarshal(answer, into))
	}
}

func (s *stack) fault(f map[string]any) {
	s.t.Helper()
	s.admin(http.MethodPost, "/admin/faults", f, nil)
}

func (s *stack) heal() { s.t.Helper(); s.admin(http.MethodDelete, "/admin/faults", nil, nil) }

func (s *stack) delayReplies(d time.Duration) {
	s.t.Helper()
	s.admin(http.MethodPost, "/admin/delay", map[string]any{"replyDelayMs": d.Milliseconds()}, nil)
}
