package trade

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// documented lists what docs/protocol.md says follows from what.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	steps := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^    (\w+) -> (\w+) +\S`).FindAllStringSubmatch(string(text), -1) {
		steps[m[1]] = append(steps[m[1]], m[2])
	}
	return steps
}

func TestTheProtocolIsTheDocumentedOne(t *testing.T) {
	found := documented(t)
	want := map[string][]string{}
	for from, list := range transitions {
		for _, to := range list {
			want[string(from)] = append(want[string(from)], string(to))
		}
	}
	for step, list := range outcomes {
		for _, o := range list {
			want[string(step)] = append(want[string(step)], string(o))
		}
	}
	require.Len(t, found, len(want)) // a closed state leads nowhere
	for from, list := range want {
		require.ElementsMatch(t, list, found[from], from)
	}
}

// underWay is an execution whose first attempt has a row and no answer.
func underWay() (Execution, ExecutionFacts) {
	amount := decimal.RequireFromString("0.001")
	e := Execution{
		ID: 1, ProposalID: "p", AccountID: "paper", Status: Unresolved, RequestID: "r", ClientOrderID: uuid.UUID{1}, ClaimedAt: noon,
		Plan:     Plan{Market: "BTC-EUR", Side: Buy, Amount: &amount, TimeInForce: "IOC"},
		Attempts: []Attempt{{Number: 1, RequestID: "r", Deadline: noon.Add(5 * time.Second), BegunAt: noon}},
	}
	return e, ExecutionFacts{Now: noon.Add(time.Minute), ReadLag: 30 * time.Second, Life: DatabaseLife{Here: true}, ExpiresAt: noon.Add(time.Hour)}
}

func (e Execution) ours(id string) Order {
	return Order{OrderID: id, ClientOrderID: e.ClientOrderID.String(), Market: e.Plan.Market, Side: e.Plan.Side, Amount: *e.Plan.Amount, Status: "new"}
}

// Every outcome in the table is reached by its step, and no other is.
func TestEachStepGivesTheOutcomesOfItsTable(t *testing.T) {
	e, f := underWay()
	o := e.ours("o1")
	late := func(d time.Duration) Lookup { return Lookup{Result: NotThere, ExchangeTime: noon.Add(d)} }
	doubtful := e
	doubtful.Attempts = []Attempt{{Number: 1, RequestID: "r", Deadline: noon.Add(5 * time.Second), BegunAt: noon, Code: CodeInsufficientBalance}}
	reached := map[Step][]Outcome{}
	note := func(step Step, c Changes) {
		for _, a := range []*Attempt{c.Begun, c.Concluded} {
			if a != nil && a.Outcome != "" {
				require.Contains(t, outcomes[step], a.Outcome)
				reached[step] = append(reached[step], a.Outcome)
			}
		}
	}
	for _, r := range []AttemptResult{{Reply: Accepted, Order: &o}, {Reply: Refused, Code: "217"}, {Reply: NotSent, Code: "105"}, {Reply: Unknown}} {
		c, err := e.Reply(1, r)
		require.NoError(t, err)
		note(StepReply, c)
	}
	for _, lookups := range [][]Lookup{nil, {late(time.Second)}, {late(36 * time.Second)}, {late(36 * time.Second), late(66 * time.Second)}, {{Result: Found, Orders: []Order{o}}}} {
		for _, seen := range []Execution{e, doubtful} {
			c, _ := seen.Conclude(1, lookups, f)
			note(StepConclude, c)
			c, _ = seen.Conclude(2, lookups, f)
			note(StepConclude, c)
		}
	}
	for _, r := range []Reading{{ExchangeTime: noon.Add(36 * time.Second)}, {OrderID: "o1", Order: &o, ExchangeTime: noon.Add(36 * time.Second)}, {ExchangeTime: noon}} {
		r.ReadAt = f.Now
		c, _ := e.Resolve(1, Resolution{OrderID: r.OrderID, Actor: "olga", Reason: "seen"}, &r, f)
		note(StepResolve, c)
	}
	for step, list := range outcomes {
		slices.Sort(reached[step])
		require.ElementsMatch(t, list, slices.Compact(reached[step]), step)
	}
}

func TestAnAttemptThatHasItsOutcomeKeepsIt(t *testing.T) {
	e, f := underWay()
	e.Attempts[0].Outcome = OutcomeAbsent
	o := e.ours("o1")
	_, err := e.Reply(1, AttemptResult{Reply: Accepted, Order: &o})
	require.ErrorIs(t, err, ErrConflict)
	c, found := e.Conclude(1, []Lookup{{Result: Found, Orders: []Order{o}}}, f)
	require.Equal(t, Changes{}, c)
	require.Equal(t, OutcomeAbsent, found.Outcome)
	c, problem := e.Resolve(1, Resolution{OrderID: "o1", Actor: "olga", Reason: "seen"}, &Reading{OrderID: "o1", Order: &o, ReadAt: f.Now, ExchangeTime: f.Now}, f)
	require.Equal(t, Changes{}, c)
	require.NotEmpty(t, problem)
}

func TestWhileAnAttemptIsInDoubtNothingBeginsAndNothingFails(t *testing.T) {
	e, f := underWay()
	e.Status = Executing
	f.Control, f.Price = Active, &PriceFact{Price: decimal.NewFromInt(1), ObservedAt: f.Now}
	changes, answer := e.Begin("r", 2, noon, "w", f)
	require.Equal(t, Changes{}, changes)
	require.Equal(t, NotSent, answer.Reply)
	_, answer = e.Begin("r", 1, noon, "w", f)
	require.Equal(t, Unknown, answer.Reply, "whoever meets it sends nothing")
	require.Equal(t, Changes{}, e.Fail(1, f))
	c, err := e.Record()
	require.NoError(t, err)
	require.Equal(t, Changes{}, c)
}

func TestOnlyTheAcceptedOrdersEndIsRecorded(t *testing.T) {
	e, _ := underWay()
	e.Attempts[0].Outcome, e.Attempts[0].OrderID = OutcomeAccepted, "o1"
	end := e.ours("o1")
	end.Status = "canceled"
	for name, c := range map[string]struct {
		seen Sight
		over bool
	}{
		"its end":                    {Sight{Order: end}, true},
		"still open":                 {Sight{Order: e.ours("o1")}, false},
		"another's end":              {Sight{Order: Order{OrderID: "o2", Status: "filled"}}, false},
		"nothing":                    {Sight{}, false},
		"fills that are not settled": {Sight{Order: Order{OrderID: "o1", Status: "filled", FilledAmount: decimal.NewFromInt(1), UpdatedAt: noon}, ExchangeTime: noon}, false},
		"fills that never settle":    {Sight{Order: Order{OrderID: "o1", Status: "filled", FilledAmount: decimal.NewFromInt(1), UpdatedAt: noon}, ExchangeTime: noon.Add(time.Hour)}, true},
		"a clock that was not read":  {Sight{Order: Order{OrderID: "o1", Status: "filled", FilledAmount: decimal.NewFromInt(1), UpdatedAt: noon}}, false},
		"a status of nobody's":       {Sight{Order: Order{OrderID: "o1", Status: "odd"}}, false},
		"the same, gone":             {Sight{Order: Order{OrderID: "o1", Status: "odd"}, Gone: true}, true},
	} {
		changes, over := e.Follow(c.seen, noon)
		require.Equal(t, c.over, over, name)
		require.Equal(t, c.over, changes.Final != nil, name)
	}
	e.Final = &Order{OrderID: "o2", Status: "filled"}
	_, err := e.Record()
	require.ErrorIs(t, err, ErrInvalid)
}

func TestAnOrderIsCancelledOnlyOnceItsTimeIsOverOrSomebodyAsked(t *testing.T) {
	e, f := underWay()
	f.Now = noon.Add(59 * time.Second)
	require.Empty(t, e.MayCancel(f))
	f.CancelRequested = true
	require.NotEmpty(t, e.MayCancel(f))
	f.CancelRequested, f.Now = false, noon.Add(time.Minute)
	require.NotEmpty(t, e.MayCancel(f))
	e.Plan.TimeInForce, e.Plan.TimeToLive = "GTC", Duration(time.Hour)
	require.Empty(t, e.MayCancel(f))
}
