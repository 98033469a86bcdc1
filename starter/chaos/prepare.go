package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"interlock/internal/trade"
)

// silent keeps the SDK's own words, which are about breaking things, away from
// a person's terminal.
var silent = slog.New(slog.DiscardHandler)

// person is a user with the token that the API asks for.
type person struct {
	name, token string
}

const actor = "starter chaos"

// prepare lets the service be told, makes the users and arms the exchange.
func (c *campaign) prepare(ctx context.Context) error {
	err := c.listen(ctx)
	if err != nil {
		return err
	}
	if c.prices, err = prices(ctx, c.Exchange); err != nil {
		return err
	}
	for _, u := range c.plan.Users {
		p, err := c.person(ctx, u)
		if err != nil {
			return err
		}
		c.people = append(c.people, p)
	}
	return c.rearm(ctx, c.plan.scheduled())
}

func (c *campaign) person(ctx context.Context, u User) (person, error) {
	text, err := json.Marshal(u.Policy)
	if err != nil {
		return person{}, err
	}
	policy, err := trade.ParsePolicy(text)
	if err != nil {
		return person{}, fmt.Errorf("policy of %s: %w", u.Name, err)
	}
	if _, err := c.store.PutPolicy(ctx, u.Name, c.Account, policy, actor); err != nil {
		return person{}, err
	}
	_, token, err := c.store.CreateToken(ctx, u.Name, c.Account, "made by starter chaos", actor)
	return person{u.Name, token}, err
}
