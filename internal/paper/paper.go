// Package paper is a Bitvavo-compatible exchange for paper money.
//
// It decides what the real exchange would answer: who may ask, what an order
// is worth, what it fills at and what it costs. It owns its own ledger of
// orders and balances, written before a reply leaves, so that a client can be
// checked against a witness that shares no code with it. It refuses to know
// who its clients are: it imports nothing else of this module.
//
// Prices move by a process (a random walk or recorded candles) and the book
// around them is made up; orders trade with the house, never with each other.
package paper

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Exchange is one running paper exchange. It is safe for concurrent use.
type Exchange struct {
	cfg     Config
	keys    map[string]Key
	budget  *weightBudget
	faults  *faultSet
	journal *journal
	closing context.Context
	close   context.CancelFunc
	origin  time.Time

	mu      sync.Mutex
	markets map[string]*marketState
	orders  *orderLog
	ledger  *ledger
	tempo   tempo
	rules   rules

	sessions    map[*session]bool
	sockets     sync.WaitGroup
	dayTold     time.Time
	pingEvery   time.Duration
	writeWithin time.Duration

	// skew is how far (ns) the exchange's clock is off the machine's. It changes
	// under mu only, so what holds mu sees one clock.
	skew atomic.Int64
}

// tempo is how slow the exchange is at this moment; it may change while running.
type tempo struct {
	engine, reply, readLag, settle time.Duration
}

// New opens an exchange and replays its state file. It fails on a
// configuration that contradicts itself and on a state file it cannot read.
func New(cfg Config) (*Exchange, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("paper exchange: %w", err)
	}
	e := &Exchange{
		cfg: cfg, keys: map[string]Key{}, budget: newWeightBudget(cfg.WeightPerMinute),
		faults: &faultSet{seed: cfg.Seed}, orders: newOrderLog(), ledger: newLedger(), markets: map[string]*marketState{},
		tempo: tempo{cfg.EngineDelay, cfg.ReplyDelay, cfg.Options.ReadLag, cfg.Options.SettleAfter},
		rules: rules{cfg.Options.RepeatOrderIDs, cfg.Options.ClientOrderIDForever}, sessions: map[*session]bool{}, pingEvery: pingPeriod, writeWithin: grace,
	}
	e.closing, e.close = context.WithCancel(context.Background())
	for _, k := range cfg.Keys {
		e.keys[k.Key] = k
	}
	if err := e.open(); err != nil {
		return nil, fmt.Errorf("paper exchange: %w", errors.Join(err, e.Close()))
	}
	return e, nil
}

// open restores what the state file holds and starts whatever it lacks.
func (e *Exchange) open() error {
	journal, records, err := openJournal(e.cfg.StateFile)
	e.journal = journal
	if err != nil {
		return err
	}
	e.origin = e.cfg.Clock().Truncate(time.Second)
	if len(records) > 0 && records[0].Origin != 0 {
		e.origin = time.UnixMilli(records[0].Origin)
	}
	if err := e.openMarkets(); err != nil {
		return err
	}
	for _, r := range records {
		e.apply(r)
	}
	return e.openAccounts(len(records) == 0)
}

func (e *Exchange) openMarkets() error {
	for _, m := range e.cfg.Markets {
		s, err := newMarketState(m, e.cfg, e.origin)
		if err != nil {
			return fmt.Errorf("market %s: %w", m.Name(), err)
		}
		e.markets[m.Name()] = s
	}
	// Nobody was served while the exchange was down, so prices roll on to now
	// before any resting order is looked at.
	for _, s := range e.markets {
		s.advance(e.cfg.Clock(), nil)
		// Above every nonce of an earlier run: there is far less than one change
		// in a millisecond.
		s.nonce = e.cfg.Clock().UnixMilli()
	}
	return nil
}

func (e *Exchange) openAccounts(fresh bool) error {
	r := record{}
	if fresh {
		r.Origin = e.origin.UnixMilli()
	}
	for _, k := range e.cfg.Keys {
		if e.ledger.openAccount(k.Account, e.cfg.Balances) {
			e.ledger.note(&r, k.Account)
		}
	}
	if r.empty() {
		return nil
	}
	return e.journal.append(r)
}

// apply puts one record of the state file into memory.
func (e *Exchange) apply(r record) {
	e.ledger.apply(r)
	for _, o := range r.Orders {
		o.told = len(o.Fills)
		e.orders.put(o)
	}
	for market, price := range r.Pins {
		if s, ok := e.markets[market]; ok {
			s.pin(price)
		}
	}
}

// Handler serves the exchange under /v2, its sockets at /v2/, and, where enabled, /admin to
// loopback clients.
func (e *Exchange) Handler() http.Handler { return http.HandlerFunc(e.route) }

// Run keeps prices moving and resting orders filling while nobody asks. It
// returns when ctx ends; an exchange without Run catches up at each request.
func (e *Exchange) Run(ctx context.Context) {
	t := time.NewTicker(e.cfg.Step)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.closing.Done():
			return
		case <-t.C:
			e.Advance()
		}
	}
}

// Advance brings prices and resting orders up to the clock.
func (e *Exchange) Advance() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.catchUp(e.now())
}

// Close ends waiting requests unanswered, and every socket with a goodbye, and
// closes the state file.
func (e *Exchange) Close() error {
	e.closeSockets()
	return e.journal.close()
}

// identity derives the nth id of a kind. It holds the exchange's birth, so an
// exchange that lost its state does not hand out old ids again.
func (e *Exchange) identity(kind, market string, n int64) string {
	name := fmt.Sprintf("%d/%d/%s/%s/%d", e.cfg.Seed, e.origin.UnixMilli(), kind, market, n)
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)).String()
}
