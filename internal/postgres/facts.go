package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// readFacts gathers what p's verdict depends on. The caller holds the account
// lock, so what is read here cannot change before the claim.
func readFacts(ctx context.Context, tx pgx.Tx, p trade.Proposal) (trade.Facts, error) {
	f := trade.Facts{}
	for _, read := range []func(context.Context, pgx.Tx, trade.Proposal, *trade.Facts) error{
		readControl, readNow, readPolicy, readMarket, readClock, readTrades, readExecutions,
		readUnresolved, readUnknownOrder, readExposure, readReconciled, readOverrides,
	} {
		if err := read(ctx, tx, p, &f); err != nil {
			return f, err
		}
	}
	return f, nil
}

func readNow(ctx context.Context, tx pgx.Tx, _ trade.Proposal, f *trade.Facts) error {
	return tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&f.Now)
}

const currentPolicySQL = `
	SELECT version, body FROM interlock.trading_policies
	WHERE user_id = @user AND account_id = @account ORDER BY version DESC LIMIT 1`

func readPolicy(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	var body json.RawMessage
	err := tx.QueryRow(ctx, currentPolicySQL, pgx.StrictNamedArgs{"user": p.UserID, "account": p.AccountID}).Scan(&f.PolicyVersion, &body)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	// A stored policy that no longer decodes allows nothing.
	if policy, err := trade.ParsePolicy(body); err == nil {
		f.Policy = &policy
	}
	return nil
}

const resumedSQL = `SELECT changed_at FROM interlock.trading_controls WHERE scope = @account AND state <> 'HALTED'`

// readControl comes before the clock is read, so that a claim which waited for
// a resume is dated after it.
func readControl(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	if err := tx.QueryRow(ctx, `SELECT interlock.lock_trading_state($1)`, p.AccountID).Scan(&f.Control); err != nil {
		return err
	}
	err := tx.QueryRow(ctx, resumedSQL, pgx.StrictNamedArgs{"account": p.AccountID}).Scan(&f.ResumedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

type marketRow struct {
	Price            decimal.Decimal `db:"price"`
	TickSize         decimal.Decimal `db:"tick_size"`
	QuantityDecimals int32           `db:"quantity_decimals"`
	NotionalDecimals int32           `db:"notional_decimals"`
	MinBase          decimal.Decimal `db:"min_base"`
	MinQuote         decimal.Decimal `db:"min_quote"`
	Status           string          `db:"market_status"`
	ObservedAt       time.Time       `db:"observed_at"`
}

const marketFactSQL = `
	SELECT price, tick_size, quantity_decimals, notional_decimals, min_base, min_quote, market_status, observed_at
	FROM interlock.market_facts WHERE account_id = @account AND market = @market`

func marketFact(ctx context.Context, q querier, account string, market trade.Market) (*trade.PriceFact, *trade.MarketRules, error) {
	row, err := one[marketRow](ctx, q, marketFactSQL, pgx.StrictNamedArgs{"account": account, "market": string(market)})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return &trade.PriceFact{Price: row.Price, ObservedAt: row.ObservedAt},
		&trade.MarketRules{
			TickSize: row.TickSize, QuantityDecimals: row.QuantityDecimals, NotionalDecimals: row.NotionalDecimals,
			MinBase: row.MinBase, MinQuote: row.MinQuote, Status: row.Status,
		}, nil
}

func readMarket(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) (err error) {
	f.Price, f.Rules, err = marketFact(ctx, tx, p.AccountID, p.Market)
	return err
}

func readClock(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	var aheadMS int64
	var at time.Time
	err := tx.QueryRow(ctx, `SELECT ahead_ms, measured_at FROM interlock.exchange_clocks WHERE account_id = $1`, p.AccountID).Scan(&aheadMS, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	f.Clock = &trade.ClockFact{Ahead: time.Duration(aheadMS) * time.Millisecond, MeasuredAt: at}
	return err
}

type pastTradeRow struct {
	Ref     string    `db:"ref"`
	Asset   string    `db:"asset"`
	Side    string    `db:"side"`
	At      time.Time `db:"at"`
	KnownTo []string  `db:"known_to"`
	Open    bool      `db:"open"`
}

// pastTradesSQL is the user's trades on every account, whoever recorded them,
// and the executions that may still become trades. A trade of ours is known
// since its claim, so an override given while it was open still covers it.
const pastTradesSQL = `
	WITH deals AS (
		SELECT coalesce(h.proposal_id, 'trade_history ' || h.id) AS ref, h.asset, h.side, h.counts_from AS at, false AS open,
			CASE WHEN e.id IS NULL THEN h.written_in ELSE e.claimed_in END AS written_in,
			CASE WHEN e.id IS NULL THEN h.written_by ELSE e.claimed_by END AS written_by
		FROM interlock.trade_history h LEFT JOIN interlock.trade_executions e ON e.id = h.execution_id
		WHERE h.user_id = @user AND h.counts_from >= @since
		UNION ALL
		SELECT proposal_id, asset, side, claimed_at, true, claimed_in, claimed_by
		FROM interlock.trade_executions WHERE user_id = @user AND ended_at IS NULL
	)
	SELECT ref, asset, side, at, open, ARRAY(
		SELECT o.id FROM interlock.overrides o
		WHERE o.proposal_id = @proposal AND o.consumed_by IS NULL
			AND interlock.was_visible(d.written_in, d.written_by, o.stored_in, o.saw)) AS known_to
	FROM deals d ORDER BY at DESC`

func readTrades(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	if f.Policy == nil {
		return nil
	}
	rows, err := all[pastTradeRow](ctx, tx, pastTradesSQL, pgx.StrictNamedArgs{
		"user": p.UserID, "proposal": p.ID, "since": f.Policy.Lookback(f.Now),
	})
	for _, r := range rows {
		f.Trades = append(f.Trades, trade.PastTrade{Ref: r.Ref, Asset: r.Asset, Side: trade.Side(r.Side), At: r.At, KnownTo: r.KnownTo, Open: r.Open})
	}
	return err
}

const recentClaimsSQL = `
	SELECT claimed_at FROM interlock.trade_executions
	WHERE account_id = @account AND claimed_at > @since AND status <> 'FAILED'`

func readExecutions(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	if f.Policy == nil || f.Policy.RepeatThrottle.Unlimited {
		return nil
	}
	since := f.Now.Add(-f.Policy.RepeatThrottle.Window.Std())
	rows, err := tx.Query(ctx, recentClaimsSQL, pgx.StrictNamedArgs{"account": p.AccountID, "since": since})
	if err != nil {
		return err
	}
	f.Executions, err = pgx.CollectRows(rows, pgx.RowTo[time.Time])
	return err
}

const unresolvedSQL = `
	SELECT proposal_id FROM interlock.trade_executions
	WHERE account_id = @account AND asset = @asset AND status = 'UNRESOLVED' ORDER BY proposal_id`

func readUnresolved(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	rows, err := tx.Query(ctx, unresolvedSQL, pgx.StrictNamedArgs{"account": p.AccountID, "asset": p.Market.Base()})
	if err != nil {
		return err
	}
	f.UnresolvedOrders, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}

const unknownOrderSQL = `
	SELECT coalesce(min(market || ' ' || order_id), '') FROM interlock.exchange_differences
	WHERE account_id = @account AND client_order_id = @client AND kind <> 'amounts_differ'`

func readUnknownOrder(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	client, err := clientOrderID(ctx, tx, p)
	if err != nil {
		return err
	}
	return tx.QueryRow(ctx, unknownOrderSQL, pgx.StrictNamedArgs{"account": p.AccountID, "client": client}).Scan(&f.UnknownOrder)
}

func clientOrderID(ctx context.Context, tx pgx.Tx, p trade.Proposal) (uuid.UUID, error) {
	var installation uuid.UUID
	err := tx.QueryRow(ctx, `SELECT id FROM interlock.installation`).Scan(&installation)
	return trade.ClientOrderID(installation, p.AccountID, p.UserID, p.ID), err
}

// exposureSQL values what our own trades left on the account at the last price
// (at cost where there is none), and adds every open buy in full. What open
// sells may take is no longer held.
const exposureSQL = `
	WITH positions AS (
		SELECT market,
			greatest(sum(CASE side WHEN 'buy' THEN amount ELSE -amount END), 0) AS base,
			sum(amount_quote) FILTER (WHERE side = 'buy') / nullif(sum(amount) FILTER (WHERE side = 'buy'), 0) AS cost
		FROM interlock.trade_history WHERE account_id = @account AND market IS NOT NULL AND amount IS NOT NULL GROUP BY market
	), valued AS (
		SELECT p.market, p.base * coalesce(f.price, p.cost, 0) AS quote
		FROM positions p LEFT JOIN interlock.market_facts f ON f.account_id = @account AND f.market = p.market
		UNION ALL
		SELECT market, worst_quote FROM interlock.trade_executions
		WHERE account_id = @account AND ended_at IS NULL AND side = 'buy'
	)
	SELECT
		coalesce((SELECT base FROM positions WHERE market = @market), 0)
			- coalesce((SELECT sum(coalesce((plan->>'amount')::numeric, worst_quote / nullif((plan->>'lowestPrice')::numeric, 0)))
				FROM interlock.trade_executions
				WHERE account_id = @account AND market = @market AND ended_at IS NULL AND side = 'sell'), 0) AS held,
		coalesce((SELECT sum(quote) FROM valued WHERE market = @market), 0) AS market,
		coalesce((SELECT sum(quote) FROM valued), 0) AS account`

func readExposure(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	return tx.QueryRow(ctx, exposureSQL, pgx.StrictNamedArgs{"account": p.AccountID, "market": string(p.Market)}).
		Scan(&f.Held, &f.ExposureMarket, &f.ExposureAccount)
}

const lastReconciledSQL = `
	SELECT max(started_at), interlock.comparable_from(@account, @window) FROM interlock.reconciliations
	WHERE account_id = @account AND database_id = interlock.database_id()`

func readReconciled(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	return tx.QueryRow(ctx, lastReconciledSQL, pgx.StrictNamedArgs{"account": p.AccountID, "window": trade.AccessWindow}).
		Scan(&f.ReconciledAt, &f.ComparableFrom)
}
