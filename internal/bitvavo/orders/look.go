package orders

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"interlock/internal/trade"
)

// Look asks the exchange whether the order exists that is searched for: by its
// client order ID, and in open orders, orders and trades since then. NotThere
// needs a clear no from all four; whatever is not a clear answer is
// Inconclusive. It returns no error and recovers panics.
func (c *Client) Look(ctx context.Context, what trade.Search) (look trade.Lookup) {
	defer func() {
		if p := recover(); p != nil {
			look = trade.Lookup{Result: trade.Inconclusive, ExchangeTime: look.ExchangeTime, Detail: clip(fmt.Sprintf("panic while looking: %v", p))}
		}
		look.Detail = c.keys.scrub(look.Detail)
	}()
	now, err := c.Time(ctx)
	if err != nil {
		return trade.Lookup{Result: trade.Inconclusive, Detail: clip(err.Error())}
	}
	look.ExchangeTime = now
	s := search{client: c, market: what.Market, side: what.Side, id: what.ClientOrderID, known: what.Known}
	if what.Since.After(now) {
		// Lists that begin in the future are empty whatever happened.
		s.doubtf("lists from %s would begin after the exchange's own time", what.Since)
	}
	s.byClientID(ctx)
	s.inOpenOrders(ctx)
	s.inOrders(ctx, what.Since)
	s.inTrades(ctx, what.Since)
	look.Result, look.Orders, look.Detail = s.sighting(), s.orders, strings.Join(s.notes, "; ")
	return look
}

// search gathers what one look saw.
type search struct {
	client *Client
	market trade.Market
	side   trade.Side
	id     uuid.UUID
	known  []string // order IDs of other proposals

	orders []trade.Order // one per order ID
	doubts int
	notes  []string
}

// sighting lets a find outweigh doubts, and a doubt outweigh any number of
// empty lists.
func (s *search) sighting() trade.LookupResult {
	switch {
	case len(s.orders) > 0:
		return trade.Found
	case s.doubts > 0:
		return trade.Inconclusive
	}
	return trade.NotThere
}

func (s *search) notef(format string, args ...any) {
	s.notes = append(s.notes, clip(fmt.Sprintf(format, args...)))
}

func (s *search) doubtf(format string, args ...any) {
	s.doubts++
	s.notef(format, args...)
}

// byClientID believes a no only with errorCode 240: an HTTP 404 alone is what
// a wrong path answers.
func (s *search) byClientID(ctx context.Context) {
	o, err := s.client.order(ctx, url.Values{"market": {string(s.market)}, "clientOrderId": {s.id.String()}})
	switch {
	case hasCode(err, codeNotFound):
		s.notef("by ID: none (240)")
	case err != nil:
		s.doubtf("by ID: %v", err)
	case o.Market != s.market || !bears(o.ClientOrderID, s.id):
		s.doubtf("by ID: the reply is order %q of %q as %q", o.OrderID, o.Market, o.ClientOrderID)
	default:
		s.found(o)
		s.notef("by ID: order %s", o.OrderID)
	}
}

func (s *search) inOpenOrders(ctx context.Context) {
	list, err := s.client.openOrders(ctx, url.Values{"market": {string(s.market)}})
	s.sift("open orders", list, err)
}

func (s *search) inOrders(ctx context.Context, since time.Time) {
	list, err := s.client.Orders(ctx, s.market, since)
	s.sift("orders", list, err)
}

func (s *search) sift(where string, list []trade.Order, err error) {
	if err != nil {
		s.doubtf("%s: %v", where, err)
		return
	}
	matches := 0
	for _, o := range list {
		switch {
		case o.Market != s.market:
			s.doubtf("%s: got one of %q", where, o.Market)
		case bears(o.ClientOrderID, s.id):
			matches++
			s.found(o)
		case s.couldBe(o):
			s.doubtf("%s: order %s of our operator says no client order ID", where, o.OrderID)
		}
	}
	s.notef("%s: %d of %d", where, matches, len(list))
}

// couldBe reports whether an order that does not say which it is could be the
// one that is searched for.
func (s *search) couldBe(o trade.Order) bool {
	return o.ClientOrderID == "" && o.OperatorID == s.client.operator && o.Side == s.side && !slices.Contains(s.known, o.OrderID)
}

func (s *search) inTrades(ctx context.Context, since time.Time) {
	list, err := s.client.Trades(ctx, s.market, since)
	if err != nil {
		s.doubtf("trades: %v", err)
		return
	}
	matches := 0
	for _, t := range list {
		if bears(t.ClientOrderID, s.id) {
			matches++
			s.behind(ctx, t)
		}
	}
	s.notef("trades: %d of %d", matches, len(list))
}

// behind fetches the order of a trade that bears our ID, when nothing else has
// shown it. A trade without its order is a contradiction, not an absence.
func (s *search) behind(ctx context.Context, t Trade) {
	if s.has(t.OrderID) {
		return
	}
	o, err := s.client.Order(ctx, s.market, t.OrderID)
	switch {
	case err != nil:
		s.doubtf("trade %s is of order %s: %v", t.ID, t.OrderID, err)
	case o.ClientOrderID != "" && !bears(o.ClientOrderID, s.id):
		s.doubtf("trade %s bears our ID, its order %s bears %q", t.ID, o.OrderID, o.ClientOrderID)
	default:
		s.found(o)
	}
}

func (s *search) found(o trade.Order) {
	if !s.has(o.OrderID) {
		s.orders = append(s.orders, o)
	}
}

func (s *search) has(orderID string) bool {
	for _, o := range s.orders {
		if o.OrderID == orderID {
			return true
		}
	}
	return false
}
