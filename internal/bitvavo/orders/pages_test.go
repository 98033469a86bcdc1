package orders

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"interlock/internal/trade"
)

// book is an exchange's list of orders, cut into pages in any of the ways the
// documentation leaves open.
type book struct {
	orders   []trade.Order
	most     int  // rows of a page, perhaps fewer than asked for
	byUpdate bool // cut and sorted by update instead of creation
	inside   bool // the end itself belongs to the page
}

func (b book) at(o trade.Order) time.Time {
	if b.byUpdate {
		return o.UpdatedAt
	}
	return o.CreatedAt
}

func (b book) page(_ context.Context, before time.Time) ([]trade.Order, error) {
	var page []trade.Order
	for _, o := range b.orders {
		at := b.at(o)
		if before.IsZero() || at.Before(before) || b.inside && at.Equal(before) {
			page = append(page, o)
		}
	}
	slices.SortStableFunc(page, func(x, y trade.Order) int { return b.at(y).Compare(b.at(x)) })
	return page[:min(b.most, len(page))], nil
}

func TestPagesMissNothingHoweverTheExchangeCutsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := book{
			most:     rapid.IntRange(4, 12).Draw(t, "most"),
			byUpdate: rapid.Bool().Draw(t, "byUpdate"),
			inside:   rapid.Bool().Draw(t, "inside"),
		}
		// No three rows within two milliseconds: a page always reaches past its end.
		gap := rapid.IntRange(1, 50)
		created, updated := venueTime, venueTime
		for i := range rapid.IntRange(0, 60).Draw(t, "orders") {
			created = created.Add(time.Duration(gap.Draw(t, "gap")) * time.Millisecond)
			updated = maxTime(updated, created).Add(time.Duration(gap.Draw(t, "later")) * time.Millisecond)
			b.orders = append(b.orders, trade.Order{OrderID: strconv.Itoa(i), CreatedAt: created, UpdatedAt: updated})
		}
		if rapid.Bool().Draw(t, "untouched") {
			for i := range b.orders {
				b.orders[i].UpdatedAt = b.orders[i].CreatedAt
			}
		}

		got, err := orderRows.collect(context.Background(), b.page)

		if err != nil {
			t.Fatalf("%v", err)
		}
		if len(got) != len(b.orders) {
			t.Fatalf("%d of %d orders", len(got), len(b.orders))
		}
	})
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func tradesAt(times ...int) []Trade {
	var list []Trade
	for i, ms := range times {
		list = append(list, Trade{Fill: trade.Fill{ID: strconv.Itoa(i), At: venueTime.Add(time.Duration(ms) * time.Millisecond)}})
	}
	return list
}

func TestFullPageOfOneInstantIsAnErrorNotAnEnd(t *testing.T) {
	same := tradesAt(make([]int, pageSize)...)
	_, err := tradeRows.collect(context.Background(), func(context.Context, time.Time) ([]Trade, error) { return same, nil })
	require.ErrorContains(t, err, "to its end")
}

func TestShortPageThatRepeatsIsTheEnd(t *testing.T) {
	same := tradesAt(3, 2, 1)
	got, err := tradeRows.collect(context.Background(), func(context.Context, time.Time) ([]Trade, error) { return same, nil })
	require.NoError(t, err)
	require.Len(t, got, 3)
}

func TestOldestFirstListIsAnErrorBecauseItsEndIsElsewhere(t *testing.T) {
	_, err := tradeRows.collect(context.Background(), func(context.Context, time.Time) ([]Trade, error) { return tradesAt(1, 2, 3), nil })
	require.ErrorContains(t, err, "newest first")
}

func TestListWithoutEndIsGivenUp(t *testing.T) {
	n := 0
	_, err := tradeRows.collect(context.Background(), func(context.Context, time.Time) ([]Trade, error) {
		n++
		return []Trade{{Fill: trade.Fill{ID: strconv.Itoa(n), At: venueTime.Add(-time.Duration(n) * time.Second)}}}, nil
	})
	require.ErrorContains(t, err, "pages")
	require.Equal(t, maxPages, n)
}

func TestErrorOnALaterPageLosesTheWholeList(t *testing.T) {
	broken := errors.New("broken")
	_, err := tradeRows.collect(context.Background(), func(_ context.Context, before time.Time) ([]Trade, error) {
		if before.IsZero() {
			return tradesAt(3, 2, 1), nil
		}
		return nil, broken
	})
	require.ErrorIs(t, err, broken)
}

// pagedTrades serves n trades, a second apart, as the exchange documents it.
func pagedTrades(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		end, err := strconv.ParseInt(r.URL.Query().Get("end"), 10, 64)
		if err != nil {
			end = 1 << 60
		}
		var rows []string
		for i := n; i > 0 && len(rows) < limit; i-- {
			if at := venueTime.UnixMilli() + int64(i)*1000; at <= end {
				rows = append(rows, fmt.Sprintf(`{"id":"t%d","orderId":"o%d","timestamp":%d,"market":"BTC-EUR","side":"sell","amount":"1","price":"2","taker":false,"fee":"-0.1","feeCurrency":"EUR","settled":true}`, i, i, at))
			}
		}
		says(200, "["+strings.Join(rows, ",")+"]")(w, r)
	}
}

func TestTradesAreReadToTheEnd(t *testing.T) {
	for _, n := range []int{0, 1, 999, 1000, 1001, 2500} {
		v := newVenue(t)
		v.on("GET /v2/trades", pagedTrades(n))
		list, err := v.client.Trades(ctx(t), "BTC-EUR", venueTime)
		require.NoError(t, err)
		require.Len(t, list, n)
	}
}

func TestOurTradeOnTheLastPageIsSeen(t *testing.T) {
	v := newEmptyVenue(t)
	old := strings.Replace(tradeJSON("t-0", "o-1", testID.String()), "1548172481250", strconv.FormatInt(venueTime.UnixMilli(), 10), 1)
	many := pagedTrades(1500)
	v.on("GET /v2/trades", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("end") == strconv.FormatInt(venueTime.UnixMilli()+1001, 10) {
			says(200, `[`+old+`]`)(w, r)
			return
		}
		many(w, r)
	})
	look := v.look(t)
	require.Equal(t, trade.Inconclusive, look.Result, "a trade of ours whose order is unknown")
	require.Contains(t, look.Detail, "t-0")
}
