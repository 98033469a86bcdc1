package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"interlock/internal/api"
	"interlock/internal/identity"
	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

const sharedSecret = "a shared secret of more than 32 bytes"

// doors is the HTTP API of a stack that believes tokens and JWTs, and whoever
// stands before it.
func (s *stack) doors() func(proof string) door {
	s.t.Helper()
	url, err := postgres.LoginURL(s.ownerURL, s.login("api"), "secret")
	require.NoError(s.t, err)
	store, err := postgres.Open(ctx, url)
	require.NoError(s.t, err)
	server := httptest.NewServer(api.New(api.Config{
		Store: store, Temporal: api.NewExecutor(s.temporal),
		JWTs: identity.New(identity.Config{
			Secret: sharedSecret, Issuer: "https://p.example", Audience: "authenticated", Account: account, RoleClaim: "app_metadata.interlock_role",
		}),
	}))
	s.t.Cleanup(func() { server.Close(); store.Close() })
	return func(proof string) door { return door{s, server.URL, proof, "anna"} }
}

func (s *stack) tokenFor(role view.Role, user string) string {
	s.t.Helper()
	_, token, err := s.owner.CreateTokenOf(ctx, role, user, account, "", "test")
	require.NoError(s.t, err)
	return token
}

func (s *stack) jwtFor(user string, more map[string]any) string {
	s.t.Helper()
	claims := jwt.MapClaims{"iss": "https://p.example", "aud": "authenticated", "sub": user, "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(claims, more)
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(sharedSecret))
	require.NoError(s.t, err)
	return text
}

// Anna has every proof there is of her, and everything that a Temporal client
// and the operator's database login can write. Until a second person confirms,
// her large order stays blocked; then it is placed, once.
func TestFourEyesAreNotMetByOnePersonByAnyMixOfDoors(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1, func(p *trade.Policy) {
		p.Cooldown, p.FourEyes = trade.Duration(time.Hour), &trade.AmountLimit{Value: dec("50")}
	})
	through := s.doors()
	operator := map[string]any{"app_metadata": map[string]any{"interlock_role": "operator"}}
	annas := []door{
		through(s.tokenFor(view.Trader, "anna")), through(s.tokenFor(view.Operator, "anna")),
		through(s.jwtFor("anna", nil)), through(s.jwtFor("anna", operator)),
	}
	annas[0].traded("buy", 30*time.Minute)
	annas[0].propose("p", "buy", nil)
	blocked := func(by string) {
		t.Helper()
		for _, d := range annas {
			a := d.execute("p")
			require.Equal(t, []any{http.StatusBadRequest, "COOLDOWN_BLOCKED"}, []any{a.HTTP, a.Code}, by)
		}
		for _, actor := range []string{"anna", "bert"} {
			require.Equal(t, []trade.Code{trade.CooldownBlocked}, s.updated("p", actor), by)
		}
		require.Empty(t, s.ordered(), by)
	}
	blocked("nothing")

	for n, d := range annas {
		id := []string{"first", "second", "third", "fourth"}[n]
		a := d.call(http.MethodPost, "/api/trading/proposals/p/override", map[string]any{"id": id, "cooldown": true, "reason": "news"})
		require.Equal(t, http.StatusOK, a.HTTP, a.Message)
		for _, confirming := range annas {
			a := confirming.call(http.MethodPost, "/api/trading/proposals/p/overrides/"+id+"/confirm", map[string]any{"reason": "I agree with me"})
			require.Equal(t, []any{http.StatusConflict, "OVERRIDE_REFUSED"}, []any{a.HTTP, a.Code})
		}
		a = d.execute("p", map[string]any{"overrideCooldown": true, "reason": "news"})
		require.Equal(t, []any{http.StatusBadRequest, "COOLDOWN_BLOCKED"}, []any{a.HTTP, a.Code})
	}
	blocked("her own overrides and her own confirmations")

	for _, actor := range []string{"bert", "olga", "anna"} {
		forged := workflows.OverrideRequest{ID: "by-" + actor, Cooldown: true, Actor: actor, Reason: "news"}
		require.NoError(t, s.temporal.SignalWorkflow(ctx, "p", "", workflows.OverrideName, forged))
		forged.ID = "first" // an ID that is hers already
		require.NoError(t, s.temporal.SignalWorkflow(ctx, "p", "", workflows.OverrideName, forged))
		forged.ID = "update-by-" + actor
		require.True(t, s.overridden("p", forged).Accepted)
		a := annas[1].call(http.MethodPost, "/api/trading/proposals/p/overrides/update-by-"+actor+"/confirm", map[string]any{"reason": "I agree"})
		require.Equal(t, http.StatusOK, a.HTTP, "she stands behind it, as one")
	}
	s.eventually("the signals are stored", func() bool {
		return s.count(`SELECT count(*) FROM interlock.overrides WHERE id LIKE 'by-%'`) == 3
	})
	blocked("forged actors that she confirmed")

	s.writesAsOperator()
	blocked("what the operator's login can write")

	bert := through(s.tokenFor(view.Trader, "bert"))
	a := bert.call(http.MethodPost, "/api/trading/proposals/p/overrides/first/confirm", map[string]any{"reason": "I agree"})
	require.Equal(t, http.StatusNotFound, a.HTTP, "another trader knows of nothing")
	blocked("another trader")

	olga := through(s.jwtFor("olga", operator))
	a = olga.call(http.MethodPost, "/api/trading/proposals/p/overrides/first/confirm", map[string]any{"reason": "seen, and agreed"})
	require.Equal(t, http.StatusOK, a.HTTP, a.Message)
	annas[0].executes("p")
	require.Len(t, s.ordered(), 1)
	require.Equal(t, 1, s.count(`SELECT count(*) FROM interlock.audit_events WHERE proposal_id = 'p' AND kind = 'override.confirmed'
		AND actor = 'olga' AND body->'verified'->>'user' = 'olga' AND body->'verified'->>'proof' = 'jwt' AND body->'override'->>'id' = 'first'`))
	require.Equal(t, 1, s.count(`SELECT count(*) FROM interlock.overrides WHERE proposal_id = 'p' AND id = 'first' AND consumed_by IS NOT NULL`))
}

// updated executes with an override in the request of a Temporal client, which
// may call itself anything.
func (s *stack) updated(id, actor string) []trade.Code {
	s.t.Helper()
	h, err := s.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateID: uuid.NewString(), UpdateName: workflows.ExecuteUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{workflows.ExecuteRequest{Actor: actor, OverrideCooldown: true, Reason: "news"}},
	})
	require.NoError(s.t, err)
	var result workflows.ExecuteResult
	require.NoError(s.t, h.Get(ctx, &result))
	return blocked(result)
}

func (s *stack) overridden(id string, req workflows.OverrideRequest) workflows.OverrideResult {
	s.t.Helper()
	h, err := s.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateID: uuid.NewString(), UpdateName: workflows.OverrideName, WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{req},
	})
	require.NoError(s.t, err)
	var result workflows.OverrideResult
	require.NoError(s.t, h.Get(ctx, &result))
	return result
}

// writesAsOperator tries everything that the command line's own login could
// write to make two people of one.
func (s *stack) writesAsOperator() {
	s.t.Helper()
	url, err := postgres.LoginURL(s.ownerURL, s.login("operator"), "secret")
	require.NoError(s.t, err)
	store, err := postgres.Open(ctx, url)
	require.NoError(s.t, err)
	defer store.Close()
	_, err = store.ConfirmOverride(ctx, "p", "first", "bert", "why")
	require.ErrorContains(s.t, err, "permission denied")
	forged := trade.Override{ID: "forged", ProposalID: "p", Cooldown: true, Actor: "bert", Reason: "news", Verified: true, Identity: "bert"}
	_, err = store.StoreOverride(ctx, forged, postgres.ViaAPI)
	require.ErrorContains(s.t, err, "permission denied")
}
