package orders

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"interlock/internal/trade"
)

// desk is both ports, made to misbehave on demand, and what became of them.
type desk struct {
	now       time.Time
	clockErr  error
	answer    *trade.AttemptResult // BeginAttempt meets this
	beginErr  error
	look      trade.Lookup
	placing   trade.AttemptResult
	placeBug  bool
	recordErr error
	order     trade.Order
	orderErr  error
	cancelErr error
	followErr error

	sent     int
	deadline time.Time
	begun    int
	recorded []trade.AttemptResult
	looks    []trade.Lookup
	readings []trade.Reading
	followed int

	accepted  string // the order that the rows say was accepted
	mayCancel string
	concluded bool
	readErr   error
	open      []trade.Order
	openErr   error
	ended     *trade.Order
}

func (d *desk) Now(context.Context) (time.Time, error) { return d.now, d.clockErr }

func (d *desk) Place(_ context.Context, _ trade.Plan, _ uuid.UUID, deadline time.Time) trade.AttemptResult {
	d.sent++
	d.deadline = deadline
	if d.placeBug {
		panic("vendor bug")
	}
	return d.placing
}

func (d *desk) Look(context.Context, trade.Search) trade.Lookup { return d.look }

func (d *desk) Order(context.Context, trade.Market, string) (trade.Order, error) {
	return d.order, d.orderErr
}

func (d *desk) Cancel(context.Context, trade.Market, string) error { return d.cancelErr }

func (d *desk) BeginAttempt(context.Context, trade.ClaimRef, int, time.Time, string) (trade.Sending, *trade.AttemptResult, error) {
	d.begun++
	return trade.Sending{Plan: plan}, d.answer, d.beginErr
}

func (d *desk) RecordReply(_ context.Context, _ trade.ClaimRef, _ int, p trade.AttemptResult, _ string) error {
	d.recorded = append(d.recorded, p)
	return d.recordErr
}

func (d *desk) LookupOf(context.Context, trade.ClaimRef, int) (*trade.Search, error) {
	if d.concluded {
		return nil, d.readErr
	}
	return &trade.Search{Market: plan.Market}, d.readErr
}

func (d *desk) RecordLookup(_ context.Context, _ trade.ClaimRef, _ int, l trade.Lookup) error {
	d.looks = append(d.looks, l)
	return d.recordErr
}

func (d *desk) AcceptedOrder(context.Context, trade.ClaimRef) (trade.AcceptedOrder, error) {
	return trade.AcceptedOrder{Market: plan.Market, OrderID: d.accepted, MayCancel: d.mayCancel}, d.readErr
}

func (d *desk) RecordReading(_ context.Context, _ trade.ClaimRef, r trade.Reading) error {
	d.readings = append(d.readings, r)
	return d.recordErr
}

func (d *desk) OpenOrders(context.Context) ([]trade.Order, error) { return d.open, d.openErr }

func (d *desk) Followed(_ context.Context, _ trade.ClaimRef, s trade.Sight, _ string) (*trade.Order, error) {
	d.followed++
	e := trade.Execution{Attempts: []trade.Attempt{{Number: 1, Outcome: trade.OutcomeAccepted, OrderID: d.accepted}}}
	changes, _ := e.Follow(s, time.Time{})
	d.ended = changes.Final
	return changes.Final, d.followErr
}

var (
	amount  = decimal.RequireFromString("0.001")
	plan    = trade.Plan{Market: "BTC-EUR", Side: trade.Buy, Amount: &amount}
	claim   = trade.ClaimRef{ExecutionID: 1, ProposalID: "p", AccountID: "paper"}
	placed  = trade.Order{OrderID: "o1", Market: "BTC-EUR", Side: trade.Buy, Amount: amount, Status: "filled"}
	success = trade.AttemptResult{Reply: trade.Accepted, Order: &placed}
)

func newDesk() *desk {
	return &desk{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), look: trade.Lookup{Result: trade.NotThere, ExchangeTime: time.Unix(1, 0)}, placing: success, accepted: "o1", mayCancel: "it was asked for"}
}

func (d *desk) activities() *Activities {
	return &Activities{Exchange: d, Attempts: d, Account: "paper", Worker: "w", Log: slog.New(slog.DiscardHandler)}
}

func (d *desk) place(t *testing.T) trade.AttemptResult {
	t.Helper()
	placing, err := d.activities().PlaceOrder(context.Background(), AttemptInput{Claim: claim, Number: 1})
	require.NoError(t, err, "an error could be retried")
	return placing
}

func TestPlaceOrderSendsOnceAndWritesTheAnswerDown(t *testing.T) {
	d := newDesk()
	require.Equal(t, success, d.place(t))
	require.Equal(t, 1, d.sent)
	require.Equal(t, d.now.Add(trade.AccessWindow), d.deadline)
	require.Equal(t, []trade.AttemptResult{success}, d.recorded)
}

func TestNothingIsSentUnlessTheAttemptIsOurs(t *testing.T) {
	for name, spoil := range map[string]struct {
		change func(*desk)
		want   trade.Reply
	}{
		"no clock":              {func(d *desk) { d.clockErr = errors.New("down") }, trade.Unknown},
		"the row may not exist": {func(d *desk) { d.beginErr = errors.New("cut at commit") }, trade.Unknown},
		"somebody else's row":   {func(d *desk) { d.answer = &trade.AttemptResult{Reply: trade.Unknown} }, trade.Unknown},
		"halted":                {func(d *desk) { d.answer = &trade.AttemptResult{Reply: trade.NotSent, Code: "TRADING_HALTED"} }, trade.NotSent},
		"looking fails":         {func(d *desk) { d.look = trade.Lookup{Result: trade.Inconclusive} }, trade.NotSent},
		"two orders there":      {func(d *desk) { d.look = trade.Lookup{Result: trade.Found, Orders: []trade.Order{placed, placed}} }, trade.Unknown},
		"another order there": {func(d *desk) {
			other := placed
			other.Side = trade.Sell
			d.look = trade.Lookup{Result: trade.Found, Orders: []trade.Order{other}}
		}, trade.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			spoil.change(d)
			require.Equal(t, spoil.want, d.place(t).Reply)
			require.Zero(t, d.sent)
		})
	}
}

func TestAnOrderThatIsThereAlreadyIsAdopted(t *testing.T) {
	d := newDesk()
	d.look = trade.Lookup{Result: trade.Found, Orders: []trade.Order{placed}}
	require.Equal(t, trade.Accepted, d.place(t).Reply)
	require.Zero(t, d.sent)
	require.Equal(t, trade.Accepted, d.recorded[0].Reply)
}

func TestAnAnswerThatIsNotWrittenDownIsUnknown(t *testing.T) {
	d := newDesk()
	d.recordErr = errors.New("down")
	require.Equal(t, trade.Unknown, d.place(t).Reply)
}

func TestAPanicAfterSendingIsUnknown(t *testing.T) {
	d := newDesk()
	d.placeBug = true
	require.Equal(t, trade.Unknown, d.place(t).Reply)
}

func TestAClaimOfAnotherAccountIsRefusedForGood(t *testing.T) {
	d := newDesk()
	foreign := claim
	foreign.AccountID = "live"
	a, ctx := d.activities(), context.Background()
	_, placeErr := a.PlaceOrder(ctx, AttemptInput{Claim: foreign, Number: 1})
	_, findErr := a.FindOrder(ctx, AttemptInput{Claim: foreign, Number: 1})
	_, readErr := a.ReadOrder(ctx, OrderInput{Claim: foreign})
	_, followErr := a.FollowOrder(ctx, OrderInput{Claim: foreign})
	for _, err := range []error{placeErr, findErr, readErr, followErr, a.CancelOrder(ctx, OrderInput{Claim: foreign})} {
		var refusal *temporal.ApplicationError
		require.ErrorAs(t, err, &refusal)
		require.True(t, refusal.NonRetryable())
	}
	require.Zero(t, d.begun+d.sent)
}

// While the exchange does not answer nothing is known, and no lookup is spent.
func TestWhileTheExchangeIsSilentNoLookupIsSpent(t *testing.T) {
	d := newDesk()
	d.look = trade.Lookup{Result: trade.Inconclusive, Detail: "banned"}
	_, err := d.activities().FindOrder(context.Background(), AttemptInput{Claim: claim, Number: 1})
	var silent *temporal.ApplicationError
	require.ErrorAs(t, err, &silent)
	require.Equal(t, SilentType, silent.Type())
	require.False(t, silent.NonRetryable())
	require.Empty(t, d.looks)
}

func TestFindOrderWritesDownEveryLook(t *testing.T) {
	d := newDesk()
	d.look = trade.Lookup{Result: trade.Inconclusive, ExchangeTime: d.now, Detail: "503"}
	look, err := d.activities().FindOrder(context.Background(), AttemptInput{Claim: claim, Number: 1})
	require.NoError(t, err)
	require.Equal(t, []trade.Lookup{look}, d.looks)
}

func TestFollowOrderAsksAgainUntilTheOrderIsFinalAndSettled(t *testing.T) {
	d := newDesk()
	follow := func() (trade.Order, error) {
		return d.activities().FollowOrder(context.Background(), OrderInput{Claim: claim, OrderID: "o1"})
	}
	d.order = trade.Order{OrderID: "o1", Status: "partiallyFilled"}
	_, err := follow()
	var open *temporal.ApplicationError
	require.ErrorAs(t, err, &open)
	require.Equal(t, StillOpenType, open.Type())
	require.False(t, open.NonRetryable())

	d.order = trade.Order{OrderID: "o1", Status: "filled", FilledAmount: amount, UpdatedAt: d.now, Fills: []trade.Fill{{Amount: amount}}}
	_, err = follow()
	require.Error(t, err, "a fill without its fee is waited for")
	d.now = d.now.Add(3 * time.Minute)
	o, err := follow()
	require.NoError(t, err, "but not for ever")
	require.Equal(t, "o1", o.OrderID)

	d.orderErr = errors.New("503")
	_, err = follow()
	require.ErrorContains(t, err, "503")
	require.Equal(t, 3, d.followed)
}

func TestAClaimThatIsNotInThisDatabaseIsNotAskedForAgain(t *testing.T) {
	d := newDesk()
	d.recordErr, d.followErr = fmt.Errorf("record: %w", trade.ErrNotFound), fmt.Errorf("follow: %w", trade.ErrNotFound)
	_, findErr := d.activities().FindOrder(context.Background(), AttemptInput{Claim: claim, Number: 1})
	_, followErr := d.activities().FollowOrder(context.Background(), OrderInput{Claim: claim, OrderID: "o1"})
	for _, err := range []error{findErr, followErr} {
		var refusal *temporal.ApplicationError
		require.ErrorAs(t, err, &refusal)
		require.True(t, refusal.NonRetryable())
		require.Equal(t, NotFoundType, refusal.Type())
	}
}

func TestCancellingAClosedOrderIsNoError(t *testing.T) {
	d := newDesk()
	d.cancelErr = trade.ErrNotActive
	require.NoError(t, d.activities().CancelOrder(context.Background(), OrderInput{Claim: claim, OrderID: "o1"}))
	d.cancelErr = errors.New("503")
	require.Error(t, d.activities().CancelOrder(context.Background(), OrderInput{Claim: claim, OrderID: "o1"}))
}

func TestReadOrderWithoutAnIDReadsOnlyTheClock(t *testing.T) {
	d := newDesk()
	d.orderErr = errors.New("must not be asked")
	reading, err := d.activities().ReadOrder(context.Background(), OrderInput{Claim: claim})
	require.NoError(t, err)
	require.Equal(t, OrderReading{ExchangeNow: d.now}, reading)
	require.Equal(t, []trade.Reading{{ExchangeTime: d.now}}, d.readings)
}

func TestReadOrderWritesDownAlsoWhatItCouldNotRead(t *testing.T) {
	d := newDesk()
	d.orderErr = errors.New("240: no such order")
	_, err := d.activities().ReadOrder(context.Background(), OrderInput{Claim: claim, OrderID: "o9"})
	require.ErrorContains(t, err, "240")
	require.Equal(t, []trade.Reading{{OrderID: "o9", ExchangeTime: d.now, Problem: "240: no such order"}}, d.readings)
}

func TestOnlyAnAttemptInDoubtIsLookedFor(t *testing.T) {
	d := newDesk()
	d.concluded = true
	look, err := d.activities().FindOrder(context.Background(), AttemptInput{Claim: claim, Number: 1})
	require.NoError(t, err)
	require.Equal(t, trade.Inconclusive, look.Result)
	require.Empty(t, d.looks)
}

// An input may name any order; only the accepted one is followed or cancelled.
func TestOnlyTheAcceptedOrderIsFollowedAndCancelledAndThatOnlyWhenItMayBe(t *testing.T) {
	d := newDesk()
	d.mayCancel = ""
	require.ErrorContains(t, d.activities().CancelOrder(context.Background(), OrderInput{Claim: claim, OrderID: "o1"}), "nobody asked")
	d.accepted = ""
	_, err := d.activities().FollowOrder(context.Background(), OrderInput{Claim: claim, OrderID: "o1"})
	for _, err := range []error{err, d.activities().CancelOrder(context.Background(), OrderInput{Claim: claim, OrderID: "o1"})} {
		var refusal *temporal.ApplicationError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, NotAcceptedType, refusal.Type())
	}
}

// The exchange cancels it no more and lists it no more: it is over, whatever it
// calls that.
func TestAnOrderThatEndsWithAStatusThatNobodyKnowsIsOverOnceItIsGone(t *testing.T) {
	strange := trade.Order{OrderID: "o1", Market: "BTC-EUR", Status: "canceledByMoonlight"}
	for name, c := range map[string]struct {
		spoil func(*desk)
		over  bool
	}{
		"gone":                        {func(*desk) {}, true},
		"listed as open":              {func(d *desk) { d.open = []trade.Order{strange} }, false},
		"the list could not be read":  {func(d *desk) { d.openErr = errors.New("503") }, false},
		"cancelled just now":          {func(d *desk) { d.cancelErr = nil }, false},
		"its fills are not settled":   {func(d *desk) { d.order.FilledAmount = amount }, false},
		"another order than accepted": {func(d *desk) { d.accepted = "o2" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			d.order, d.cancelErr = strange, trade.ErrNotActive
			c.spoil(d)
			require.NoError(t, d.activities().CancelOrder(context.Background(), OrderInput{Claim: claim}))
			require.Equal(t, c.over, d.ended != nil)
			d.ended = nil
			_, err := d.activities().FollowOrder(context.Background(), OrderInput{Claim: claim})
			require.Error(t, err, "following alone never says so")
		})
	}
}
