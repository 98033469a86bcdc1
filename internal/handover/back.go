package handover

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Done is one execution of ours, with what it traded, if anything.
type Done struct {
	UserID      string          `db:"user_id" json:"userId"`
	ProposalID  string          `db:"proposal_id" json:"proposalId"`
	Market      string          `db:"market" json:"market"`
	Side        trade.Side      `db:"side" json:"side"`
	Amount      decimal.Decimal `db:"amount" json:"amount"` // zero when nothing was filled
	AmountQuote decimal.Decimal `db:"amount_quote" json:"amountQuote"`
	Fee         decimal.Decimal `db:"fee" json:"fee"`
	FeeCurrency string          `db:"fee_currency" json:"feeCurrency"`
	OrderID     string          `db:"order_id" json:"orderId"`
	ExecutedAt  *time.Time      `db:"executed_at" json:"executedAt"` // null when nothing was filled
}

const instantText = "2006-01-02T15:04:05.000000Z07:00"

func (d Done) at() string {
	if d.ExecutedAt == nil {
		return ""
	}
	return d.ExecutedAt.UTC().Format(instantText)
}

// WriteCSV writes every execution, for whatever the earlier system loads.
func WriteCSV(w io.Writer, all []Done) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"user_id", "proposal_id", "market", "side", "amount", "amount_quote", "fee", "fee_currency", "order_id", "executed_at"}}
	for _, d := range all {
		rows = append(rows, []string{d.UserID, d.ProposalID, d.Market, string(d.Side), d.Amount.String(), d.AmountQuote.String(),
			d.Fee.String(), d.FeeCurrency, d.OrderID, d.at()})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// WriteSQL writes statements for the earlier system's database, in the columns
// of its tables that are on record. Its cooldown learns of our trades, and its
// UNIQUE (user_id, proposal_id) refuses those of its proposals that were
// executed here. Applied twice they change nothing.
func WriteSQL(w io.Writer, schema string, all []Done) error {
	table := func(name string) string { return quotedName(schema) + "." + name }
	var out strings.Builder
	out.WriteString("BEGIN;\n")
	for _, d := range all {
		user, proposals, known := quoted(d.UserID), table(TradeProposals), "id::text = "+quoted(d.ProposalID)
		fmt.Fprintf(&out, "INSERT INTO %s (user_id, proposal_id, status) SELECT user_id, id, 'EXECUTED' FROM %s WHERE %s\n"+
			"\tON CONFLICT (user_id, proposal_id) DO NOTHING;\n", table(TradeExecutions), proposals, known)
		fmt.Fprintf(&out, "UPDATE %s SET status = 'EXECUTED' WHERE %s AND status = 'PENDING';\n", proposals, known)
		if d.ExecutedAt == nil {
			continue
		}
		asset, side, at := quoted(trade.Market(d.Market).Base()), quoted(string(d.Side)), quoted(d.at())
		fmt.Fprintf(&out, "INSERT INTO %s (user_id, asset, side, executed_at) SELECT %s, %s, %s, %s\n"+
			"\tWHERE NOT EXISTS (SELECT FROM %s WHERE user_id = %s AND asset = %s AND side = %s AND executed_at = %s);\n",
			table(TradeHistory), user, asset, side, at, table(TradeHistory), user, asset, side, at)
	}
	out.WriteString("COMMIT;\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// quoted keeps what users named from becoming a statement; backslashes are
// plain since standard_conforming_strings.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func quotedName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
