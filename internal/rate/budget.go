package rate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrNoTurn says that a request got no turn in time. It was not sent.
var ErrNoTurn = errors.New("no turn to send a request")

// Ledger counts the requests of an account over all workers.
type Ledger interface {
	TakeRequest(ctx context.Context, account string, r Request) (Grant, error)
	HeedExchange(ctx context.Context, account string, n Notice) error
}

// Counter counts turns, for the metrics. A nil one counts nothing.
type Counter interface {
	Turn(class string, waited time.Duration)
}

// Clock is this machine's time, for waiting only.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

const (
	// patience bounds the wait for one turn. Whoever gets none is told so: its
	// caller knows better whether asking again still helps.
	patience = 10 * time.Second
	// urgentAsk and otherAsk bound one question to the Ledger. A look goes on
	// without it soon; a placement needs the database anyway.
	urgentAsk = time.Second
	otherAsk  = 4 * time.Second
	// stale is the age of an answer from which it is not used: the process
	// stood still meanwhile, and others have had their turns.
	stale = 500 * time.Millisecond
	// askAgain is how long a Ledger that failed is left alone.
	askAgain = time.Second
	// cutOff is how many workers may be cut off from the Ledger and still stay
	// within the allowance together.
	cutOff = 5
)

// Config says whose requests a Budget counts.
type Config struct {
	Ledger  Ledger
	Account string
	RPS     float64
	Counter Counter
	Clock   Clock // nil: the machine's
}

// Budget hands out turns to send. It holds no lock of the Ledger while it
// waits. While the Ledger does not answer, Urgent requests go on within a
// share of this worker's own, and no others.
type Budget struct {
	cfg    Config
	shares Shares
	gates  map[Class]chan struct{}

	mu     sync.Mutex
	banned time.Time
	away   time.Time   // the Ledger is not asked for urgent turns before this
	next   time.Time   // the next turn without the Ledger
	sent   []time.Time // turns without the Ledger
}

// New returns a Budget; it asks nobody anything.
func New(cfg Config) *Budget {
	if cfg.Clock == nil {
		cfg.Clock = machine{}
	}
	gates := map[Class]chan struct{}{}
	for _, c := range []Class{Urgent, Placement, Bulk} {
		gates[c] = make(chan struct{}, 1)
	}
	return &Budget{cfg: cfg, shares: SharesOf(cfg.RPS), gates: gates}
}

// Take returns once one request of ctx's class may be sent. ErrNoTurn means
// that it may not: the wait would be longer than ctx or patience allow.
func (b *Budget) Take(ctx context.Context) error {
	class := of(ctx)
	gate := b.gates[class]
	start := b.cfg.Clock.Now()
	// One of a class asks at a time, in the order they came.
	select {
	case gate <- struct{}{}:
		defer func() { <-gate }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNoTurn, ctx.Err())
	}
	err := b.wait(ctx, class, b.cfg.Clock.Now())
	if err == nil && b.cfg.Counter != nil {
		b.cfg.Counter.Turn(string(class), b.cfg.Clock.Now().Sub(start))
	}
	return err
}

func (b *Budget) wait(ctx context.Context, class Class, start time.Time) error {
	for {
		asked := b.cfg.Clock.Now()
		grant, err := b.ask(ctx, class)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNoTurn, err)
		}
		now := b.cfg.Clock.Now()
		if grant.Granted && now.Sub(asked) < stale {
			return nil
		}
		left := patience - now.Sub(start)
		if deadline, ok := ctx.Deadline(); ok {
			left = min(left, time.Until(deadline))
		}
		if grant.Wait > left || left <= 0 {
			return fmt.Errorf("%w: %s, the next is in %s", ErrNoTurn, grant.Reason, grant.Wait.Round(time.Millisecond))
		}
		if err := b.cfg.Clock.Sleep(ctx, grant.Wait); err != nil {
			return fmt.Errorf("%w: %w", ErrNoTurn, err)
		}
	}
}

// ask asks the Ledger, or for an urgent request this worker's own share.
func (b *Budget) ask(ctx context.Context, class Class) (Grant, error) {
	if wait := b.shut(); wait > 0 {
		return Grant{Wait: wait, Reason: "the exchange turns this account away"}, nil
	}
	bound := otherAsk
	if class == Urgent {
		if grant, ok := b.whileAway(); ok {
			return grant, nil
		}
		bound = urgentAsk
	}
	asking, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	spent := b.spent()
	grant, err := b.cfg.Ledger.TakeRequest(asking, b.cfg.Account, Request{Most: b.shares.Of(class), Floor: floor(class), Spent: len(spent)})
	switch {
	case err == nil:
		b.told(spent)
		return grant, nil
	case class != Urgent || ctx.Err() != nil:
		return Grant{}, err
	}
	return b.alone(), nil
}

// shut is how long a known ban still lasts.
func (b *Budget) shut() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.banned.Sub(b.cfg.Clock.Now())
}

// Heed slows everybody down as the exchange asks. It returns when the Ledger
// knows, or cannot be told; this worker knows in any case.
func (b *Budget) Heed(ctx context.Context, n Notice) {
	if !n.matters() {
		return
	}
	b.mu.Lock()
	if until := b.cfg.Clock.Now().Add(n.Ban); n.Ban > 0 && until.After(b.banned) {
		b.banned = until
	}
	b.mu.Unlock()
	// The caller may be gone; the others must know nevertheless.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), urgentAsk)
	defer cancel()
	_ = b.cfg.Ledger.HeedExchange(ctx, b.cfg.Account, n)
}

type machine struct{}

func (machine) Now() time.Time { return time.Now() }

func (machine) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
