package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/activity"

	notifying "interlock/activities/notify"
	bitvavo "interlock/internal/bitvavo/orders"
	"interlock/internal/config"
	"interlock/internal/devstack/devtest"
	"interlock/internal/outbox"
	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// strikeVariable makes this test binary a worker that is struck down once. The
// worker is the real one; what strikes stands between its roles and the world.
const strikeVariable = "INTERLOCK_TEST_STRIKE"

func TestMain(m *testing.M) {
	if order := os.Getenv(strikeVariable); order != "" {
		if err := runStruck(order); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	devtest.Main(m)
}

// strike says where a worker falls, and how.
type strike struct {
	Role     string // what the worker hosts
	Proposal string // whose life is struck; empty: whichever workflow's
	At       string // activity and step, as in PlaceOrder/row
	After    bool   // after the step, else before it
	Nth      int    // at which passing
	Thaws    bool   // it freezes and may be thawed; otherwise it is killed
	Blind    bool   // the worker's own check of the deadline is off
	Dir      string // where it leaves traces
}

const (
	struckFile = "struck"
	thawedFile = "thawed"
	traceFile  = "trace"
)

// runStruck is run of main.go, with the striker between the roles and their ports.
func runStruck(order string) error {
	s := &striker{}
	if err := json.Unmarshal([]byte(order), &s.strike); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg, err := config.Worker(s.Role, os.Getenv)
	if err != nil {
		return err
	}
	p, err := newProcess(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.close()
	if err := s.standBetween(ctx, p); err != nil {
		return err
	}
	return p.serve(ctx)
}

// striker waits for its step and strikes there, once.
type striker struct {
	strike
	passed atomic.Int64
}

func (s *striker) standBetween(ctx context.Context, p *process) (err error) {
	if p.store, err = postgres.Open(ctx, p.cfg.DatabaseURL.Reveal(), postgres.WithTracer(s)); err != nil {
		return err
	}
	p.closers = append(p.closers, p.store.Close)
	p.attempts = struckAttempts{p.store, s}
	p.deliveries, p.sender = struckDeliveries{p.store, s}, struckSender{p.sender, s}
	if p.exchange == nil {
		return nil
	}
	keys := bitvavo.Config{
		URL: p.cfg.Exchange.URL, Key: p.cfg.Trade.Key.Reveal(), Secret: p.cfg.Trade.Secret.Reveal(), OperatorID: p.cfg.OperatorID,
		Transport: struckTransport{&http.Transport{DisableKeepAlives: true}, s},
	}
	signed, err := bitvavo.New(keys)
	p.exchange = struckExchange{exchange{signed}, keys, s}
	return err
}

// pass strikes when ctx is at the step. It knows the activity from ctx alone.
func (s *striker) pass(ctx context.Context, step string, after bool) {
	if !activity.IsActivity(ctx) || after != s.After {
		return
	}
	now := activity.GetInfo(ctx)
	if s.Proposal != "" && now.WorkflowExecution.ID != s.Proposal || now.ActivityType.Name+"/"+step != s.At {
		return
	}
	if s.passed.Add(1) == int64(s.Nth) {
		s.fall()
	}
}

// fall ends or freezes the process. Nobody gets past it before the end or the
// thaw, however long the signal takes.
func (s *striker) fall() {
	s.leave(struckFile, s.At)
	if !s.Thaws {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	for tick := time.Tick(time.Millisecond); ; <-tick {
		if _, err := os.Stat(filepath.Join(s.Dir, thawedFile)); err == nil {
			return
		}
	}
}

// leave adds a line to a file that the test reads.
func (s *striker) leave(name, line string) {
	f, err := os.OpenFile(filepath.Join(s.Dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		panic(err)
	}
}

// stepKey carries the step that a transaction belongs to.
type stepKey struct{}

func stepOf(ctx context.Context) string {
	if step, named := ctx.Value(stepKey{}).(string); named {
		return step
	}
	return "commit"
}

// TraceQueryStart is before the COMMIT that has been asked for is sent.
func (s *striker) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.EqualFold(q.SQL, "commit") {
		s.pass(ctx, stepOf(ctx), false)
		return context.WithValue(ctx, committing{}, true)
	}
	return ctx
}

type committing struct{}

// TraceQueryEnd is after PostgreSQL has answered that it is committed.
func (s *striker) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryEndData) {
	if ctx.Value(committing{}) != nil && q.Err == nil {
		s.pass(ctx, stepOf(ctx), true)
	}
}

// struckAttempts names the transactions of role orders.
type struckAttempts struct {
	attempts
	striker *striker
}

func (a struckAttempts) BeginAttempt(ctx context.Context, c trade.ClaimRef, number int, deadline time.Time, worker string) (trade.Sending, *trade.AttemptResult, error) {
	sending, answer, err := a.attempts.BeginAttempt(context.WithValue(ctx, stepKey{}, "row"), c, number, deadline, worker)
	a.striker.traceRow(answer, err)
	return sending, answer, err
}

// traceRow says what became of the attempt's row: begun, void, or an error.
func (s *striker) traceRow(answer *trade.AttemptResult, err error) {
	switch {
	case err != nil:
		s.leave(traceFile, fmt.Sprintf("row error %v", err))
	case answer != nil:
		s.leave(traceFile, fmt.Sprintf("row void: %s %s", answer.Code, answer.Message))
	default:
		s.leave(traceFile, "row begun")
	}
}

func (a struckAttempts) RecordReply(ctx context.Context, c trade.ClaimRef, number int, p trade.AttemptResult, worker string) error {
	err := a.attempts.RecordReply(context.WithValue(ctx, stepKey{}, "reply"), c, number, p, worker)
	a.striker.leave(traceFile, fmt.Sprintf("reply %s/%s %v", p.Reply, p.Code, err))
	return err
}

// What is only read before a step is no step of its own.
func (a struckAttempts) LookupOf(ctx context.Context, c trade.ClaimRef, number int) (*trade.Search, error) {
	return a.attempts.LookupOf(context.WithValue(ctx, stepKey{}, "read"), c, number)
}

func (a struckAttempts) AcceptedOrder(ctx context.Context, c trade.ClaimRef) (trade.AcceptedOrder, error) {
	return a.attempts.AcceptedOrder(context.WithValue(ctx, stepKey{}, "read"), c)
}

// struckExchange strikes around the calls of the exchange.
type struckExchange struct {
	venue
	keys    bitvavo.Config
	striker *striker
}

func (e struckExchange) Now(ctx context.Context) (time.Time, error) {
	e.striker.pass(ctx, "clock", false)
	defer e.striker.pass(ctx, "clock", true)
	return e.venue.Now(ctx)
}

func (e struckExchange) Look(ctx context.Context, s trade.Search) trade.Lookup {
	e.striker.pass(ctx, "look", false)
	defer e.striker.pass(ctx, "look", true)
	return e.venue.Look(ctx, s)
}

func (e struckExchange) Place(ctx context.Context, plan trade.Plan, id uuid.UUID, deadline time.Time) trade.AttemptResult {
	e.striker.pass(ctx, "place", false)
	defer e.striker.pass(ctx, "place", true)
	if !e.striker.Blind {
		return e.venue.Place(ctx, plan, id, deadline)
	}
	return e.placeBlindly(ctx, plan, id, deadline)
}

// placeBlindly places as production does, with a clock that stands still short
// of the deadline and without anybody's patience.
func (e struckExchange) placeBlindly(ctx context.Context, plan trade.Plan, id uuid.UUID, deadline time.Time) trade.AttemptResult {
	keys := e.keys
	keys.Transport = stoppedClock{keys.Transport, deadline.Add(-time.Second)}
	signed, err := bitvavo.New(keys)
	if err != nil {
		panic(err)
	}
	return signed.Place(context.WithoutCancel(ctx), plan, id, deadline)
}

func (e struckExchange) Order(ctx context.Context, market trade.Market, orderID string) (trade.Order, error) {
	e.striker.pass(ctx, "order", false)
	defer e.striker.pass(ctx, "order", true)
	return e.venue.Order(ctx, market, orderID)
}

func (e struckExchange) Cancel(ctx context.Context, market trade.Market, orderID string) error {
	e.striker.pass(ctx, "cancel", false)
	defer e.striker.pass(ctx, "cancel", true)
	return e.venue.Cancel(ctx, market, orderID)
}

// struckDeliveries strikes around what the notifier writes. Each is a
// transaction of its own.
type struckDeliveries struct {
	notifying.Deliveries
	striker *striker
}

func (d struckDeliveries) DueRules(ctx context.Context, busy []string, most int) ([]string, error) {
	d.striker.pass(ctx, "due", false)
	defer d.striker.pass(ctx, "due", true)
	return d.Deliveries.DueRules(ctx, busy, most)
}

func (d struckDeliveries) TakeDelivery(ctx context.Context, rule string, most int, within time.Duration) (outbox.Delivery, error) {
	d.striker.pass(ctx, "take", false)
	next, err := d.Deliveries.TakeDelivery(ctx, rule, most, within)
	if err == nil {
		d.striker.pass(ctx, "take", true)
	}
	return next, err
}

func (d struckDeliveries) Delivered(ctx context.Context, eventID int64, rule string) error {
	d.striker.pass(ctx, "delivered", false)
	defer d.striker.pass(ctx, "delivered", true)
	return d.Deliveries.Delivered(ctx, eventID, rule)
}

func (d struckDeliveries) NotDelivered(ctx context.Context, eventID int64, rule, why string, pause time.Duration, last bool) error {
	d.striker.pass(ctx, "failed", false)
	defer d.striker.pass(ctx, "failed", true)
	return d.Deliveries.NotDelivered(ctx, eventID, rule, why, pause, last)
}

// struckSender strikes around what leaves the machine.
type struckSender struct {
	notifying.Sender
	striker *striker
}

func (s struckSender) Send(ctx context.Context, d outbox.Delivery) error {
	s.striker.pass(ctx, "send", false)
	defer s.striker.pass(ctx, "send", true)
	return s.Sender.Send(ctx, d)
}

// struckTransport strikes between the signature and the first byte, and
// between the answer's arrival and its reading.
type struckTransport struct {
	http.RoundTripper
	striker *striker
}

func (t struckTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return t.RoundTripper.RoundTrip(req)
	}
	t.striker.pass(req.Context(), "send", false)
	if t.striker.Blind {
		req = req.WithContext(context.WithoutCancel(req.Context()))
	}
	resp, err := t.RoundTripper.RoundTrip(req)
	if err != nil {
		t.striker.leave(traceFile, fmt.Sprintf("sent %s %v", req.Method, err))
		return resp, err
	}
	t.striker.pass(req.Context(), "send", true)
	return t.show(req, resp)
}

// show leaves a trace of what the exchange itself has answered.
func (t struckTransport) show(req *http.Request, resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	t.striker.leave(traceFile, fmt.Sprintf("answered %s %d %s", req.Method, resp.StatusCode, body))
	return resp, err
}

// stoppedClock answers the question for the exchange's time by itself.
type stoppedClock struct {
	http.RoundTripper
	at time.Time
}

func (c stoppedClock) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, "/time") {
		return c.RoundTripper.RoundTrip(req)
	}
	body := fmt.Sprintf(`{"time":%d}`, c.at.UnixMilli())
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}
