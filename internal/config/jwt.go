package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"interlock/internal/secret"
)

// JWT is which JWTs the API believes. Its zero value believes none.
type JWT struct {
	Secret       secret.Text // of HS256
	KeysURL      string      // JWKS, of RS256 and ES256
	Issuer       string
	Audience     string
	RoleClaim    string
	AccountClaim string
	Account      string // of whoever has no account claim; empty: they are refused
}

// On reports whether any JWT is believed.
func (j JWT) On() bool { return j.Secret != "" || j.KeysURL != "" }

// What Supabase issues. Only its server sets app_metadata.
const (
	DefaultJWTAudience     = "authenticated"
	DefaultJWTRoleClaim    = "app_metadata.interlock_role"
	DefaultJWTAccountClaim = "app_metadata.interlock_account"
)

// leastSecret is the hash's own length: RFC 7518 asks for as much.
const leastSecret = 32

func (r *reader) jwt() JWT {
	j := JWT{
		Secret: r.secret("INTERLOCK_JWT_SECRET"), KeysURL: r.keysURL("INTERLOCK_JWKS_URL"), Issuer: r.get("INTERLOCK_JWT_ISSUER"),
		Audience:  r.or("INTERLOCK_JWT_AUDIENCE", DefaultJWTAudience),
		RoleClaim: r.claim("INTERLOCK_JWT_ROLE_CLAIM", DefaultJWTRoleClaim), AccountClaim: r.claim("INTERLOCK_JWT_ACCOUNT_CLAIM", DefaultJWTAccountClaim),
		Account: r.get("INTERLOCK_JWT_ACCOUNT"),
	}
	if n := len(j.Secret); n > 0 && n < leastSecret {
		r.problem("INTERLOCK_JWT_SECRET", fmt.Sprintf("is shorter than %d bytes, so it can be guessed; give the issuer a longer one", leastSecret))
	}
	if j.Account != "" && !accountText.MatchString(j.Account) {
		r.problem("INTERLOCK_JWT_ACCOUNT", fmt.Sprintf("%q is not an account's name; 1 to 100 letters, digits, dots, colons, dashes or underscores", j.Account))
	}
	asked := !r.unset("INTERLOCK_JWT_SECRET") || r.get("INTERLOCK_JWKS_URL") != ""
	if asked && j.Issuer == "" {
		r.problem("INTERLOCK_JWT_ISSUER", "is missing; write the iss of your tokens, like https://PROJECT.supabase.co/auth/v1")
	}
	for _, name := range []string{"ISSUER", "AUDIENCE", "ROLE_CLAIM", "ACCOUNT_CLAIM", "ACCOUNT"} {
		if name = "INTERLOCK_JWT_" + name; !asked && r.get(name) != "" {
			r.problem(name, "is set, and no JWT can be checked; set INTERLOCK_JWT_SECRET or INTERLOCK_JWKS_URL too")
		}
	}
	return j
}

func (r *reader) or(name, otherwise string) string {
	if text := r.get(name); text != "" {
		return text
	}
	return otherwise
}

// keysURL must not be read in the clear: who can change the keys is everybody.
func (r *reader) keysURL(name string) string {
	text := r.get(name)
	u, err := url.Parse(text)
	switch {
	case text == "":
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || (u.Scheme != "https" && u.Scheme != "http"):
		r.problem(name, "is not a URL of keys; write it like https://PROJECT.supabase.co/auth/v1/.well-known/jwks.json")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		r.problem(name, fmt.Sprintf("reaches %q without encryption; write https://", u.Host))
	}
	return text
}

var claimText = regexp.MustCompile(`^[A-Za-z0-9_-]{1,60}(\.[A-Za-z0-9_-]{1,60}){0,4}$`)

// claim is a path to a claim. What users write of themselves is no authority.
func (r *reader) claim(name, otherwise string) string {
	text := r.or(name, otherwise)
	switch {
	case !claimText.MatchString(text):
		r.problem(name, fmt.Sprintf("%q is not a claim's name; write it like %s", text, otherwise))
	case text == "user_metadata" || strings.HasPrefix(text, "user_metadata."):
		r.problem(name, fmt.Sprintf("%q is written by users themselves; use what only the issuer sets, like %s", text, otherwise))
	}
	return text
}

// origins are scheme, host and port, as a browser sends them.
func (r *reader) origins() []string {
	const name = "INTERLOCK_CORS_ORIGINS"
	var list []string
	for text := range strings.SplitSeq(r.get(name), ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		switch {
		case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || text != u.Scheme+"://"+strings.ToLower(u.Host) || strings.Contains(text, "*"):
			r.problem(name, fmt.Sprintf("%q is not an origin; write it as browsers send it, like https://app.example.com, separated by commas, without path or wildcard", text))
		case u.Scheme == "http" && !loopback(u.Hostname()):
			r.problem(name, fmt.Sprintf("%q is reached without encryption; write https://", text))
		default:
			list = append(list, text)
		}
	}
	return list
}
