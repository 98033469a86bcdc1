package paper

import (
	"time"

	"github.com/shopspring/decimal"
)

// orderEvent is an order without its fills: those are events of their own.
type orderEvent struct {
	Event string `json:"event"`
	orderView
	Fills *struct{} `json:"fills,omitempty"`
}

type fillEvent struct {
	Event         string           `json:"event"`
	Timestamp     int64            `json:"timestamp"`
	Market        string           `json:"market"`
	OrderID       string           `json:"orderId"`
	ClientOrderID string           `json:"clientOrderId,omitempty"`
	FillID        string           `json:"fillId"`
	Side          string           `json:"side"`
	Amount        decimal.Decimal  `json:"amount"`
	Price         decimal.Decimal  `json:"price"`
	Taker         bool             `json:"taker"`
	Fee           *decimal.Decimal `json:"fee,omitempty"`
	FeeCurrency   string           `json:"feeCurrency,omitempty"`
	OperatorID    int64            `json:"operatorId"`
}

// tellOrder tells an order's account how it is now and what it filled since it
// was last told. A hidden order stays untold as long as reads do not show it.
func (e *Exchange) tellOrder(o *order) {
	now := e.now()
	if o.fate.hide > 0 && !e.visible(o, now) {
		return
	}
	fresh := o.Fills[o.told:]
	o.told = len(o.Fills)
	var frames []frame
	for listener := range e.sessions {
		if !listener.hears(o) {
			continue
		}
		if frames == nil {
			frames = e.orderFrames(o, fresh, now)
		}
		for _, f := range frames {
			listener.push(f)
		}
	}
}

func (s *session) hears(o *order) bool {
	return s.key != nil && s.key.may(View) && s.key.Account == o.Account &&
		(s.subs[subscription{onAccount, "", o.Market}] || s.subs[subscription{onAccount, "", everyMarket}])
}

func (e *Exchange) orderFrames(o *order, fresh []fill, now time.Time) []frame {
	events := []any{orderEvent{Event: "order", orderView: e.view(o, now)}}
	for _, f := range fresh {
		v := e.viewTrade(o, f, now)
		events = append(events, fillEvent{"fill", v.Timestamp, v.Market, v.OrderID, v.ClientOrderID, v.ID, v.Side,
			v.Amount, v.Price, v.Taker, v.Fee, v.FeeCurrency, v.OperatorID})
	}
	frames := make([]frame, 0, len(events))
	for _, event := range events {
		frames = append(frames, frame{text: encoded(event), durable: true})
	}
	return frames
}
