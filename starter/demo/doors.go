package demo

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	bitvavo "interlock/internal/bitvavo/orders"
	"interlock/internal/trade"
	"interlock/workflows"
)

// temporal runs the real temporal CLI.
func (k *kit) temporal(ctx context.Context, args ...string) error {
	args = append(args, "--address", k.Temporal, "--namespace", k.Namespace)
	out, err := exec.CommandContext(ctx, k.TemporalCLI, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("temporal %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (k *kit) signalOverride(ctx context.Context, id, input string) error {
	return k.temporal(ctx, "workflow", "signal", "--workflow-id", id, "--name", workflows.OverrideName, "--input", input)
}

var overriddenBySignal = scenario{
	id: "override-signal", name: "A person overrides through Temporal",
	did: "blocked a proposal by its cooldown, then sent: temporal workflow signal --name override",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, id, blocked, err := k.cooling(ctx, "signal")
		if err != nil {
			return "", false, err
		}
		if err := k.signalOverride(ctx, id, `{"cooldown":true,"actor":"anna","reason":"news","execute":true}`); err != nil {
			return "", false, err
		}
		if err := u.becomes(ctx, id, trade.Executed); err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, id)
		return words(blocked.String(), "EXECUTED after the signal", orders(n)), blocked.blockedBy(trade.CooldownBlocked) && n == 1, err
	},
}

// cooling is a trader whose proposal the cooldown has just blocked.
func (k *kit) cooling(ctx context.Context, name string) (*user, string, reply, error) {
	u, id, err := k.oneProposal(ctx, name, map[string]any{"cooldown": "60m"})
	if err == nil {
		err = u.traded(ctx, trade.Buy, 30*time.Minute)
	}
	if err != nil {
		return nil, "", reply{}, err
	}
	blocked, err := u.execute(ctx, id, nil)
	return u, id, blocked, err
}

var signalWithoutActor = scenario{
	id: "override-actor", name: "An override needs an actor and a reason",
	did: "sent the same signal without an actor, and without a reason",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, id, _, err := k.cooling(ctx, "actor")
		if err != nil {
			return "", false, err
		}
		for _, input := range []string{
			`{"cooldown":true,"reason":"news","execute":true}`, `{"cooldown":true,"actor":"anna","execute":true}`,
		} {
			if err := k.signalOverride(ctx, id, input); err != nil {
				return "", false, err
			}
		}
		if err := k.audited(ctx, id, "override.refused", 2); err != nil {
			return "", false, err
		}
		now, err := u.status(ctx, id)
		if err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, id)
		return words("still "+string(now), "the audit says why, twice", orders(n)), now == trade.Pending && n == 0, err
	},
}

// audited waits until the audit holds so many events of a kind.
func (k *kit) audited(ctx context.Context, id, kind string, want int) error {
	return until(ctx, func() (string, error) {
		events, err := k.store.AuditOf(ctx, id)
		found := 0
		for _, e := range events {
			if e.Kind == kind {
				found++
			}
		}
		return unless(found >= want, "%d of %d events %s of %s in the audit", found, want, kind, id), err
	})
}

var keysApart = scenario{
	id: "key-separation", name: "The key that reads cannot trade",
	did: "placed an order at the exchange with the key of role scans",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		client, err := bitvavo.New(bitvavo.Config{URL: k.Exchange, Key: k.ReadonlyKey, Secret: k.ReadonlySecret, OperatorID: 1})
		if err != nil {
			return "", false, err
		}
		defer client.Close()
		now, err := client.Now(ctx)
		if err != nil {
			return "", false, err
		}
		amount, id := decimal.NewFromInt(25), uuid.New()
		placed := client.Place(ctx, trade.Plan{Market: "BTC-EUR", Side: trade.Buy, OrderType: trade.MarketOrder, AmountQuote: &amount},
			id, now.Add(trade.AccessWindow))
		list, err := k.exchange.orders(ctx)
		n := 0
		for _, o := range list {
			if o.ClientOrderID == id.String() {
				n++
			}
		}
		return words(fmt.Sprintf("%s by the exchange with error %s", placed.Reply, placed.Code), orders(n)),
			placed.Reply == trade.Refused && placed.Code == "310" && n == 0, err
	},
}

var foreignKeyRefused = scenario{
	id: "foreign-key", name: "A process refuses a key that is not its own",
	did: "started a worker of role orders with the read-only key, and one of role proposals with the trade key",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		var seen []string
		held := true
		for role, key := range map[string]string{"orders": "BITVAVO_READONLY_KEY", "proposals": "BITVAVO_TRADE_KEY"} {
			refused, err := k.refuses(ctx, role, key)
			if err != nil {
				return "", false, err
			}
			held = held && refused
			seen = append(seen, fmt.Sprintf("role %s refused %s: %v", role, key, refused))
		}
		return words(seen...), held, nil
	},
}

// refuses starts a worker that would have everything it needs but for one key
// too many, and reports whether it ended over that.
func (k *kit) refuses(ctx context.Context, role, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	worker := exec.CommandContext(ctx, k.Worker, "--role", role)
	worker.Env = []string{
		"DATABASE_URL=" + k.Database, "TEMPORAL_ADDRESS=" + k.Temporal, "BITVAVO_REST_URL=" + k.Exchange,
		"INTERLOCK_ACCOUNT=" + k.Account, key + "=made-up",
	}
	out, err := worker.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return false, err
	}
	return err != nil && ctx.Err() == nil && strings.Contains(string(out), key+": is set"), nil
}
