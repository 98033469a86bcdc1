package outbox

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryKindHasASentence(t *testing.T) {
	for _, kind := range append(Kinds(), Test) {
		e := Event{ID: 42, Kind: kind, AccountID: "main", UserID: "anna", ProposalID: "p", Body: json.RawMessage(`{}`)}
		require.Contains(t, e.Text(), "Interlock, account main: ")
		require.True(t, strings.HasSuffix(e.Text(), ". (event 42)"), e.Text())
		require.NotContains(t, e.Text(), fmt.Sprintf("main: %s.", kind), "it has no sentence of its own")
	}
}

func TestWhatCannotBeReadIsToldByItsKind(t *testing.T) {
	for _, e := range []Event{{ID: 7, Kind: "novel", AccountID: "*", Body: json.RawMessage(`{}`)}, {ID: 7, Kind: Executed, AccountID: "*", Body: json.RawMessage(`{"filledAmount": []}`)}} {
		require.Equal(t, fmt.Sprintf("Interlock, all accounts: %s. (event 7)", e.Kind), e.Text())
	}
}

func TestAWebhookCarriesTheEventAndItsSentence(t *testing.T) {
	e := Event{ID: 42, Kind: FailureRate, AccountID: "main", Body: json.RawMessage(`{"ended":20,"failed":3}`)}
	wire, err := e.Wire()
	require.NoError(t, err)
	require.JSONEq(t, `{"id": 42, "at": "0001-01-01T00:00:00Z", "kind": "failure_rate", "accountId": "main", "body": {"ended": 20, "failed": 3},
		"text": "Interlock, account main: 3 of 20 executions that ended in the last hour failed. (event 42)"}`, string(wire))
}

func TestKindsAreReadAsTheyAreTyped(t *testing.T) {
	kinds, err := ParseKinds([]string{"waiting", " budget-exhausted", "failure_rate"})
	require.NoError(t, err)
	require.Equal(t, []Kind{Waiting, BudgetExhausted, FailureRate}, kinds)
	_, err = ParseKinds([]string{"waiting", "tset"})
	require.EqualError(t, err, `"tset" is no kind; they are `+Names(Kinds()))
	_, err = ParseKinds([]string{"test"})
	require.Error(t, err, "a test goes to the rule that is tested")
}

func TestEveryKindIsInTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/notifications.md")
	require.NoError(t, err)
	var kinds []Kind
	for _, line := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ").FindAllStringSubmatch(string(text), -1) {
		kinds = append(kinds, Kind(line[1]))
	}
	require.Equal(t, Kinds(), kinds)
}

// Bodies are the database's; whatever they hold, a person is told something.
func FuzzText(f *testing.F) {
	for _, kind := range Kinds() {
		f.Add(string(kind), `{"for":"confirm","market":"BTC-EUR","side":"buy","amountQuote":"12.5","filledAmount":"1e400","expiresAt":"2026-01-01T00:00:00Z"}`)
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		e := Event{ID: 42, Kind: Kind(kind), AccountID: "main", Body: json.RawMessage(body)}
		require.True(t, strings.HasSuffix(e.Text(), "(event 42)"))
	})
}
