package forgery

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// mostChanges is how many things a mutated copy has changed.
const mostChanges = 3

// mutated is a copy of JSON with one to three things changed, each to what it
// could also say: another market, a bigger amount, another's claim or order, an
// invented time.
func mutated(r *rand.Rand, l loot, v any) any {
	copied := clone(v)
	for range 1 + r.IntN(mostChanges) {
		places := leaves(&copied)
		if len(places) == 0 {
			return copied
		}
		p := pick(r, places)
		p.put(l.other(r, p.name, p.value))
	}
	return copied
}

// place is one value somewhere in JSON, with a way to replace it.
type place struct {
	name  string // of the field that it is in
	value any
	put   func(any)
}

// leaves lists every place, in an order that depends on nothing but the value.
func leaves(root *any) []place {
	var list []place
	var visit func(name string, v any, put func(any))
	visit = func(name string, v any, put func(any)) {
		list = append(list, place{name, v, put})
		switch v := v.(type) {
		case []any:
			for i := range v {
				visit(name, v[i], func(n any) { v[i] = n })
			}
		case object:
			for _, field := range slices.Sorted(maps.Keys(v)) {
				visit(field, v[field], func(n any) { v[field] = n })
			}
		}
	}
	visit("", *root, func(n any) { *root = n })
	return list[1:]
}

// other is another value for a field, of the kind that it has.
func (l loot) other(r *rand.Rand, name string, v any) any {
	switch name {
	case "claim":
		if c, is := l.claim(r); is {
			return clone(c)
		}
	case "order":
		return clone(l.order(r))
	case "market":
		return pick(r, []string{"BTC-EUR", "ETH-EUR", "SOL-EUR", "ADA-EUR", "NONE-EUR"})
	case "side":
		return pick(r, []string{"buy", "sell"})
	case "proposalId":
		return l.anyProposal(r)
	case "clientOrderId":
		return id(r)
	case "orderId":
		return text(l.order(r), "orderId")
	case "status":
		return pick(r, []string{"new", "filled", "canceled", "rejected", "settling"})
	}
	return otherOfKind(r, v)
}

func otherOfKind(r *rand.Rand, v any) any {
	switch v := v.(type) {
	case bool:
		return !v
	case json.Number:
		return pick(r, []int{0, 1, 2, 99, -1, 1 << 40})
	case []any:
		return []any{}
	case object:
		return object{}
	case string:
		return otherText(r, v)
	}
	return "x"
}

// otherText is another time for a time, another amount for an amount.
func otherText(r *rand.Rand, text string) string {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.Add(pick(r, []time.Duration{-time.Hour, -time.Minute, time.Minute, time.Hour})).Format(time.RFC3339Nano)
	}
	if text != "" && text[0] >= '0' && text[0] <= '9' && len(text) < 24 {
		return pick(r, []string{"0", "0.00000001", "2.5", "1" + text, "99999"})
	}
	return pick(r, []string{"", "x", text + "x"})
}

func clone(v any) any {
	switch v := v.(type) {
	case []any:
		copied := make([]any, len(v))
		for i := range v {
			copied[i] = clone(v[i])
		}
		return copied
	case object:
		copied := object{}
		for name, e := range v {
			copied[name] = clone(e)
		}
		return copied
	}
	return v
}
