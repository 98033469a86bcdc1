package stack

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"interlock/internal/config"
	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// FirstUser is who the token of a new stack speaks for.
const FirstUser = "demo"

// PaperLag is L of the paper exchange, which shows an order at once unless it is
// told not to.
const PaperLag = 2 * time.Second

// ExamplePolicy is what the first user of a paper stack may do.
//
//go:embed policy.json
var ExamplePolicy []byte

// operate does something with the operator's login.
func (s *Stack) operate(ctx context.Context, do func(*postgres.Store) error) error {
	store, err := postgres.Open(ctx, s.info.URLs[Database])
	if err != nil {
		return err
	}
	defer store.Close()
	return do(store)
}

// ensureAccount makes the account's row, which says at which exchange it is.
func (s *Stack) ensureAccount(ctx context.Context) error {
	account := s.opts.Config.Account
	s.info.URLs[Account] = account
	venue, err := config.VenueOf(s.info.URLs[Exchange])
	if err != nil {
		return err
	}
	row := postgres.Account{ID: account, Venue: venue, RESTURL: s.info.URLs[Exchange], Label: "made by starter up"}
	if s.info.URLs[Admin] != "" {
		row.ReadLag = PaperLag
	}
	return s.operate(ctx, func(store *postgres.Store) error { return store.CreateAccount(ctx, row) })
}

// ensureUser makes the first user of a stack with a paper exchange of its own:
// a token, kept for the command line, and the example policy. An account at
// any other exchange gets neither.
func (s *Stack) ensureUser(ctx context.Context) error {
	if s.info.URLs[Admin] == "" {
		return nil
	}
	return s.operate(ctx, func(store *postgres.Store) error {
		if err := s.ensureToken(ctx, store); err != nil {
			return err
		}
		_, _, err := store.Policy(ctx, FirstUser, s.opts.Config.Account)
		if !errors.Is(err, postgres.ErrNotFound) {
			return err
		}
		policy, err := trade.ParsePolicy(ExamplePolicy)
		if err != nil {
			return err
		}
		_, err = store.PutPolicy(ctx, FirstUser, s.opts.Config.Account, policy, "starter up")
		return err
	})
}

// ensureToken keeps the token of the last time, if it still works.
func (s *Stack) ensureToken(ctx context.Context, store *postgres.Store) error {
	_, err := store.Identify(ctx, s.secrets.Token)
	if errors.Is(err, postgres.ErrNotFound) {
		_, s.secrets.Token, err = store.CreateToken(ctx, FirstUser, s.opts.Config.Account, "made by starter up", "starter up")
		s.NewToken = s.secrets.Token
	}
	if err != nil {
		return err
	}
	s.info.URLs[Token] = s.secrets.Token
	return s.secrets.save()
}
