package demo

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func TestWhatCannotBeTriedHoldsNothing(t *testing.T) {
	t.Parallel()
	k := &kit{}
	g := k.try(t.Context(), scenario{id: "x", name: "n", did: "d", try: func(context.Context, *kit) (string, bool, error) {
		return "200", true, errors.New("the ledger is gone")
	}})
	require.False(t, g.Held)
	require.Equal(t, "200; then the ledger is gone", g.Saw)
	require.False(t, Report{}.Held(), "nothing tried is nothing held")
	require.False(t, Report{Guarantees: []Guarantee{{Held: true}, {}}}.Held())
	require.True(t, Report{Guarantees: []Guarantee{{Held: true}}}.Held())
}

func TestEveryScenarioIsNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range scenarios() {
		require.NotEmpty(t, c.name)
		require.NotEmpty(t, c.did)
		require.False(t, seen[c.id], c.id)
		seen[c.id] = true
	}
}

func TestOpenPolicyIsOne(t *testing.T) {
	t.Parallel()
	k := &kit{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body) // what is short does not parse
		if _, err := trade.ParsePolicy(body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	defer server.Close()
	k.API = server.URL
	u := &user{kit: k}
	require.NoError(t, u.allow(t.Context(), map[string]any{"tradesPerHour": 3}))
	require.Error(t, u.allow(t.Context(), map[string]any{"tradesPerHuor": 3}))
}

func TestOrderIsCountedByTheIDThatItsProposalMustHave(t *testing.T) {
	t.Parallel()
	k := &kit{}
	k.Account = "paper"
	id := trade.ClientOrderID(k.installation, "paper", "anna", "p1").String()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[{"orderId":"o1","clientOrderId":"` + id + `"},{"orderId":"o2","clientOrderId":"other"},{"orderId":"o3","clientOrderId":"` + id + `"}]`))
	}))
	defer server.Close()
	k.exchange = exchange{admin: server.URL}
	u := &user{kit: k, name: "anna"}
	n, err := u.ordersOf(t.Context(), "p1")
	require.NoError(t, err)
	require.Equal(t, 2, n, "a double order would be seen")
	n, err = u.ordersOf(t.Context(), "p2")
	require.NoError(t, err)
	require.Zero(t, n)
}
