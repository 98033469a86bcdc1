package stack

import (
	"context"
	"path/filepath"

	"interlock/internal/devstack"
	"interlock/internal/postgres"
	"interlock/migrations"
)

// groupRoles are the logins that a stack needs, each a member of exactly one
// of the schema's group roles.
var groupRoles = map[string]string{
	"proposals": postgres.ProposalsRole, "orders": postgres.OrdersRole, "scans": postgres.ScansRole,
	"api": postgres.APIRole, "operator": postgres.OperatorRole,
}

// startDatabase starts the private PostgreSQL, unless DATABASE_URL names
// another, brings the schema up and makes the logins.
func (s *Stack) startDatabase(ctx context.Context) error {
	owner := s.opts.Config.DatabaseURL.Reveal()
	if owner == "" {
		server, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{
			Dir: filepath.Join(s.opts.Dir, "postgres"), Progress: s.opts.Progress,
		})
		if err != nil {
			return err
		}
		s.postgres = server
		s.stops = append(s.stops, server.Stop)
		owner = server.URL()
	}
	s.info.URLs[Owner] = owner
	if err := migrations.Up(ctx, owner); err != nil {
		return err
	}
	return s.ensureLogins(ctx, owner)
}

func (s *Stack) ensureLogins(ctx context.Context, owner string) error {
	for role, group := range groupRoles {
		password, err := s.secrets.password(role)
		if err != nil {
			return err
		}
		if err := postgres.EnsureLogin(ctx, owner, s.login(role), password, group); err != nil {
			return err
		}
	}
	operator, err := s.databaseURL("operator")
	s.info.URLs[Database] = operator
	return err
}

func (s *Stack) login(role string) string { return "interlock_" + role + "_" + s.secrets.Logins }

// databaseURL is the database as one role may see it.
func (s *Stack) databaseURL(role string) (string, error) {
	return postgres.LoginURL(s.info.URLs[Owner], s.login(role), s.secrets.Passwords[role])
}
