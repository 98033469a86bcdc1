package stack

import (
	"interlock/internal/config"
	"interlock/internal/devstack"
)

// Environment is what a process of role has in the stack that runs on dir and
// published urls: the very variables that the stack gives to its own. It holds
// the role's keys, and is for a child and nobody else. Keys of a foreign
// exchange or model are those that cfg and getenv name now.
func Environment(dir string, urls map[string]string, cfg config.StarterConfig, getenv func(string) string, role config.Role) ([]string, error) {
	secrets, err := openSecrets(dir)
	if err != nil {
		return nil, err
	}
	cfg.Account = urls[Account]
	if urls[Admin] == "" {
		cfg.RESTURL = urls[Exchange]
	}
	s := &Stack{opts: Options{Dir: dir, Config: cfg, Getenv: getenv}, secrets: secrets, info: devstack.Info{URLs: urls}}
	s.env = append(s.inherited(), ownTemporal(urls[Temporal], urls[Namespace])...)
	if cfg.TemporalAddress != "" {
		s.env = s.inherited()
	}
	switch role {
	case config.Operator:
		return append(s.env, "DATABASE_URL="+urls[Database], "INTERLOCK_ACCOUNT="+urls[Account]), nil
	case config.APIRole:
		database, err := s.databaseURL(string(config.APIRole))
		return append(s.env, "DATABASE_URL="+database), err
	}
	return s.workerEnv(role)
}
