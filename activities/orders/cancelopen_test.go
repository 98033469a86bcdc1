package orders

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// book is an exchange account and the records of a cancel-open, both made to
// misbehave on demand.
type book struct {
	now     time.Time
	listed  []trade.Order
	orders  map[string]trade.Order // as they are read
	look    trade.Lookup
	refuses map[string]error // a cancel of it
	fail    map[string]error

	wish  *trade.CancelOpen
	sent  []trade.SentAttempt
	ours  map[string]string // client order ID to proposal
	noted map[string]trade.CancelledOrder
	order []string // what was asked of the exchange, in order
	left  []trade.Obstacle
	ended bool
	count []trade.CancelResult
}

func (b *book) Time(context.Context) (time.Time, error) { return b.now, b.fail["time"] }

func (b *book) OpenOrders(context.Context) ([]trade.Order, error) { return b.listed, b.fail["open"] }

func (b *book) Look(context.Context, trade.Search) trade.Lookup { return b.look }

func (b *book) Order(_ context.Context, _ trade.Market, id string) (trade.Order, error) {
	b.order = append(b.order, "read "+id)
	o, there := b.orders[id]
	if !there {
		return o, trade.ErrNotActive
	}
	return o, b.fail["order"]
}

func (b *book) Cancel(_ context.Context, _ trade.Market, id string) error {
	b.order = append(b.order, "cancel "+id)
	if err := b.refuses[id]; err != nil {
		return err
	}
	if o, there := b.orders[id]; there && !o.Status.Final() {
		o.Status = "canceled"
		b.orders[id] = o
	}
	return nil
}

func (b *book) TakeCancelOpen(context.Context, string, string, time.Duration) (*trade.CancelOpen, error) {
	return b.wish, b.fail["take"]
}

func (b *book) SentAttempts(context.Context, trade.CancelOpen, time.Time) ([]trade.SentAttempt, error) {
	return b.sent, b.fail["sent"]
}

func (b *book) ProposalOf(_ context.Context, _ string, o trade.Order) (string, error) {
	return b.ours[o.ClientOrderID], b.fail["proposal"]
}

func (b *book) CancelledOrders(context.Context, int64) ([]trade.CancelledOrder, error) {
	var list []trade.CancelledOrder
	for _, o := range b.noted {
		list = append(list, o)
	}
	return list, b.fail["before"]
}

func (b *book) NoteCancelled(_ context.Context, _ trade.CancelOpen, o trade.CancelledOrder) error {
	if before, there := b.noted[o.OrderID]; !there || before.Result == trade.CancelOpenStill {
		b.noted[o.OrderID] = o
	}
	return b.fail["note"]
}

func (b *book) ConcludeCancelOpen(_ context.Context, _ trade.CancelOpen, left []trade.Obstacle) ([]trade.Obstacle, error) {
	if err := b.fail["conclude"]; err != nil {
		return nil, err
	}
	b.left, b.ended = left, len(left) == 0
	return left, nil
}

func (b *book) CancelledByHalt(r trade.CancelResult) { b.count = append(b.count, r) }

const ourOperator = 7

func open(id string) trade.Order {
	return trade.Order{OrderID: id, ClientOrderID: "client-" + id, Market: "BTC-EUR", Status: "new", OperatorID: ourOperator}
}

// newBook lists two orders of ours and one that somebody else placed.
func newBook() *book {
	foreign := trade.Order{OrderID: "manual", Market: "BTC-EUR", Status: "new", OperatorID: 1}
	b := &book{
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), listed: []trade.Order{open("a"), open("b"), foreign}, orders: map[string]trade.Order{},
		wish: &trade.CancelOpen{ID: 1, AccountID: "paper", ReadLag: time.Second}, ours: map[string]string{"client-a": "p-a"},
		noted: map[string]trade.CancelledOrder{}, fail: map[string]error{}, refuses: map[string]error{},
	}
	for _, o := range b.listed {
		b.orders[o.OrderID] = o
	}
	return b
}

func (b *book) pass(t *testing.T) error {
	t.Helper()
	c := &Canceller{Book: b, Wishes: b, Account: "paper", Worker: "w", Operator: ourOperator, Every: time.Second, Counter: b, Log: slog.New(slog.DiscardHandler)}
	return c.Pass(context.Background())
}

func (b *book) results() map[string]trade.CancelResult {
	results := map[string]trade.CancelResult{}
	for id, o := range b.noted {
		results[id] = o.Result
	}
	return results
}

func TestWithoutAWishTheExchangeIsLeftAlone(t *testing.T) {
	b := newBook()
	b.wish = nil
	require.NoError(t, b.pass(t))
	require.Empty(t, b.order)
	b.fail["take"] = errDown
	require.ErrorIs(t, b.pass(t), errDown)
}

func TestEveryOrderOfOursIsCancelledAndOthersAreShown(t *testing.T) {
	b := newBook()
	require.NoError(t, b.pass(t))
	require.Equal(t, map[string]trade.CancelResult{
		"a": trade.CancelOpenCancelled, "b": trade.CancelOpenCancelled, "manual": trade.CancelOpenForeign,
	}, b.results())
	require.Equal(t, "p-a", b.noted["a"].ProposalID)
	require.Equal(t, []string{"cancel a", "cancel b", "read a", "read b"}, b.order, "all are asked to end before any is read")
	require.True(t, b.ended)
	require.Len(t, b.count, 3)
}

func TestAnOrderThatIsOverSaysHowMuchItFilled(t *testing.T) {
	b := newBook()
	filled := open("a")
	filled.Status, filled.FilledAmount = "filled", amount
	b.orders["a"], b.refuses["a"] = filled, trade.ErrNotActive
	require.NoError(t, b.pass(t))
	require.Equal(t, trade.CancelOpenOver, b.noted["a"].Result)
	require.Equal(t, amount, b.noted["a"].FilledAmount)
	require.True(t, b.ended)
}

func TestACancelThatFailsIsTriedAgainUntilTheOrderHasEnded(t *testing.T) {
	b := newBook()
	b.refuses["a"] = errDown
	require.NoError(t, b.pass(t))
	require.False(t, b.ended)
	require.Equal(t, trade.CancelOpenStill, b.noted["a"].Result)
	require.Contains(t, b.noted["a"].Detail, "503")
	require.Len(t, b.left, 1)

	b.listed, b.refuses = nil, nil // no list shows it any more; we know it was not seen to end
	require.NoError(t, b.pass(t))
	require.Equal(t, trade.CancelOpenCancelled, b.noted["a"].Result)
	require.True(t, b.ended)
}

func TestAnAcceptedOrderThatNoListShowsIsCancelledByItsID(t *testing.T) {
	b := newBook()
	b.listed = nil
	b.sent = []trade.SentAttempt{{ProposalID: "p-a", Market: "BTC-EUR", OrderID: "a", Deadline: b.now.Add(-time.Minute)}}
	require.NoError(t, b.pass(t))
	require.Equal(t, map[string]trade.CancelResult{"a": trade.CancelOpenCancelled}, b.results())
	require.True(t, b.ended)
}

func TestAnOrderThatTheExchangeDeniesIsNotTakenForEnded(t *testing.T) {
	b := newBook()
	b.listed, b.orders = nil, map[string]trade.Order{}
	b.sent = []trade.SentAttempt{{ProposalID: "p-a", Market: "BTC-EUR", OrderID: "a", Deadline: b.now.Add(-time.Minute)}}
	require.NoError(t, b.pass(t))
	require.Equal(t, trade.CancelOpenStill, b.noted["a"].Result)
	require.False(t, b.ended)
}

func TestAnAttemptInDoubtIsAwaitedAndThenLookedFor(t *testing.T) {
	b := newBook()
	b.listed = nil
	b.sent = []trade.SentAttempt{{ProposalID: "p-a", Market: "BTC-EUR", Deadline: b.now}}
	b.look = trade.Lookup{Result: trade.Inconclusive}
	require.NoError(t, b.pass(t))
	require.Len(t, b.left, 1)
	require.Equal(t, b.now.Add(time.Second), b.left[0].Until)

	b.now = b.now.Add(time.Second + 1)
	require.NoError(t, b.pass(t))
	require.Len(t, b.left, 1, "a look that says nothing leaves it in the way")
	require.Contains(t, b.left[0].Why, "looked for")

	b.look = trade.Lookup{Result: trade.Found, Orders: []trade.Order{open("a")}}
	require.NoError(t, b.pass(t))
	require.Equal(t, trade.CancelOpenCancelled, b.noted["a"].Result)
	require.True(t, b.ended)
}

func TestAnAttemptInDoubtThatLeftNothingIsNoObstacle(t *testing.T) {
	b := newBook()
	b.listed, b.look = nil, trade.Lookup{Result: trade.NotThere}
	b.sent = []trade.SentAttempt{{ProposalID: "p-a", Market: "BTC-EUR", Deadline: b.now.Add(-time.Minute)}}
	require.NoError(t, b.pass(t))
	require.True(t, b.ended)
}

func TestWhatCannotBeSeenIsNeverComplete(t *testing.T) {
	for _, what := range []string{"time", "open", "sent", "proposal", "before", "note"} {
		b := newBook()
		b.fail[what] = errDown
		require.ErrorIs(t, b.pass(t), errDown, what)
		require.False(t, b.ended, what)
		require.Contains(t, b.left[len(b.left)-1].Why, "503", what)
	}
}

func TestWhatIsKnownIsCancelledAlsoWhenListsFail(t *testing.T) {
	b := newBook()
	b.listed, b.fail["open"] = nil, errDown
	b.sent = []trade.SentAttempt{{ProposalID: "p-a", Market: "BTC-EUR", OrderID: "a", Deadline: b.now.Add(-time.Minute)}}
	require.ErrorIs(t, b.pass(t), errDown)
	require.Equal(t, trade.CancelOpenCancelled, b.noted["a"].Result)
}

func TestWhoeverWasOvertakenHasNothingToSay(t *testing.T) {
	b := newBook()
	b.fail["conclude"] = errors.Join(errors.New("it is over"), trade.ErrConflict)
	require.NoError(t, b.pass(t))
	b.fail["conclude"] = errDown
	require.ErrorIs(t, b.pass(t), errDown)
}

// passing tells of each pass at its end, for as long as ctx allows.
type passing struct {
	*book
	passes chan struct{}
}

func (p passing) ConcludeCancelOpen(ctx context.Context, wish trade.CancelOpen, left []trade.Obstacle) ([]trade.Obstacle, error) {
	defer func() {
		select {
		case p.passes <- struct{}{}:
		case <-ctx.Done():
		}
	}()
	return p.book.ConcludeCancelOpen(ctx, wish, left)
}

func TestItWatchesUntilItIsStopped(t *testing.T) {
	b := newBook()
	passes := make(chan struct{})
	c := &Canceller{Book: b, Wishes: passing{b, passes}, Account: "paper", Every: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	over := make(chan struct{})
	go func() { defer close(over); c.Run(ctx) }()
	<-passes
	<-passes
	stop()
	<-over
	require.True(t, b.ended)
}
