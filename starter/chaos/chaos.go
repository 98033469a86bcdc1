// Package chaos is the fault campaign: it sends proposals through a real stack
// while everything around them breaks, and then asks an independent checker
// whether the exchange's ledger and our records still tell one story. It
// decides what breaks when, from a seed, and what a valid campaign is. It owns
// the stack it breaks, and refuses to judge an order itself: that is the
// checker's, which shares no code with what it checks.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/shopspring/decimal"
	"go.temporal.io/sdk/client"

	"interlock/internal/config"
	"interlock/internal/paper"
	"interlock/internal/postgres"
	"interlock/starter/chaos/forgery"
	"interlock/starter/chaos/verify"
)

// Workers is how many processes of each role a campaign needs, so that one can
// freeze or die while another goes on.
func Workers() map[config.Role]int {
	return map[config.Role]int{config.Proposals: 2, config.Orders: 3, config.Scans: 2}
}

// Machine is the stack's side that breaks.
type Machine interface {
	Kill(name string) error
	Signal(name string, sig syscall.Signal) error
	CrashDatabase() error
	CopyTemporal(ctx context.Context, to string) error
	RestoreTemporal(ctx context.Context, from string) error
}

// Stack is where everything is that a campaign touches. Nobody else may use it.
type Stack struct {
	Machine

	Dir                  string // for a copy of Temporal's database
	API, Exchange, Admin string // base URLs
	Owner                string // the database as the owner of its schema
	Operator             string // and with the operator's login
	Temporal, Namespace  string
	Account, Holder      string // the account's name in our records, and at the exchange
}

// campaign is one run of a plan.
type campaign struct {
	Stack

	plan     Plan
	began    time.Time
	progress io.Writer
	store    *postgres.Store
	database *pgxpool.Pool
	temporal client.Client
	exchange *exchange
	forger   *forgery.Forger
	service  *service
	board    *board
	arming   arming
	tally    *tally
	people   []person
	prices   map[string]string
	asking   asking
	spares   int           // that were used
	copied   chan struct{} // closed when there is a copy of Temporal's database
}

// Run carries the plan out on the stack and checks what came of it. The error
// means that the campaign could not be run to its end, which proves nothing.
func Run(ctx context.Context, s Stack, p Plan, progress io.Writer) (Report, error) {
	c, err := newCampaign(ctx, s, p, progress)
	if err != nil {
		return Report{}, err
	}
	defer c.close()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go c.watch(watching)
	go c.onCall(watching)
	for _, phase := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"prepare", c.prepare}, {"break", c.breakAll}, {"strike", c.strikeMissing}, {"settle", c.settle},
	} {
		if err := phase.do(ctx); err != nil {
			return Report{}, fmt.Errorf("%s: %w", phase.what, err)
		}
	}
	return c.report(ctx)
}

func newCampaign(ctx context.Context, s Stack, p Plan, progress io.Writer) (*campaign, error) {
	c := &campaign{
		Stack: s, plan: p, began: time.Now(), progress: progress,
		tally: newTally(), board: newBoard(), copied: make(chan struct{}),
	}
	c.exchange = newExchange(s.Admin)
	var err error
	if c.store, err = postgres.Open(ctx, s.Operator); err != nil {
		return nil, err
	}
	if c.database, err = pgxpool.New(ctx, s.Owner); err != nil {
		c.store.Close()
		return nil, err
	}
	c.temporal, err = client.DialContext(ctx, client.Options{HostPort: s.Temporal, Namespace: s.Namespace, Logger: silent})
	if err != nil {
		c.store.Close()
		c.database.Close()
		return nil, err
	}
	if c.forger, err = newForger(ctx, s); err != nil {
		c.close()
		return nil, err
	}
	if c.service, err = newService(p.stream(streamMoods)); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *campaign) close() {
	if c.forger != nil {
		c.forger.Close()
	}
	if c.service != nil {
		c.service.close()
	}
	c.temporal.Close()
	c.database.Close()
	c.store.Close()
}

func (c *campaign) sayf(format string, args ...any) {
	fmt.Fprintf(c.progress, "%5.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// check reads both sides and compares them.
func (c *campaign) check(ctx context.Context) (verify.Ledger, []verify.Violation, error) {
	ledger, ledgerErr := verify.ReadLedger(ctx, c.Admin)
	records, recordsErr := verify.ReadRecords(ctx, c.Owner)
	if err := errors.Join(ledgerErr, recordsErr); err != nil {
		return ledger, nil, fmt.Errorf("check: %w", err)
	}
	return ledger, verify.Check(ledger, records, c.options()), nil
}

// options say what neither side can tell.
func (c *campaign) options() verify.Options {
	return verify.Options{
		Account: c.Account, Holder: c.Holder, Start: (paper.Config{}).WithMadeUp(madeUp).Balances,
		Drift:        decimal.New(5, -4), // a price moves by less than 0.01 % a second here
		NoneVerified: true,
		Heard:        c.service.all(),
	}
}

// pause waits, and fails only when ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
