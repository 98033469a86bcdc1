package verify

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// fillsAgree compares the fills of the exchange with order_fills, one to one,
// and the sums of either with what was recorded.
func fillsAgree(c *inquiry) {
	c.ledgerSums()
	recorded := map[OrderKey]map[string]FillRow{}
	for _, f := range c.r.Fills {
		if f.AccountID != c.o.Account {
			continue
		}
		key := OrderKey{f.Market, f.OrderID}
		if recorded[key] == nil {
			recorded[key] = map[string]FillRow{}
		}
		if _, twice := recorded[key][f.FillID]; twice {
			c.reportf(FillsRecorded, f.FillID, "it is recorded twice")
		}
		recorded[key][f.FillID] = f
		if e := c.executions[f.ExecutionID]; e.Status != executed || e.Market != f.Market || orEmpty(e.OrderID) != f.OrderID {
			c.reportf(FillsRecorded, f.FillID, "it is of order %s, which execution %d (%s) did not record", key, f.ExecutionID, e.Status)
		}
	}
	for _, e := range c.accountExecutions() {
		o, there := c.orderOf(e)
		if e.Status != executed && (!e.FilledAmount.IsZero() || !e.FilledQuote.IsZero() || !e.FeePaid.IsZero() || e.FeeCurrency != "" || e.OrderStatus != nil) {
			c.reportf(SumsRecorded, e.ProposalID, "it is %s and says that %s was filled for %s", e.Status, e.FilledAmount, e.FilledQuote)
		}
		if !there || e.Status != executed {
			continue
		}
		if !c.excused[o.Key()] {
			c.fillsOf(o, recorded[o.Key()])
			c.sumsOf(o, e)
		}
	}
}

func (c *inquiry) fillsOf(o Order, recorded map[string]FillRow) {
	at := map[string]bool{}
	for _, f := range o.Fills {
		at[f.ID] = true
		row, there := recorded[f.ID]
		switch want := fillRow(f); {
		case !there:
			c.reportf(FillsRecorded, f.ID, "fill of order %s is not recorded", o.Key())
		case f.Fee == nil:
			c.reportf(FillsRecorded, f.ID, "fill of order %s is not settled yet", o.Key())
		case want != fillRow(Fill{row.FillID, row.FilledAt, row.Amount, row.Price, row.Taker, &row.Fee, row.FeeCurrency}):
			c.reportf(FillsRecorded, f.ID, "at the exchange: %s; recorded: %s", want,
				fillRow(Fill{row.FillID, row.FilledAt, row.Amount, row.Price, row.Taker, &row.Fee, row.FeeCurrency}))
		}
	}
	for id := range recorded {
		if !at[id] {
			c.reportf(FillsRecorded, id, "order %s has no such fill", o.Key())
		}
	}
}

// fillRow is all that a fill says, so that two can be compared and shown.
func fillRow(f Fill) string {
	return fmt.Sprintf("%s at %s, fee %s %s, taker %t, %s", f.Amount, f.Price, show(f.Fee), f.FeeCurrency, f.Taker, f.At.UTC().Format(time.RFC3339Nano))
}

func (c *inquiry) sumsOf(o Order, e ExecutionRow) {
	if !e.FilledAmount.Equal(o.FilledAmount) || !e.FilledQuote.Equal(o.FilledQuote) || !e.FeePaid.Equal(o.FeePaid) ||
		o.FilledAmount.IsPositive() && e.FeeCurrency != o.FeeCurrency {
		c.reportf(SumsRecorded, e.ProposalID, "order %s: %s for %s, fee %s %s; recorded: %s for %s, fee %s %s", o.Key(),
			o.FilledAmount, o.FilledQuote, o.FeePaid, o.FeeCurrency, e.FilledAmount, e.FilledQuote, e.FeePaid, e.FeeCurrency)
	}
}

// ledgerSums holds the exchange to its own fills.
func (c *inquiry) ledgerSums() {
	seen := map[OrderKey]OrderKey{}
	for _, o := range c.l.Orders {
		amount, quote, fee, settled := o.sums()
		if !amount.Equal(o.FilledAmount) || !quote.Equal(o.FilledQuote) || settled && !fee.Equal(o.FeePaid) {
			c.reportf(LedgerAddsUp, o.Key().String(), "its fills are %s for %s, fee %s; it says %s for %s, fee %s",
				amount, quote, fee, o.FilledAmount, o.FilledQuote, o.FeePaid)
		}
		if gives := map[bool]string{true: quoteOf(o.Market), false: baseOf(o.Market)}[o.Side == buy]; o.OnHoldAsset != gives || o.FeeCurrency != quoteOf(o.Market) {
			c.reportf(LedgerAddsUp, o.Key().String(), "a %s holds %s and pays its fee in %s", o.Side, o.OnHoldAsset, o.FeeCurrency)
		}
		for _, f := range o.Fills {
			if f.Fee != nil && f.FeeCurrency != o.FeeCurrency {
				c.reportf(LedgerAddsUp, o.Key().String(), "the fee of fill %s is in %s", f.ID, f.FeeCurrency)
			}
			id := OrderKey{o.Market, f.ID}
			if other, twice := seen[id]; twice {
				c.reportf(LedgerAddsUp, o.Key().String(), "fill %s is also of order %s", f.ID, other)
			}
			seen[id] = o.Key()
		}
	}
}

// sums adds the fills of an order up; settled is whether all have their fee.
func (o Order) sums() (amount, quote, fee decimal.Decimal, settled bool) {
	settled = true
	for _, f := range o.Fills {
		amount, quote = amount.Add(f.Amount), quote.Add(f.Amount.Mul(f.Price))
		if f.Fee == nil {
			settled = false
			continue
		}
		fee = fee.Add(*f.Fee)
	}
	return amount, quote, fee, settled
}

// lastFill is when an order last traded; the zero time when it never did.
func (o Order) lastFill() time.Time {
	var last time.Time
	for _, f := range o.Fills {
		if f.At.After(last) {
			last = f.At
		}
	}
	return last
}

// tradesAgree compares trade_history with the orders that filled.
func tradesAgree(c *inquiry) {
	rows := map[int64][]TradeRow{}
	for _, t := range c.r.Trades {
		if t.ExecutionID != nil {
			rows[*t.ExecutionID] = append(rows[*t.ExecutionID], t)
		}
	}
	for id := range rows {
		if _, known := c.executions[id]; !known {
			c.reportf(TradeRecorded, fmt.Sprint("execution ", id), "there is a trade of an execution that does not exist")
		}
	}
	for _, e := range c.accountExecutions() {
		o, there := c.orderOf(e)
		if there && c.excused[o.Key()] {
			continue
		}
		want := 0
		if there && e.Status == executed && o.FilledAmount.IsPositive() {
			want = 1
		}
		if len(rows[e.ID]) != want {
			c.reportf(TradeRecorded, e.ProposalID, "it has %d trades and should have %d", len(rows[e.ID]), want)
			continue
		}
		for _, t := range rows[e.ID] {
			c.tradeIs(o, e, t)
		}
	}
}

func (c *inquiry) tradeIs(o Order, e ExecutionRow, t TradeRow) {
	switch {
	case t.UserID != e.UserID || orEmpty(t.AccountID) != e.AccountID || orEmpty(t.ProposalID) != e.ProposalID ||
		orEmpty(t.Market) != o.Market || t.Asset != baseOf(o.Market) || t.Side != o.Side:
		c.reportf(TradeRecorded, e.ProposalID, "its trade is a %s of %s in %s by %s", t.Side, t.Asset, orEmpty(t.Market), t.UserID)
	case !same(t.Amount, &o.FilledAmount) || !same(t.AmountQuote, &o.FilledQuote) || !same(t.Fee, &o.FeePaid) || orEmpty(t.FeeCurrency) != o.FeeCurrency:
		c.reportf(TradeRecorded, e.ProposalID, "order %s: %s for %s, fee %s %s; its trade: %s for %s, fee %s %s", o.Key(),
			o.FilledAmount, o.FilledQuote, o.FeePaid, o.FeeCurrency, show(t.Amount), show(t.AmountQuote), show(t.Fee), orEmpty(t.FeeCurrency))
	case !t.ExecutedAt.Equal(o.lastFill()):
		c.reportf(TradeRecorded, e.ProposalID, "order %s last traded at %s, recorded is %s", o.Key(),
			o.lastFill().UTC().Format(time.RFC3339Nano), t.ExecutedAt.UTC().Format(time.RFC3339Nano))
	}
}
