package trade

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func goodAttempt() AttemptFacts {
	return AttemptFacts{
		Now: noon, Control: Active, Status: Executing, SameClaim: true, ClaimedAt: noon.Add(-time.Second), ExpiresAt: noon.Add(time.Hour),
		Plan:  Plan{Side: Buy, LowestPrice: dec("49000"), HighestPrice: dec("51000"), PriceMaxAge: Duration(time.Minute)},
		Price: &PriceFact{Price: dec("50000"), ObservedAt: noon.Add(-time.Second)},
	}
}

func TestAttemptMayBeginOnlyWhenNothingForbidsIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*AttemptFacts)
		want   Code
	}{
		{"all is well", func(*AttemptFacts) {}, ""},
		{"not claimed", func(f *AttemptFacts) { f.Status = Pending }, ProposalClosed},
		{"unresolved never sends again", func(f *AttemptFacts) { f.Status = Unresolved }, ProposalClosed},
		{"ended", func(f *AttemptFacts) { f.Status = Failed }, ProposalClosed},
		{"another claim is in force", func(f *AttemptFacts) { f.SameClaim = false }, ProposalClosed},
		{"an earlier attempt is in doubt or accepted", func(f *AttemptFacts) { f.EarlierInDoubt = true }, ProposalClosed},
		{"a later attempt exists", func(f *AttemptFacts) { f.OutOfTurn = true }, ProposalClosed},
		{"cancelled", func(f *AttemptFacts) { f.CancelRequested = true }, CancelRequested},
		{"a nanosecond before expiry", func(f *AttemptFacts) { f.ExpiresAt = noon.Add(1) }, ""},
		{"expired", func(f *AttemptFacts) { f.ExpiresAt = noon }, ProposalExpired},
		{"exactly sendWithin after the claim", func(f *AttemptFacts) { f.ClaimedAt = noon.Add(-SendWithin) }, ""},
		{"later than sendWithin", func(f *AttemptFacts) { f.ClaimedAt = noon.Add(-SendWithin - 1) }, ExchangeUnavailable},
		{"claimed at no time", func(f *AttemptFacts) { f.ClaimedAt = time.Time{} }, ExchangeUnavailable},
		{"halted", func(f *AttemptFacts) { f.Control = Halted }, TradingHalted},
		{"halted, though it reduces", func(f *AttemptFacts) { f.Control, f.Plan.Reduces = Halted, true }, TradingHalted},
		{"state unknown", func(f *AttemptFacts) { f.Control = "" }, TradingHalted},
		{"reducing", func(f *AttemptFacts) { f.Control = Reducing }, TradingHalted},
		{"reducing, and it reduces", func(f *AttemptFacts) { f.Control, f.Plan.Reduces = Reducing, true }, ""},
		{"no price", func(f *AttemptFacts) { f.Price = nil }, PriceStale},
		{"a price of zero", func(f *AttemptFacts) { f.Price.Price = decimal.Zero }, PriceStale},
		{"price exactly as old as allowed", func(f *AttemptFacts) { f.Price.ObservedAt = noon.Add(-time.Minute) }, ""},
		{"price older", func(f *AttemptFacts) { f.Price.ObservedAt = noon.Add(-time.Minute - 1) }, PriceStale},
		{"price from the future", func(f *AttemptFacts) { f.Price.ObservedAt = noon.Add(time.Minute) }, PriceStale},
		{"price at the collar", func(f *AttemptFacts) { f.Price.Price = dec("51000") }, ""},
		{"price outside the collar", func(f *AttemptFacts) { f.Price.Price = dec("51000.01") }, PriceOutsideCollar},
		{"sell below the collar", func(f *AttemptFacts) { f.Plan.Side, f.Price.Price = Sell, dec("48999.99") }, PriceOutsideCollar},
		{"nothing known", func(f *AttemptFacts) { *f = AttemptFacts{} }, ProposalClosed},
	} {
		f := goodAttempt()
		c.change(&f)
		code, ok := MayAttempt(f)
		require.Equal(t, c.want, code, c.name)
		require.Equal(t, c.want == "", ok, c.name)
	}
}

const lag = 30 * time.Second

// gone is a look so many seconds after the deadline, which is at noon.
func gone(seconds float64) Lookup {
	return Lookup{Result: NotThere, ExchangeTime: noon.Add(time.Duration(seconds * float64(time.Second)))}
}

func found(seconds float64) Lookup {
	l := gone(seconds)
	l.Result, l.Orders = Found, []Order{{OrderID: "o-1"}}
	return l
}

func unclear(seconds float64) Lookup {
	l := gone(seconds)
	l.Result = Inconclusive
	return l
}

func TestJudgeADoubt(t *testing.T) {
	empty := found(90)
	empty.Orders = nil
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for _, c := range []struct {
		name  string
		code  string
		looks []Lookup
		want  Outcome
		next  time.Time
	}{
		{"no look", "", nil, "", at(30)},
		{"one find settles it", "", []Lookup{found(1)}, OutcomeAccepted, time.Time{}},
		{"a find before the deadline too", "", []Lookup{found(-1)}, OutcomeAccepted, time.Time{}},
		{"a find after absences", "", []Lookup{gone(31), gone(61), found(62)}, OutcomeAccepted, time.Time{}},
		{"a find before absences", "", []Lookup{found(1), gone(31), gone(61)}, OutcomeAccepted, time.Time{}},
		{"a find that shows no order", "", []Lookup{empty}, "", at(30)},
		{"too early says nothing", "", []Lookup{gone(1), gone(29)}, "", at(30)},
		{"exactly the deadline plus L is too early", "", []Lookup{gone(30), gone(60)}, "", at(90)},
		{"one absence is not enough", "", []Lookup{gone(31)}, "", at(61)},
		{"two absences too close", "", []Lookup{gone(31), gone(60.999)}, "", at(61)},
		{"the same look twice", "", []Lookup{gone(31), gone(31)}, "", at(61)},
		{"two absences exactly L apart", "", []Lookup{gone(31), gone(61)}, OutcomeAbsent, time.Time{}},
		{"in any order", "", []Lookup{gone(61), gone(31)}, OutcomeAbsent, time.Time{}},
		{"with something unclear between", "", []Lookup{gone(31), unclear(40), gone(61)}, OutcomeAbsent, time.Time{}},
		{"unclear is never absent", "", []Lookup{unclear(31), unclear(61), unclear(1000)}, "", at(30)},
		{"unknown sightings say nothing", "", []Lookup{{ExchangeTime: at(31)}, {ExchangeTime: at(91)}}, "", at(30)},
		{"looks without a time say nothing", "", []Lookup{{Result: NotThere}, {Result: NotThere}}, "", at(30)},

		{"216 is no refusal without a look", "216", nil, "", at(30)},
		{"216 and a look past the deadline", "216", []Lookup{gone(0.001)}, "", at(30)},
		{"216 and a look at L after it", "216", []Lookup{gone(30)}, "", at(30)},
		{"216 and a look past that", "216", []Lookup{gone(30.001)}, OutcomeRefused, time.Time{}},
		{"304 and a look past that", "304", []Lookup{gone(30.001)}, OutcomeRefused, time.Time{}},
		{"216 and an unclear look", "216", []Lookup{unclear(31)}, "", at(30)},
		{"216 and a find", "216", []Lookup{gone(1), found(2)}, OutcomeAccepted, time.Time{}},
		{"no other code is a refusal", "220", []Lookup{gone(1)}, "", at(30)},
		{"109 takes two looks", "109", []Lookup{gone(31)}, "", at(61)},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdict, next := Judge(Doubt{Deadline: noon, ReplyCode: c.code, ReadLag: lag}, c.looks)
			require.Equal(t, c.want, verdict)
			require.Equal(t, c.next, next)
		})
	}
}

// TestARefusalOfTheSecondCopyDoesNotHideTheOrderOfTheFirst was found by the
// simulation: the first copy of a request is filled, the second is refused for
// the money that the first took, and the exchange does not show the order yet.
func TestARefusalOfTheSecondCopyDoesNotHideTheOrderOfTheFirst(t *testing.T) {
	doubt := Doubt{Deadline: noon, ReplyCode: CodeInsufficientBalance, ReadLag: 30 * time.Second}
	hidden := Lookup{Result: NotThere, ExchangeTime: noon.Add(29 * time.Second)}
	verdict, next := Judge(doubt, []Lookup{hidden})
	require.Empty(t, verdict)
	require.Equal(t, noon.Add(doubt.ReadLag), next)
	shown := Lookup{Result: Found, Orders: []Order{{OrderID: "o-1"}}, ExchangeTime: next}
	verdict, _ = Judge(doubt, []Lookup{hidden, shown})
	require.Equal(t, OutcomeAccepted, verdict)
}

// TestAPersonsWordThatThereIsNoneWaitsUntilItWouldBeSeen was found by the
// simulation: a wrong word before that, a second execute, and two orders.
func TestAPersonsWordThatThereIsNoneWaitsUntilItWouldBeSeen(t *testing.T) {
	one := dec("1")
	plan := Plan{Market: "BTC-EUR", Side: Buy, Amount: &one}
	its := &Order{OrderID: "o-1", Market: "BTC-EUR", Side: Buy, Amount: one}
	doubt := Doubt{Deadline: noon, ReadLag: 30 * time.Second}
	for _, c := range []struct {
		doubt Doubt
		word  *Order
		after time.Duration
		want  string
	}{
		{doubt, its, 0, "may still be placed"},
		{doubt, its, time.Second, ""},
		{doubt, &Order{OrderID: "o-2", Market: "ETH-EUR", Side: Buy, Amount: one}, time.Second, "o-2 is not in the market"},
		{doubt, nil, 0, "may still be placed"},
		{doubt, nil, 30 * time.Second, "may not show the order"},
		{doubt, nil, 31 * time.Second, ""},
		{Doubt{Deadline: noon}, nil, DefaultReadLag, "may not show the order"},
		{Doubt{}, nil, time.Hour, "may still be placed"},
	} {
		got := c.doubt.Objection(plan, c.word, noon.Add(c.after))
		if c.want == "" {
			require.Empty(t, got)
			continue
		}
		require.Contains(t, got, c.want)
	}
}

func TestDoubtWithoutBoundsIsNeverAbsent(t *testing.T) {
	for _, code := range []string{"", CodeInsufficientBalance, CodeOutsideWindow} {
		verdict, _ := Judge(Doubt{ReplyCode: code, ReadLag: lag}, []Lookup{gone(31), gone(500)})
		require.Empty(t, verdict, "no deadline")
	}
	for _, readLag := range []time.Duration{0, -time.Hour} {
		verdict, next := Judge(Doubt{Deadline: noon, ReadLag: readLag}, []Lookup{gone(1), gone(29)})
		require.Empty(t, verdict, "L is the default then")
		require.Equal(t, noon.Add(DefaultReadLag), next)
	}
}

func TestAbsenceAlwaysTakesTwoLateLooksApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		looks := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Lookup {
			kind := pick(t, "kind", gone, gone, gone, unclear, found)
			return kind(float64(rapid.IntRange(-10, 120).Draw(t, "seconds")))
		}), 0, 6).Draw(t, "looks")
		verdict, next := Judge(Doubt{Deadline: noon, ReadLag: lag}, looks)
		sighted := false
		var early, late time.Time
		for _, l := range looks {
			sighted = sighted || l.Result == Found
			if l.Result != NotThere || !l.ExchangeTime.After(noon.Add(lag)) {
				continue
			}
			if early.IsZero() || l.ExchangeTime.Before(early) {
				early = l.ExchangeTime
			}
			if l.ExchangeTime.After(late) {
				late = l.ExchangeTime
			}
		}
		require.Equal(t, sighted, verdict == OutcomeAccepted)
		if verdict == OutcomeAbsent {
			require.GreaterOrEqual(t, late.Sub(early), lag)
		}
		require.Equal(t, verdict == "", !next.IsZero(), "a doubt says when to look again, a verdict does not")
	})
}

func TestOnlySureRepliesConclude(t *testing.T) {
	order := &Order{OrderID: "o-1"}
	for _, c := range []struct {
		p    AttemptResult
		want Outcome
	}{
		{AttemptResult{Reply: Accepted, Order: order}, OutcomeAccepted},
		{AttemptResult{Reply: Accepted}, ""},
		{AttemptResult{Reply: Accepted, Order: &Order{}}, ""},
		{AttemptResult{Reply: Refused, Code: "205"}, OutcomeRefused},
		{AttemptResult{Reply: NotSent}, OutcomeNotSent},
		{AttemptResult{Reply: Unknown, Order: order}, ""},
		{AttemptResult{}, ""},
		{AttemptResult{Reply: "ACCEPTED", Order: order}, ""},
	} {
		require.Equal(t, c.want, c.p.Outcome(), "%+v", c.p)
	}
}

func TestOnlyWhatWasNotSentMayBeTriedAgain(t *testing.T) {
	for _, code := range []string{"", "EXCHANGE_UNAVAILABLE", "103", "104", "105", "110", "112"} {
		require.True(t, AttemptResult{Reply: NotSent, Code: code}.MayPass(), code)
		for _, reply := range []Reply{Accepted, Refused, Unknown, ""} {
			require.False(t, AttemptResult{Reply: reply, Code: code}.MayPass(), "%s %s", reply, code)
		}
	}
	for _, code := range []Code{
		ProposalClosed, CancelRequested, ProposalExpired, TradingHalted, PriceStale, PriceOutsideCollar, OrderAbsent, CodeInvalidPlan,
	} {
		require.False(t, AttemptResult{Reply: NotSent, Code: string(code)}.MayPass(), code)
	}
}

func TestWhatAnAttemptThatPlacedNothingMeans(t *testing.T) {
	for _, c := range []struct {
		p    AttemptResult
		want Failure
	}{
		{AttemptResult{Reply: Refused, Code: "216", Message: "no money"}, Failure{ExchangeRefused, "216", "no money"}},
		{AttemptResult{Reply: NotSent, Code: CodeInvalidPlan}, Failure{ExchangeRefused, CodeInvalidPlan, ""}},
		{AttemptResult{Reply: NotSent, Code: "TRADING_HALTED", Message: "halted"}, Failure{TradingHalted, "", "halted"}},
		{AttemptResult{Reply: NotSent, Code: "ORDER_ABSENT"}, Failure{OrderAbsent, "", ""}},
		{AttemptResult{Reply: NotSent, Code: "105"}, Failure{ExchangeUnavailable, "105", ""}},
		{AttemptResult{Reply: NotSent}, Failure{ExchangeUnavailable, "", ""}},
	} {
		require.Equal(t, c.want, c.p.Failure(), "%+v", c.p)
	}
}

func TestLookupsComeSoonAtFirstAndNeverLessOftenThanEveryHalfMinute(t *testing.T) {
	require.Equal(t, time.Second, LookupPause(0, time.Hour))
	require.Equal(t, 4*time.Second, LookupPause(2, 0))
	require.Equal(t, 30*time.Second, LookupPause(40, 0))
	require.Equal(t, 30*time.Second, LookupPause(40, time.Hour))
	require.Equal(t, time.Second, LookupPause(-7, 0), "whatever a run was started with")
	require.Equal(t, 2100*time.Millisecond, LookupPause(40, 2*time.Second), "one falls on the instant at which absence can be concluded")
}
