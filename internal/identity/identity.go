// Package identity says who a JWT speaks for. It decides which of them to
// believe: signature by the algorithm of the key's own type, issuer, audience,
// times, and claims that name a user, a role and an account. It owns the keys of
// the issuer and how often they are asked for. It refuses to know what an
// identity may do, and gives away neither a token nor a claim: only the reason
// why one was not believed.
package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"interlock/internal/trade"
	"interlock/internal/view"
)

// Config is whom to believe. Issuer and Audience are required, and one of
// Secret and KeysURL.
type Config struct {
	Secret       string // of HS256
	KeysURL      string // of a JWKS with keys of RS256 and ES256
	Issuer       string
	Audience     string
	RoleClaim    string           // path with dots; whoever has none is a trader
	AccountClaim string           // path with dots
	Account      string           // of whoever has no account claim; empty: they are refused
	Client       *http.Client     // nil: one that gives up after 5 s
	Now          func() time.Time // nil is the system's clock
}

// JWTs knows who a JWT speaks for.
type JWTs struct {
	cfg    Config
	keys   *keySet // nil without a URL
	parser *jwt.Parser
}

// leeway is how far the issuer's clock may be from ours.
const leeway = 30 * time.Second

// New believes as cfg says. It asks nobody yet.
func New(cfg Config) *JWTs {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	j := &JWTs{cfg: cfg}
	var methods []string
	if cfg.Secret != "" {
		methods = append(methods, jwt.SigningMethodHS256.Alg())
	}
	if cfg.KeysURL != "" {
		methods = append(methods, jwt.SigningMethodRS256.Alg(), jwt.SigningMethodES256.Alg())
		j.keys = newKeySet(cfg.KeysURL, cfg.Client, cfg.Now)
	}
	j.parser = jwt.NewParser(
		jwt.WithValidMethods(methods), jwt.WithIssuer(cfg.Issuer), jwt.WithAudience(cfg.Audience), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(cfg.Now), jwt.WithStrictDecoding())
	return j
}

// Refusal says why a JWT is not believed, in words of ours only. It is a
// trade.ErrNotFound: nobody is known by it.
type Refusal struct{ Reason string }

// Error is the reason.
func (r *Refusal) Error() string { return "jwt: " + r.Reason }

// Unwrap lets it be met as an unknown token is.
func (r *Refusal) Unwrap() error { return trade.ErrNotFound }

func refuse(reason string) error { return &Refusal{Reason: reason} }

// Identify says who a JWT speaks for. A *Refusal when it is not believed; any
// other error means that the issuer's keys cannot be had, so nothing is known.
func (j *JWTs) Identify(ctx context.Context, token string) (view.Identity, error) {
	var claims claims
	_, err := j.parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) { return j.key(ctx, t) })
	var none *unavailable
	var refusal *Refusal
	switch {
	case errors.As(err, &none):
		return view.Identity{}, none
	case errors.As(err, &refusal):
		return view.Identity{}, refusal
	case err != nil:
		return view.Identity{}, refuse(reasonOf(err))
	}
	return j.who(claims)
}

// key is the one key that a token of this algorithm may be signed with: a
// secret never checks a public key's signature, nor the other way round.
func (j *JWTs) key(ctx context.Context, t *jwt.Token) (any, error) {
	if t.Method == jwt.SigningMethodHS256 {
		return []byte(j.cfg.Secret), nil
	}
	id, _ := t.Header["kid"].(string)
	if id == "" {
		return nil, refuse("it names no key")
	}
	k, err := j.keys.key(ctx, id)
	if err != nil {
		return nil, err
	}
	if k.algorithm != t.Method.Alg() {
		return nil, refuse("its key is of another algorithm")
	}
	return k.public, nil
}

// reasons are what the parser may have found, the most telling first. Its own
// words could repeat what it read.
var reasons = []struct {
	err    error
	reason string
}{
	{jwt.ErrTokenSignatureInvalid, "its signature or algorithm is not one to believe"},
	{jwt.ErrTokenExpired, "it has expired"},
	{jwt.ErrTokenNotValidYet, "it is not valid yet"},
	{jwt.ErrTokenUsedBeforeIssued, "it was issued in the future"},
	{jwt.ErrTokenInvalidIssuer, "it is of another issuer"},
	{jwt.ErrTokenInvalidAudience, "it is for another audience"},
	{jwt.ErrTokenRequiredClaimMissing, "it lacks expiry, issuer or audience"},
	{jwt.ErrTokenUnverifiable, "its algorithm is not one to believe"},
}

func reasonOf(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return "it is malformed"
}

// claims are those that every token has, and all of them for what a deployment
// names by path.
type claims struct {
	jwt.RegisteredClaims

	all jwt.MapClaims
}

// UnmarshalJSON reads the claims twice: typed, and by name.
func (c *claims) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &c.RegisteredClaims); err != nil {
		return err
	}
	return json.Unmarshal(data, &c.all)
}

// who reads the claims of a token that is believed.
func (j *JWTs) who(c claims) (view.Identity, error) {
	who := view.Identity{UserID: c.Subject, AccountID: j.cfg.Account, Role: view.Trader, Proof: view.ByJWT}
	if trade.CheckID("sub", c.Subject) != nil {
		return who, refuse("its subject is no user ID")
	}
	if anonymous, is := c.all["is_anonymous"].(bool); is && anonymous {
		return who, refuse("it is of an anonymous user")
	}
	role, given, err := c.text(j.cfg.RoleClaim)
	if err == nil && given {
		who.Role, err = view.ParseRole(role)
	}
	if err != nil {
		return who, refuse("its role is none")
	}
	account, given, err := c.text(j.cfg.AccountClaim)
	if given {
		who.AccountID = account
	}
	if err != nil || trade.CheckID("account", who.AccountID) != nil {
		return who, refuse("it names no account")
	}
	return who, nil
}

// text finds the claim at a path like app_metadata.role. One that is there and
// no text is an error: it must not pass for one that is missing.
func (c claims) text(path string) (text string, given bool, err error) {
	if path == "" {
		return "", false, nil
	}
	var at any = map[string]any(c.all)
	for name := range strings.SplitSeq(path, ".") {
		object, is := at.(map[string]any)
		if !is {
			return "", true, fmt.Errorf("%s: it is within no object", path)
		}
		next, there := object[name]
		if !there {
			return "", false, nil
		}
		at = next
	}
	text, is := at.(string)
	if !is {
		return "", true, fmt.Errorf("%s: it is no text", path)
	}
	return text, true, nil
}
