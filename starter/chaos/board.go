package chaos

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// board is where every proposal stands, as the records said a moment ago.
type board struct {
	mu    sync.Mutex
	now   map[string]trade.Status
	held  map[string]bool // markets in which an order is unknown
	never map[string]bool // proposals that a limit will block as long as we ask
}

func newBoard() *board { return &board{now: map[string]trade.Status{}, never: map[string]bool{}} }

// lasting are the blocks that asking again within a campaign cannot change.
var lasting = map[trade.Code]bool{
	trade.ConfidenceTooLow: true, trade.DailyLimitReached: true, trade.HourlyLimitReached: true, trade.ExposureLimitReached: true,
}

func (b *board) note(id, code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.never[id] = b.never[id] || lasting[trade.Code(code)]
}

// hopeless reports whether asking for p again is only noise.
func (b *board) hopeless(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.never[id] || b.now[id].Closed()
}

// free reports whether p may be claimed, and its market is not held by an order
// that is unknown.
func (b *board) free(p Proposal) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now[p.ID].Executable() && !b.never[p.ID] && !b.held[p.Market]
}

func (b *board) status(id string) trade.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now[id]
}

// claimed lists what is being carried out, in order.
func (b *board) claimed() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id, s := range b.now {
		if s.Claimed() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (b *board) counts() map[trade.Status]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := map[trade.Status]int{}
	for _, s := range b.now {
		n[s]++
	}
	return n
}

type standing struct {
	ID     string       `db:"id"`
	Market string       `db:"market"`
	Status trade.Status `db:"status"`
}

func (b *board) take(rows []standing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = map[string]bool{}
	for _, r := range rows {
		b.now[r.ID] = r.Status
		b.held[r.Market] = b.held[r.Market] || r.Status == trade.Unresolved
	}
}

const standingsSQL = `SELECT id, market, status FROM interlock.trade_proposals`

// look reads the records. While the database is away the board stays as it is.
func (c *campaign) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	rows, err := c.database.Query(ctx, standingsSQL)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[standing])
	if err == nil {
		c.board.take(list)
	}
	return err
}

const (
	lookEvery = 400 * time.Millisecond
	sayEvery  = 10 * time.Second
)

// watch keeps the board and the counts fresh, and says now and then how things
// stand, until ctx ends.
func (c *campaign) watch(ctx context.Context) {
	looks, words := time.NewTicker(lookEvery), time.NewTicker(sayEvery)
	defer looks.Stop()
	defer words.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-looks.C:
			_ = c.look(ctx) // the database may be down on purpose
			c.countQuietly(ctx)
		case <-words.C:
			c.sayStanding()
		}
	}
}

// countQuietly keeps the counts close to the truth, for an exchange that may be
// killed at any time.
func (c *campaign) countQuietly(ctx context.Context) {
	if c.arming.mu.TryLock() {
		defer c.arming.mu.Unlock()
		_ = c.count(ctx)
	}
}

func (c *campaign) sayStanding() {
	n := c.board.counts()
	faults := 0
	for _, struck := range c.tally.faultCounts() {
		faults += struck
	}
	disturbances := 0
	for _, struck := range c.tally.disturbedCounts() {
		disturbances += struck
	}
	c.sayf("%d executed, %d executing, %d unresolved, %d failed, %d pending; %d faults and %d disturbances struck",
		n[trade.Executed], n[trade.Executing], n[trade.Unresolved], n[trade.Failed], n[trade.Pending], faults, disturbances)
}
