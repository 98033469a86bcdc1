package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/internal/view"
)

var olga = view.Identity{TokenID: "t", UserID: "olga", AccountID: account, Role: view.Operator, Proof: view.ByToken}

func TestARowSaysInWhoseVerifiedNameItWasWritten(t *testing.T) {
	t.Parallel()
	proof := `"verified":{"token":"t","user":"olga","account":"paper","role":"operator","proof":"token"}}`
	for body, want := range map[string]string{`{}`: `{`, `{"a":1}`: `{"a":1,`, `{"a":{}}`: `{"a":{},`} {
		got, err := signed(view.WithIdentity(ctx, olga), []byte(body))
		require.NoError(t, err)
		require.Equal(t, want+proof, string(got))
		plain, err := signed(ctx, []byte(body))
		require.NoError(t, err)
		require.Equal(t, body, string(plain), "nobody was verified")
	}
	for _, body := range []string{`null`, `[]`, `[{}]`, `"{}"`} {
		_, err := signed(view.WithIdentity(ctx, olga), []byte(body))
		require.Error(t, err, body)
	}
}

func TestWhatAPersonAsksForIsRecordedOnlyWhenSomebodyWasVerified(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.propose("p", trade.Buy)
	p := trade.Proposal{ID: "p", UserID: "anna", AccountID: account}
	require.ErrorIs(t, d.as(APIRole).NoteAct(ctx, p, Act{Act: "cancel"}), ErrInvalid)
	require.NoError(t, d.as(APIRole).NoteAct(view.WithIdentity(ctx, olga), p, Act{Act: "resolve", Absent: true, Reason: "none there"}))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'person.asked' AND proposal_id = 'p' AND actor = 'olga'
		AND user_id = 'anna' AND body->>'act' = 'resolve' AND (body->>'absent')::boolean AND body->'verified'->>'role' = 'operator'`))
	reports, err := d.VerifyAudit(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, reports)
	for _, r := range reports {
		require.True(t, r.Holds(), "%+v", r)
	}
}

func TestReducingNeverReplacesAHalt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	api := d.as(APIRole)
	require.ErrorIs(t, api.Reduce(ctx, account, "olga", ""), ErrInvalid)
	require.NoError(t, api.Reduce(ctx, account, "olga", "fear"))
	require.NoError(t, api.SetTradingState(ctx, account, trade.Halted, "olga", "more fear"))
	require.ErrorIs(t, api.Reduce(ctx, account, "bert", "less fear"), ErrConflict)
	require.ErrorIs(t, api.Reduce(ctx, "nowhere", "bert", "less fear"), ErrConflict)
	require.Equal(t, 2, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'trading.state'`))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.trading_controls WHERE scope = 'paper' AND state = 'HALTED' AND actor = 'olga'`))
}
