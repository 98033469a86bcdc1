package cli

import (
	"errors"
	"fmt"

	"interlock/internal/config"
	"interlock/internal/devstack"
	"interlock/starter/stack"
)

// place is where the stack is, for this command.
type place struct {
	config.StarterConfig

	urls map[string]string // of the stack on the state folder; empty when none runs
}

// locate reads the environment and the state folder. Neither has to know
// anything: what a command needs, it asks for.
func (a *app) locate() (place, error) {
	cfg, err := config.Starter(a.getenv)
	if err != nil {
		return place{}, ends(exitUsage, err)
	}
	p := place{StarterConfig: cfg, urls: map[string]string{}}
	if a.state == "" {
		return p, nil
	}
	info, err := devstack.ReadInfo(a.state)
	switch {
	case errors.Is(err, devstack.ErrNotRunning):
	case err != nil:
		return p, fmt.Errorf("--state: %w", err)
	case info.URLs != nil:
		p.urls = info.URLs
	}
	return p, nil
}

// find returns what the environment says, else the running stack.
func (p place) find(fromEnvironment, name, variable string) (string, error) {
	if fromEnvironment != "" {
		return fromEnvironment, nil
	}
	if url := p.urls[name]; url != "" {
		return url, nil
	}
	return "", unavailable(fmt.Errorf("no stack is running: start one with \"starter up\", name its folder with --state, or set %s", variable))
}

// ownerURL is the database as the owner of its schema.
func (a *app) ownerURL() (string, error) { return a.databaseURL(stack.Owner) }

// operatorURL is the database as an operator may use it.
func (a *app) operatorURL() (string, error) { return a.databaseURL(stack.Database) }

func (a *app) databaseURL(name string) (string, error) {
	p, err := a.locate()
	if err != nil {
		return "", err
	}
	return p.find(p.DatabaseURL.Reveal(), name, "DATABASE_URL")
}
