package paper

import "net/http"

// rules are those options that may change while the exchange runs.
type rules struct {
	RepeatOrderIDs       bool `json:"repeatOrderIds"`
	ClientOrderIDForever bool `json:"clientOrderIdForever"`
}

// setOptions changes those options that are given. Orders that exist keep their
// ids and are found by them.
func setOptions(e *Exchange, r *http.Request) (any, error) {
	in, err := readJSON[struct{ RepeatOrderIDs, ClientOrderIDForever *bool }](r)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	replace(&e.rules.RepeatOrderIDs, in.RepeatOrderIDs)
	replace(&e.rules.ClientOrderIDForever, in.ClientOrderIDForever)
	return e.rules, nil
}

// giveID gives the order its id: one of its market alone or, where ids repeat,
// one that the order of the same rank among the repeating ones of every other
// market has too.
func (e *Exchange) giveID(o *order) {
	if o.Repeats = e.rules.RepeatOrderIDs; o.Repeats {
		o.ID = e.identity("repeated", "", e.orders.repeats[o.Market]+1)
		return
	}
	o.ID = e.identity("order", o.Market, e.orders.perMkt[o.Market]+1)
}
