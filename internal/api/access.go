package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	lru "github.com/hashicorp/golang-lru/v2"

	"interlock/internal/trade"
	"interlock/internal/view"
)

// access decides who gets in: who they are, how often they ask, and what their
// role may do. A route that no role is named for is nobody's.
type access struct {
	roles      map[string]view.Role // least role by route
	identities *pace                // by user
	failures   *pace                // by remote address
	believed   *lru.Cache[[sha256.Size]byte, struct{}]
}

// keptPaces bounds what anybody can make us remember.
const keptPaces = 10_000

func newAccess(cfg Config) access {
	believed, _ := lru.New[[sha256.Size]byte, struct{}](keptPaces) // it fails for no size only
	const burst = 4                                                // a page may ask for many things at once
	return access{
		roles: map[string]view.Role{}, believed: believed,
		identities: newPace(cfg.RPS, int(cfg.RPS*burst)+1),
		failures:   newPace(float64(cfg.FailuresPerMinute)/time.Minute.Seconds(), cfg.FailuresPerMinute),
	}
}

// need reads from the description which role each route takes.
func (a access) need(description *huma.OpenAPI) {
	for path, item := range description.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			if role, limited := op.Extensions[roleExtension].(view.Role); limited {
				a.roles[op.Method+" "+path] = role
			}
		}
	}
}

// roleExtension is how the description names the least role of an operation.
const roleExtension = "x-role"

// takes names the least role of an operation. Reading takes a viewer and
// everything else a trader, unless it is said otherwise.
func takes(role view.Role) option {
	return func(op *huma.Operation) { op.Extensions = map[string]any{roleExtension: role} }
}

// admit says who asks, or why they may not; the log then says so too, without
// what they sent to prove it.
func (s *server) admit(r *http.Request, route string) (view.Identity, *Problem) {
	who, refusal := s.identify(r)
	if refusal == nil {
		if wait := s.access.identities.take(who.UserID, s.Now()); wait > 0 {
			refusal = tooMany(wait, "you ask too often")
		}
	}
	if refusal == nil && !who.Role.Covers(s.access.roles[route]) {
		refusal = forbidden("your role is %s, and this takes %s", who.Role, s.access.roles[route])
	}
	s.noteRefusal(r.Context(), route, remote(r), who, refusal)
	return who, refusal
}

// noteRefusal logs a refusal of who asked for a route.
func (s *server) noteRefusal(ctx context.Context, route, from string, who view.Identity, refusal *Problem) {
	if refusal == nil || refusal.Status >= http.StatusInternalServerError {
		return
	}
	reason := refusal.why
	if reason == "" {
		reason = refusal.Message
	}
	s.Log.LogAttrs(ctx, slog.LevelWarn, "refused", slog.Int("status", refusal.Status), slog.String("route", route), slog.String("reason", reason),
		slog.String("remote", from), slog.String("user", who.UserID), slog.String("role", string(who.Role)), slog.String("token", who.TokenID))
}

// identify says who the request speaks for. An address that failed too often is
// not looked at again for a while, unless it sends what was believed before:
// who shares it must not be locked out by others.
func (s *server) identify(r *http.Request) (view.Identity, *Problem) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	text = strings.TrimSpace(text)
	hash, from := sha256.Sum256([]byte(text)), remote(r)
	if wait := s.access.failures.wait(from, s.Now()); wait > 0 && !s.access.believed.Contains(hash) {
		return view.Identity{}, tooMany(wait, "too many requests from your address could not be believed")
	}
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return view.Identity{}, s.failed(from, problem(http.StatusUnauthorized, Unauthorized, "send a token: Authorization: Bearer …"), "no token")
	}
	ctx, cancel := context.WithTimeout(r.Context(), recordsPatience)
	defer cancel()
	who, err := s.proof(text).Identify(ctx, text)
	switch {
	case errors.Is(err, trade.ErrNotFound):
		return view.Identity{}, s.failed(from, problem(http.StatusUnauthorized, Unauthorized, "the token is unknown, over or was revoked"), err.Error())
	case err != nil:
		s.Log.Warn("token not read", "error", err)
		return view.Identity{}, s.unread(text)
	}
	s.access.believed.Add(hash, struct{}{})
	return who, nil
}

// ownToken begins the tokens that the records know.
const ownToken = "ilk_"

// proof is who can tell whom a text speaks for.
func (s *server) proof(text string) Tokens {
	if s.JWTs != nil && !strings.HasPrefix(text, ownToken) {
		return s.JWTs
	}
	return s.Store
}

func (s *server) unread(text string) *Problem {
	if strings.HasPrefix(text, ownToken) || s.JWTs == nil {
		return errDatabase()
	}
	return problem(http.StatusServiceUnavailable, IdentityUnavailable, "the issuer of your token does not answer; ask again")
}

// failed counts a refusal against an address.
func (s *server) failed(from string, p *Problem, why string) *Problem {
	s.access.failures.take(from, s.Now())
	p.why = why
	return p
}

// remote is the address that asks; behind a proxy it is the proxy's.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func forbidden(format string, args ...any) *Problem {
	return problem(http.StatusForbidden, Forbidden, format, args...)
}

func tooMany(wait time.Duration, why string) *Problem {
	p := problem(http.StatusTooManyRequests, TooManyRequests, "%s; ask again in %s", why, wait.Round(time.Second/10))
	p.retryAfter = wait
	return p
}

// whose is the user whose things are asked for: one's own unless an operator
// names another.
func (s *server) whose(ctx context.Context, named string) (string, *Problem) {
	who := whoAsks(ctx)
	switch {
	case named == "" || named == who.UserID:
		return who.UserID, nil
	case !who.Role.Covers(view.Operator):
		return "", s.forbid(ctx, forbidden("your role is %s, and another user's things take operator", who.Role))
	case trade.CheckID("userId", named) != nil:
		return "", invalid(trade.CheckID("userId", named))
	}
	return named, nil
}
