package postgres

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/view"
)

func TestTokenSpeaksForItsUserUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	operator, api := d.as(OperatorRole), d.as(APIRole)
	id, token, err := operator.CreateToken(ctx, "anna", account, "laptop", "root")
	require.NoError(t, err)
	_, other, err := operator.CreateToken(ctx, "anna", account, "phone", "root")
	require.NoError(t, err)
	require.Regexp(t, `^ilk_[A-Za-z0-9_-]{43}$`, token)
	require.NotEqual(t, token, other)

	who, err := api.Identify(ctx, token)
	require.NoError(t, err)
	require.Equal(t, Identity{TokenID: id, UserID: "anna", AccountID: account, Role: view.Trader, Proof: view.ByToken}, who)

	for range 2 {
		require.NoError(t, operator.RevokeToken(ctx, id, "root"))
		_, err = api.Identify(ctx, token)
		require.ErrorIs(t, err, ErrNotFound)
	}
	_, err = api.Identify(ctx, other)
	require.NoError(t, err)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'token.revoked'`))
	list, err := operator.Tokens(ctx)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.NotNil(t, list[0].RevokedAt)
	require.Nil(t, list[1].RevokedAt)
}

func TestTokenItselfIsStoredNowhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, token, err := d.CreateToken(ctx, "anna", account, "", "root")
	require.NoError(t, err)
	secret := strings.TrimPrefix(token, tokenPrefix)
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.api_tokens t WHERE t::text LIKE '%' || $1 || '%'`, secret))
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.audit_events e WHERE e::text LIKE '%' || $1 || '%'`, secret))
}

func TestUnknownTokensAndIDs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, token := range []string{"", "ilk_", "ilk_" + strings.Repeat("A", 43), "Bearer x", "ilk_\x00"} {
		_, err := d.Identify(ctx, token)
		require.ErrorIs(t, err, ErrNotFound)
	}
	require.ErrorIs(t, d.RevokeToken(ctx, "none", "root"), ErrNotFound)
	_, _, err := d.CreateToken(ctx, "anna", "nowhere", "", "root")
	require.ErrorIs(t, err, ErrInvalid)
	_, _, err = d.CreateToken(ctx, "no good", account, "", "root")
	require.ErrorIs(t, err, ErrInvalid)
}

func TestATokenKeepsItsRole(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, role := range view.Roles() {
		_, token, err := d.as(OperatorRole).CreateTokenOf(ctx, role, "anna", account, "", "root")
		require.NoError(t, err)
		who, err := d.as(APIRole).Identify(ctx, token)
		require.NoError(t, err)
		require.Equal(t, role, who.Role)
	}
	_, _, err := d.CreateTokenOf(ctx, "owner", "anna", account, "", "root")
	require.ErrorIs(t, err, ErrInvalid)
	for _, role := range []string{OperatorRole, APIRole} {
		_, err = d.as(role).pool.Exec(ctx, `UPDATE interlock.api_tokens SET role = 'operator'`)
		require.ErrorContains(t, err, "permission denied", role)
	}
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'token.created' AND body->>'role' = 'operator'`))
}
