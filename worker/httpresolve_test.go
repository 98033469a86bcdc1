package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/internal/view"
)

// An operator's word over HTTP is weighed like any other, and the audit tells
// who was verified before it tells what came of it.
func TestAnOperatorsWordOverHTTPEndsADoubt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	through := h.doors()
	olga := through(h.tokenFor(view.Operator, "olga"))
	h.proposeIn("lost", "BTC-EUR", inQuote)
	path := "/api/trading/proposals/lost/resolve"
	early := olga.call(http.MethodPost, path, map[string]any{"absent": true, "reason": "a guess"})
	require.Equal(t, []any{http.StatusConflict, "RESOLVE_REFUSED"}, []any{early.HTTP, early.Code}, "it is not unresolved")

	h.loses("lost", noAnswerNow)
	wrong := olga.call(http.MethodPost, path, map[string]any{"orderId": "00000000-0000-4000-8000-000000000000", "reason": "a guess"})
	require.Equal(t, []any{http.StatusConflict, "RESOLVE_REFUSED"}, []any{wrong.HTTP, wrong.Code}, wrong.Message)
	anna := through(h.tokenFor(view.Trader, "anna"))
	require.Equal(t, http.StatusForbidden, anna.call(http.MethodPost, path, map[string]any{"absent": true, "reason": "mine"}).HTTP)

	seen := map[string]any{"orderId": h.orderID("lost"), "reason": "it is in the web page"}
	var a answered
	h.eventually("the word counts once no request can act any more", func() bool {
		a = olga.call(http.MethodPost, path, seen)
		return a.HTTP == http.StatusOK
	})
	require.Equal(t, string(trade.Executed), a.Status)
	require.Equal(t, map[string]int{"lost": 1}, h.orderCounts("lost"))
	require.Equal(t, 1, h.count(`SELECT count(DISTINCT weighed.seq) FROM interlock.audit_events asked JOIN interlock.audit_events weighed USING (proposal_id, chain)
		WHERE proposal_id = 'lost' AND asked.kind = 'person.asked' AND asked.body->'verified'->>'user' = 'olga' AND asked.body->>'reason' = 'it is in the web page'
		AND weighed.kind = 'execution.resolve' AND weighed.body->>'problem' = '' AND weighed.actor = 'olga' AND asked.seq < weighed.seq`))
}
