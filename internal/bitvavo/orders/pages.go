package orders

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"interlock/internal/trade"
)

const (
	pageSize = 1000 // the most the exchange gives at once
	maxPages = 200
)

// rows says how to tell the rows of a list apart and when they happened.
// at may be later than the row's place in the exchange's order, never
// earlier: it is where the next page begins.
type rows[R any] struct {
	key    func(R) string
	at     func(R) time.Time
	rising func(first, last R) bool // proof that a page is not newest first
}

// collect reads a newest-first list to its end. Pages overlap on purpose: the
// next one begins a millisecond after the oldest row, so that rows of the same
// millisecond are not lost whether the exchange counts its end as in or out,
// and the end is a page with nothing new, so that a page shorter than asked
// for is not mistaken for the last. A full page with nothing new hides what is
// behind it: that is an error, never an end.
func (r rows[R]) collect(ctx context.Context, ask func(ctx context.Context, before time.Time) ([]R, error)) ([]R, error) {
	all, seen := []R{}, map[string]bool{}
	var before time.Time
	for range maxPages {
		page, err := ask(ctx, before)
		if err != nil {
			return nil, err
		}
		known := len(all)
		all = r.add(all, seen, page)
		switch {
		case len(all) == known && len(page) >= pageSize:
			return nil, fmt.Errorf("more than %d rows at one instant: the list cannot be read to its end", pageSize)
		case len(all) == known:
			return all, nil
		case r.rising(page[0], page[len(page)-1]):
			return nil, fmt.Errorf("list is not newest first: it cannot be read to its end")
		}
		before = r.oldest(page).Add(time.Millisecond)
	}
	return nil, fmt.Errorf("list has more than %d pages", maxPages)
}

func (r rows[R]) add(all []R, seen map[string]bool, page []R) []R {
	for _, row := range page {
		if key := r.key(row); !seen[key] {
			seen[key] = true
			all = append(all, row)
		}
	}
	return all
}

func (r rows[R]) oldest(page []R) time.Time {
	oldest := r.at(page[0])
	for _, row := range page[1:] {
		if at := r.at(row); at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// orderRows pages by the last update: nobody documents whether the exchange
// cuts pages by creation or update, and the later of the two is right for both.
var orderRows = rows[trade.Order]{
	key: func(o trade.Order) string { return o.OrderID },
	at: func(o trade.Order) time.Time {
		if o.UpdatedAt.After(o.CreatedAt) {
			return o.UpdatedAt
		}
		return o.CreatedAt
	},
	rising: func(first, last trade.Order) bool {
		return last.CreatedAt.After(first.CreatedAt) && last.UpdatedAt.After(first.UpdatedAt)
	},
}

var tradeRows = rows[Trade]{
	key:    func(t Trade) string { return t.ID },
	at:     func(t Trade) time.Time { return t.At },
	rising: func(first, last Trade) bool { return last.At.After(first.At) },
}

// pageQuery asks for a page of rows from since on, up to before unless that is
// the zero time.
func pageQuery(market trade.Market, since, before time.Time) url.Values {
	query := url.Values{
		"market": {string(market)},
		"limit":  {strconv.Itoa(pageSize)},
		"start":  {strconv.FormatInt(since.UnixMilli(), 10)},
	}
	if !before.IsZero() {
		query.Set("end", strconv.FormatInt(before.UnixMilli(), 10))
	}
	return query
}
