package cli

import (
	"context"
	"fmt"
	"strings"

	"interlock/internal/postgres"
)

// listDifferences shows nothing but what the exchange has and the records deny.
func (a *app) listDifferences(ctx context.Context, store *postgres.Store, account string) error {
	found, err := store.Differences(ctx, account)
	if err != nil {
		return err
	}
	if !a.json && len(found) == 0 {
		fmt.Fprintln(a.out, "exchange and records agree, as far as they were compared")
		return nil
	}
	return a.show(found, differencesTable(found))
}

func differencesTable(found []postgres.DifferenceView) *table {
	t := &table{header: []string{"DIFFERS", "PROPOSAL", "ORDER AT THE EXCHANGE"}}
	for _, d := range found {
		t.add(d.Kind, d.ProposalID, differenceText(d))
	}
	return t
}

func differenceText(d postgres.DifferenceView) string {
	o := d.Order
	amount := o.Amount.String() + " " + o.Market.Base()
	if o.Amount.IsZero() {
		amount = o.AmountQuote.String() + " " + o.Market.Quote()
	}
	return strings.Join([]string{
		d.OrderID + ":", string(o.Side), amount, "in", d.Market + ",", string(o.Status) + ",",
		"filled", o.FilledAmount.String() + ";", d.Detail + ";", "seen", clock(d.FirstSeenAt), "to", clock(d.LastSeenAt),
	}, " ")
}
