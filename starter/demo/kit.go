package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// Stack is where everything is that the demo touches.
type Stack struct {
	API, Exchange, Admin        string // base URLs
	Analyst                     string // the same; empty when the model is not our demo's
	ScanWorkers                 int    // processes of role scans
	Database                    string // the operator's login
	Temporal, Namespace         string
	TemporalCLI, Worker         string // binaries
	Account                     string
	ReadonlyKey, ReadonlySecret string
	Kill                        func(name string) error // ends a child as a crash would
}

// kit is what scenarios work with.
type kit struct {
	Stack

	run          string // keeps the users and proposals of several runs apart
	store        *postgres.Store
	conn         *pgx.Conn
	installation uuid.UUID
	exchange     exchange
}

func newKit(ctx context.Context, s Stack) (*kit, error) {
	store, err := postgres.Open(ctx, s.Database)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, s.Database)
	if err != nil {
		store.Close()
		return nil, err
	}
	k := &kit{Stack: s, store: store, conn: conn, run: uuid.NewString()[:8], exchange: exchange{admin: s.Admin}}
	if err := conn.QueryRow(ctx, `SELECT id FROM interlock.installation`).Scan(&k.installation); err != nil {
		k.close()
		return nil, fmt.Errorf("installation: %w", err)
	}
	return k, nil
}

func (k *kit) close() {
	k.store.Close()
	_ = k.conn.Close(context.Background()) // nothing was left to send
}

// user is one person with a token of their own.
type user struct {
	kit   *kit
	name  string
	token string
	count int
}

// user makes a person for one scenario, without a policy.
func (k *kit) user(ctx context.Context, name string) (*user, error) {
	u := &user{kit: k, name: "demo-" + k.run + "-" + name}
	_, token, err := k.store.CreateToken(ctx, u.name, k.Account, "made by starter demo", "starter demo")
	u.token = token
	return u, err
}

// trader makes a person whose policy is the open one with changes.
func (k *kit) trader(ctx context.Context, name string, changes map[string]any) (*user, error) {
	u, err := k.user(ctx, name)
	if err != nil {
		return nil, err
	}
	return u, u.allow(ctx, changes)
}

// openPolicy allows everything that a scenario does not mean to test.
var openPolicy = map[string]any{
	"timeZone": "UTC", "allowlist": []string{"BTC-EUR"}, "minConfidence": "0.5", "cooldown": "0s", "antiFlip": "0s",
	"tradesPerDay": "unlimited", "tradesPerHour": "unlimited", "maxOrderQuote": "100.00", "maxOrderBase": "unlimited",
	"exposureMarket": "unlimited", "exposureAccount": "unlimited", "priceCollar": "0.05", "priceMaxAge": "1m",
	"reconcileMaxAge": "10m", "limitOrderTTL": "10m", "repeatThrottle": "unlimited", "autoExecute": false,
	"modelBudget": map[string]any{"callsPerDay": "unlimited", "callsPerHour": "unlimited", "tokensPerDay": "unlimited", "costPerDay": "unlimited"},
}

// allow sets the user's policy.
func (u *user) allow(ctx context.Context, changes map[string]any) error {
	policy := map[string]any{}
	for name, value := range openPolicy {
		policy[name] = value
	}
	for name, value := range changes {
		policy[name] = value
	}
	r, err := u.ask(ctx, "PUT", "/api/trading/policy", policy)
	if err == nil && r.status != 200 {
		err = fmt.Errorf("policy: %s", r)
	}
	return err
}

// propose stores a proposal over 25 euro and returns its ID.
func (u *user) propose(ctx context.Context, side trade.Side) (string, error) {
	return u.proposeUntil(ctx, side, nil)
}

func (u *user) proposeUntil(ctx context.Context, side trade.Side, expires *time.Time) (string, error) {
	u.count++
	body := map[string]any{
		"id": fmt.Sprintf("%s-%d", u.name, u.count), "market": "BTC-EUR", "side": side, "amountQuote": "25",
		"confidence": "0.9", "source": "starter demo",
	}
	if expires != nil {
		body["expiresAt"] = expires.UTC()
	}
	r, err := u.ask(ctx, "POST", "/api/trading/proposals", body)
	if err == nil && r.status != 201 {
		err = fmt.Errorf("propose: %s", r)
	}
	return body["id"].(string), err
}

// execute asks for a proposal to be executed until the answer is about the
// proposal; more is added to the body. A claim that is still open when it is
// answered is followed to its end: what failed because no attempt could begin
// in time is asked again.
func (u *user) execute(ctx context.Context, id string, more map[string]any) (r reply, err error) {
	body := map[string]any{"proposalId": id}
	for name, value := range more {
		body[name] = value
	}
	err = until(ctx, func() (missing string, err error) {
		if r, err = u.ask(ctx, "POST", "/api/trading/execute", body); err != nil {
			return "", err
		}
		if r.early() {
			return "an answer about " + id + ": " + r.String(), nil
		}
		if r.status != http.StatusAccepted {
			return "", nil
		}
		end, err := u.ended(ctx, id)
		switch end {
		case trade.Executed:
			r.later = ", then EXECUTED"
		case trade.Failed:
			missing = id + " to be attempted in time: it is FAILED"
		}
		return missing, err
	})
	return r, err
}

// ended waits until a claim is no longer carried out.
func (u *user) ended(ctx context.Context, id string) (end trade.Status, err error) {
	err = until(ctx, func() (missing string, err error) {
		if end, err = u.status(ctx, id); end.Claimed() {
			missing = "the end of " + id + ": it is " + string(end)
		}
		return missing, err
	})
	return end, err
}

// status reads where a proposal is in its life.
func (u *user) status(ctx context.Context, id string) (trade.Status, error) {
	r, err := u.ask(ctx, "GET", "/api/trading/proposals/"+id, nil)
	var p struct{ Status trade.Status }
	if err == nil {
		err = json.Unmarshal(r.body, &p)
	}
	return p.Status, err
}

// becomes waits until a proposal has the status.
func (u *user) becomes(ctx context.Context, id string, want trade.Status) error {
	return until(ctx, func() (string, error) {
		now, err := u.status(ctx, id)
		return unless(now == want, "%s is %s, not %s", id, now, want), err
	})
}

// ordersOf counts the orders of proposals at the exchange. The client order ID
// is derived here again, so that our records are not asked.
func (u *user) ordersOf(ctx context.Context, ids ...string) (int, error) {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[trade.ClientOrderID(u.kit.installation, u.kit.Account, u.name, id).String()] = true
	}
	orders, err := u.kit.exchange.orders(ctx)
	count := 0
	for _, o := range orders {
		if wanted[o.ClientOrderID] {
			count++
		}
	}
	return count, err
}

const pastTradeSQL = `
	INSERT INTO interlock.trade_history (user_id, market, asset, side, executed_at)
	VALUES (@user, 'BTC-EUR', 'BTC', @side, clock_timestamp() - @age::interval)`

// traded adds a trade of the past, as another program could.
func (u *user) traded(ctx context.Context, side trade.Side, age time.Duration) error {
	_, err := u.kit.conn.Exec(ctx, pastTradeSQL, pgx.StrictNamedArgs{"user": u.name, "side": string(side), "age": age})
	return err
}

// until asks ten times a second until nothing is missing, an error, or the end
// of ctx, and then says what was missing.
func until(ctx context.Context, ask func() (missing string, err error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := "nothing was answered"
	for {
		missing, err := ask()
		switch {
		case err == nil && missing == "":
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("waited in vain: %s", last) // the question was cut short
		case err != nil:
			return err
		}
		last = missing
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %s", last)
		}
	}
}

// unless is what is missing, for until.
func unless(done bool, missing string, args ...any) string {
	if done {
		return ""
	}
	return fmt.Sprintf(missing, args...)
}

func orders(n int) string {
	if n == 1 {
		return "1 order at the exchange"
	}
	return fmt.Sprintf("%d orders at the exchange", n)
}

func words(parts ...string) string { return strings.Join(parts, ", ") }
