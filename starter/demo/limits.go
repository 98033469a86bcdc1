package demo

import (
	"context"
	"time"

	"interlock/internal/trade"
)

var deniedByDefault = scenario{
	id: "deny-by-default", name: "Nothing trades that is not allowed",
	did: "executed without a policy, with an empty allowlist, and with the market on it",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, err := k.user(ctx, "allowlist")
		if err != nil {
			return "", false, err
		}
		id, err := u.propose(ctx, trade.Buy)
		if err != nil {
			return "", false, err
		}
		none, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		empty, err := u.allowAndExecute(ctx, id, []string{})
		if err != nil {
			return "", false, err
		}
		before, err := u.ordersOf(ctx, id)
		if err != nil {
			return "", false, err
		}
		allowed, err := u.allowAndExecute(ctx, id, []string{"BTC-EUR"})
		if err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, id)
		return words(none.String(), empty.String(), allowed.String(), orders(n)),
			none.blockedBy(trade.PolicyMissing) && empty.blockedBy(trade.AllowlistEmpty) && before == 0 && allowed.executed() && n == 1, err
	},
}

func (u *user) allowAndExecute(ctx context.Context, id string, allowlist []string) (reply, error) {
	if err := u.allow(ctx, map[string]any{"allowlist": allowlist}); err != nil {
		return reply{}, err
	}
	return u.execute(ctx, id, nil)
}

// blockedThenLifted executes a proposal that one block stands against: as it
// is, with the override but no reason, and with both.
func (u *user) blockedThenLifted(ctx context.Context, id, override string, code trade.Code) (string, bool, error) {
	blocked, err := u.execute(ctx, id, nil)
	if err != nil {
		return "", false, err
	}
	mute, err := u.execute(ctx, id, map[string]any{override: true})
	if err != nil {
		return "", false, err
	}
	before, err := u.ordersOf(ctx, id)
	if err != nil {
		return "", false, err
	}
	lifted, err := u.execute(ctx, id, map[string]any{override: true, "reason": "the demo shows an override"})
	if err != nil {
		return "", false, err
	}
	n, err := u.ordersOf(ctx, id)
	return words(blocked.String(), mute.String(), lifted.String(), orders(n)),
		blocked.blockedBy(code) && mute.blockedBy(trade.OverrideReasonRequired) && before == 0 && lifted.executed() && n == 1, err
}

var cooledDown = scenario{
	id: "cooldown", name: "An asset cools down after a trade",
	did: "bought 30 min after a buy with a cooldown of 60 min: as it is, overridden without a reason, and with one",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, id, err := k.oneProposal(ctx, "cooldown", map[string]any{"cooldown": "60m"})
		if err == nil {
			err = u.traded(ctx, trade.Buy, 30*time.Minute)
		}
		if err != nil {
			return "", false, err
		}
		return u.blockedThenLifted(ctx, id, "overrideCooldown", trade.CooldownBlocked)
	},
}

var notFlipped = scenario{
	id: "anti-flip", name: "A position is not flipped at once",
	did: "sold 60 min after a buy with anti-flip 120 min, cooldown 60 min: as it is, overridden without a reason, and with one",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, err := k.trader(ctx, "antiflip", map[string]any{"cooldown": "60m", "antiFlip": "120m"})
		if err == nil {
			err = u.traded(ctx, trade.Buy, time.Hour)
		}
		if err != nil {
			return "", false, err
		}
		id, err := u.propose(ctx, trade.Sell)
		if err != nil {
			return "", false, err
		}
		return u.blockedThenLifted(ctx, id, "overrideAntiFlip", trade.AntiFlipBlocked)
	},
}

var expired = scenario{
	id: "expiry", name: "A proposal expires by itself",
	did: "stored a proposal that lives 2 s, or longer on a busy machine, waited for EXPIRED, executed it",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, err := k.trader(ctx, "expiry", nil)
		if err != nil {
			return "", false, err
		}
		id, err := u.proposeShortLived(ctx)
		if err != nil {
			return "", false, err
		}
		if err := u.becomes(ctx, id, trade.Expired); err != nil {
			return "", false, err
		}
		late, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		n, err := u.ordersOf(ctx, id)
		return words("EXPIRED by itself", late.String(), orders(n)), late.status == 410 && n == 0, err
	},
}

// proposeShortLived stores a proposal that expires as soon as this machine can
// have it stored before.
func (u *user) proposeShortLived(ctx context.Context) (id string, err error) {
	life := time.Second
	err = until(ctx, func() (missing string, err error) {
		life *= 2
		at := time.Now().Add(life)
		if id, err = u.proposeUntil(ctx, trade.Buy, &at); err != nil && time.Now().After(at) {
			return "a proposal that is stored before it expires", nil
		}
		return "", err
	})
	return id, err
}

var halted = scenario{
	id: "halt", name: "A halt stops trading at once",
	did: "halted the account in the database, executed, resumed, executed again",
	try: func(ctx context.Context, k *kit) (saw string, held bool, err error) {
		u, id, err := k.oneProposal(ctx, "halt", nil)
		if err != nil {
			return "", false, err
		}
		if err := k.set(ctx, trade.Halted); err != nil {
			return "", false, err
		}
		stopped, askErr := u.execute(ctx, id, nil)
		n, ledgerErr := u.ordersOf(ctx, id)
		// Whatever happened, the account is not left halted.
		if err := firstOf(k.set(context.WithoutCancel(ctx), trade.Active), askErr, ledgerErr); err != nil {
			return "", false, err
		}
		resumed, err := u.execute(ctx, id, nil)
		if err != nil {
			return "", false, err
		}
		after, err := u.ordersOf(ctx, id)
		return words(stopped.String(), orders(n), "resumed "+resumed.String(), orders(after)),
			stopped.blockedBy(trade.TradingHalted) && n == 0 && resumed.executed() && after == 1, err
	},
}

func (k *kit) set(ctx context.Context, state trade.TradingState) error {
	return k.store.SetTradingState(ctx, k.Account, state, "starter demo", "the demo shows a halt")
}
