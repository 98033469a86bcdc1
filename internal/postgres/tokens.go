package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"interlock/internal/view"
)

// tokenPrefix lets secret scanners recognise a token that leaked.
const tokenPrefix = "ilk_"

// Token is what is known of a token; the token itself is not.
type Token struct {
	ID        string     `db:"id" json:"id"`
	UserID    string     `db:"user_id" json:"userId"`
	AccountID string     `db:"account_id" json:"accountId"`
	Role      view.Role  `db:"role" json:"role"`
	Label     string     `db:"label" json:"label,omitempty"`
	CreatedAt time.Time  `db:"created_at" json:"createdAt"`
	RevokedAt *time.Time `db:"revoked_at" json:"revokedAt,omitempty"`
}

const insertTokenSQL = `
	INSERT INTO interlock.api_tokens (id, token_hash, user_id, account_id, role, label)
	VALUES (@id, @hash, @user, @account, @role, @label)`

// CreateToken makes a token of role trader for one user on one account, as
// CreateTokenOf does.
func (s *Store) CreateToken(ctx context.Context, user, account, label, actor string) (id, token string, err error) {
	return s.CreateTokenOf(ctx, view.Trader, user, account, label, actor)
}

// CreateTokenOf makes a token of a role for one user on one account. Only its
// hash is stored: the returned token is shown once and cannot be had again.
// ErrInvalid for what is no role, no user ID or no account.
func (s *Store) CreateTokenOf(ctx context.Context, role view.Role, user, account, label, actor string) (id, token string, err error) {
	id, token = uuid.NewString(), newToken()
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insertTokenSQL, pgx.StrictNamedArgs{
			"id": id, "hash": tokenHash(token), "user": user, "account": account, "role": string(role), "label": label,
		})
		if err != nil {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: account, Kind: "token.created", User: user, Actor: actor, Body: map[string]any{"token": id, "role": role, "label": label},
		})
	})
	if err != nil {
		return "", "", fmt.Errorf("create token for %s on %s: %w", user, account, err)
	}
	return id, token, nil
}

func newToken() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails: without randomness the process ends
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
}

// tokenHash needs no salt and no slowness: 256 random bits cannot be guessed.
func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

const revokeTokenSQL = `
	UPDATE interlock.api_tokens SET revoked_at = clock_timestamp() WHERE id = @id AND revoked_at IS NULL`

const tokenSQL = `SELECT id, user_id, account_id, role, label, created_at, revoked_at FROM interlock.api_tokens WHERE id = @id`

// RevokeToken ends a token at once. ErrNotFound when there is no such token;
// revoking it again changes nothing.
func (s *Store) RevokeToken(ctx context.Context, id, actor string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, revokeTokenSQL, pgx.StrictNamedArgs{"id": id})
		if err != nil {
			return err
		}
		t, err := one[Token](ctx, tx, tokenSQL, pgx.StrictNamedArgs{"id": id})
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: t.AccountID, Kind: "token.revoked", User: t.UserID, Actor: actor, Body: map[string]any{"token": t.ID, "label": t.Label},
		})
	})
	if err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	return nil
}

const tokensSQL = `SELECT id, user_id, account_id, role, label, created_at, revoked_at FROM interlock.api_tokens ORDER BY created_at, id`

// Tokens lists every token, the revoked ones too.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	list, err := all[Token](ctx, s.pool, tokensSQL, pgx.StrictNamedArgs{})
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", classify(err))
	}
	return list, nil
}

const identifySQL = `SELECT id, user_id, account_id, role FROM interlock.api_tokens WHERE token_hash = @hash AND revoked_at IS NULL`

// Identify says who a token speaks for. ErrNotFound when it is unknown or
// revoked. The lookup is by hash, so its timing tells nothing of the token.
func (s *Store) Identify(ctx context.Context, token string) (Identity, error) {
	if !strings.HasPrefix(token, tokenPrefix) {
		return Identity{}, fmt.Errorf("token: %w", ErrNotFound)
	}
	who, err := one[Identity](ctx, s.pool, identifySQL, pgx.StrictNamedArgs{"hash": tokenHash(token)})
	if err != nil {
		return Identity{}, fmt.Errorf("token: %w", classify(err))
	}
	who.Proof = view.ByToken
	return who, nil
}
