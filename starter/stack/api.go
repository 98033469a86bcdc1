package stack

import (
	"context"
	"time"

	"interlock/internal/devstack"
)

const usualAPIPort = 8085

// startAPI starts the HTTP API as a process of its own.
func (s *Stack) startAPI(ctx context.Context) error {
	database, err := s.databaseURL("api")
	if err != nil {
		return err
	}
	at, err := s.startOn(ctx, s.opts.APIPort, usualAPIPort, forAPI, func(port int) devstack.Child {
		return devstack.Child{
			Name: "api", Path: s.opts.Self, Args: []string{"serve"},
			Env:         append(s.apiEnv(), "DATABASE_URL="+database, "INTERLOCK_API_ADDR="+loopback(port)),
			Grace:       drain,
			Ready:       answersAt("/readyz"),
			ReadyWithin: 3 * time.Minute,
		}
	})
	if err == nil {
		s.info.URLs[API] = "http://" + at
	}
	return err
}

// apiEnv hands over whom the operator's environment tells the API to believe. A
// secret stays in its file.
func (s *Stack) apiEnv() []string {
	env := append([]string{}, s.env...)
	for _, name := range []string{
		"INTERLOCK_JWT_SECRET_FILE", "INTERLOCK_JWKS_URL", "INTERLOCK_JWT_ISSUER", "INTERLOCK_JWT_AUDIENCE", "INTERLOCK_JWT_ROLE_CLAIM",
		"INTERLOCK_JWT_ACCOUNT_CLAIM", "INTERLOCK_JWT_ACCOUNT", "INTERLOCK_API_RPS", "INTERLOCK_API_FAILURES", "INTERLOCK_CORS_ORIGINS",
	} {
		if value := s.opts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
