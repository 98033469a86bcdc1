package view

import (
	"context"
	"fmt"
	"slices"
)

// Role is what an identity may do; each covers the ones before it.
type Role string

// The roles. A viewer reads what is its user's, a trader acts on it, and an
// operator does both for any user of its account, and stops and resumes trading.
const (
	Viewer   Role = "viewer"
	Trader   Role = "trader"
	Operator Role = "operator"
)

// Roles lists every role, each covering the ones before it.
func Roles() []Role { return []Role{Viewer, Trader, Operator} }

// ParseRole reads a role; what is not exactly one is refused.
func ParseRole(text string) (Role, error) {
	if r := Role(text); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("it is not a role; write one of %v", Roles())
}

// Covers reports whether r may do what needs the other role. A role that is
// none covers nothing and is covered by nothing.
func (r Role) Covers(other Role) bool {
	have, need := slices.Index(Roles(), r), slices.Index(Roles(), other)
	return need >= 0 && have >= need
}

// How an identity was proved.
const (
	ByToken = "token"
	ByJWT   = "jwt"
)

// Identity is who a request speaks for, as it was proved. The same user ID is
// the same person, whatever proved it.
type Identity struct {
	TokenID   string `db:"id" json:"token,omitempty"` // empty for a JWT
	UserID    string `db:"user_id" json:"user"`
	AccountID string `db:"account_id" json:"account"`
	Role      Role   `db:"role" json:"role"`
	Proof     string `db:"-" json:"proof"`
}

// MaySee reports whether the things of a user on an account are who's, or who
// operates that account.
func (who Identity) MaySee(user, account string) bool {
	return who.AccountID == account && (who.UserID == user || who.Role.Covers(Operator))
}

type identityKey struct{}

// WithIdentity is ctx for what is done in the name of a verified identity.
func WithIdentity(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// VerifiedIn is the identity in whose name something is done; false when nobody
// was verified.
func VerifiedIn(ctx context.Context) (Identity, bool) {
	who, ok := ctx.Value(identityKey{}).(Identity)
	return who, ok
}

// Act is what a verified person asks of a proposal.
type Act struct {
	Act     string `json:"act"` // execute, cancel or resolve
	Request string `json:"request,omitempty"`
	OrderID string `json:"orderId,omitempty"` // of resolve
	Absent  bool   `json:"absent,omitempty"`  // of resolve
	Reason  string `json:"reason,omitempty"`
}
