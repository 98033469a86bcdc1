package orders

import (
	"context"
	"errors"
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
// Nobody documents whether pages of orders are cut by creation or by update;
// first and last are both instants, equal where there is only one.
type rows[R any] struct {
	key   func(R) string
	first func(R) time.Time
	last  func(R) time.Time
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
		next := r.next(all, len(all) > known)
		switch {
		case len(page) > 0 && r.rising(page[0], page[len(page)-1]):
			return nil, errors.New("list is not newest first: it cannot be read to its end")
		case len(all) > known, len(all) > 0 && next.Before(before):
			before = next
		case len(page) >= pageSize:
			return nil, fmt.Errorf("%d rows or more at one instant: the list cannot be read to its end", pageSize)
		default:
			return all, nil
		}
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

// next is where the following page begins: after the oldest update, which is
// right for lists cut by update and skips nothing of those cut by creation;
// when that shows nothing new, after the oldest creation.
func (r rows[R]) next(all []R, progress bool) time.Time {
	at := r.first
	if progress {
		at = r.last
	}
	var oldest time.Time
	for i, row := range all {
		if i == 0 || at(row).Before(oldest) {
			oldest = at(row)
		}
	}
	return oldest.Add(time.Millisecond)
}

// rising proves that a page that starts and ends like this is not newest first.
func (r rows[R]) rising(head, tail R) bool {
	return r.first(tail).After(r.first(head)) && r.last(tail).After(r.last(head))
}

var orderRows = rows[trade.Order]{
	key:   func(o trade.Order) string { return o.OrderID },
	first: func(o trade.Order) time.Time { return o.CreatedAt },
	last: func(o trade.Order) time.Time {
		if o.UpdatedAt.After(o.CreatedAt) {
			return o.UpdatedAt
		}
		return o.CreatedAt
	},
}

var tradeRows = rows[Trade]{
	key:   func(t Trade) string { return t.ID },
	first: func(t Trade) time.Time { return t.At },
	last:  func(t Trade) time.Time { return t.At },
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
