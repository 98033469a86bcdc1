package paper

import (
	"encoding/json"
	"slices"
	"strings"
)

// subscription is one market of one channel; candles have an interval too.
type subscription struct{ channel, interval, market string }

const (
	onAccount = "account"
	onTicker  = "ticker"
	onDay     = "ticker24h"
	onBook    = "book"
	onCandles = "candles"
	onTrades  = "trades"

	everyMarket = "*"
)

// channel is one as a message names it.
type channel struct {
	Name     string `json:"name"`
	Interval oneOr  `json:"interval"`
	Markets  oneOr  `json:"markets"`
}

// oneOr is a list, or its only member.
type oneOr []string

func (o *oneOr) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOr{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

// channels reads the channels of a message.
func (m *message) channels() ([]channel, error) {
	m.need("channels")
	var channels []channel
	if m.err == nil && (json.Unmarshal(m.raw["channels"], &channels) != nil || len(channels) == 0) {
		m.fail(invalid("channels"))
	}
	for name := range m.raw {
		if name != "channels" {
			m.fail(refusef(codeBodyParam, "Body parameter %s is not accepted.", name))
		}
	}
	return channels, m.err
}

// subscribe adds to what the socket is told. Of a message with anything wrong
// nothing is added. From here on it is told what changes, not what is.
func (s *session) subscribe(m *message) error {
	channels, err := m.channels()
	if err != nil {
		return err
	}
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	var added []subscription
	for _, c := range channels {
		of, err := s.expand(c)
		if err != nil {
			return err
		}
		added = append(added, of...)
	}
	s.e.catchUp(s.e.now())
	for _, one := range added {
		s.subs[one] = true
		s.e.watch(one)
	}
	s.acknowledge("subscribed", m)
	return nil
}

// expand lists what a channel's name, intervals and markets come to.
func (s *session) expand(c channel) ([]subscription, error) {
	if !slices.Contains([]string{onAccount, onTicker, onDay, onBook, onCandles, onTrades}, c.Name) {
		return nil, invalid("channels")
	}
	if c.Name == onAccount {
		if err := (endpoint{needs: View}).permits(s.key); err != nil {
			return nil, err
		}
	}
	intervals := []string(c.Interval)
	if c.Name != onCandles {
		intervals = []string{""}
	}
	if len(c.Markets) == 0 {
		return nil, missing("markets")
	}
	if len(intervals) == 0 {
		return nil, missing("interval")
	}
	return s.product(c, intervals)
}

func (s *session) product(c channel, intervals []string) ([]subscription, error) {
	var all []subscription
	for _, market := range c.Markets {
		if _, err := s.e.market(market); err != nil && (c.Name != onAccount || market != everyMarket) {
			return nil, err
		}
		for _, interval := range intervals {
			if _, known := intervalStart(interval); !known && c.Name == onCandles {
				return nil, invalid("interval")
			}
			all = append(all, subscription{c.Name, interval, market})
		}
	}
	return all, nil
}

// unsubscribe takes away what the message names; candles without an interval
// are those of every interval. What was not subscribed is not missed.
func (s *session) unsubscribe(m *message) error {
	channels, err := m.channels()
	if err != nil {
		return err
	}
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	for sub := range s.subs {
		if slices.ContainsFunc(channels, func(c channel) bool { return c.covers(sub) }) {
			delete(s.subs, sub)
		}
	}
	s.acknowledge("unsubscribed", m)
	return nil
}

func (c channel) covers(s subscription) bool {
	return c.Name == s.channel && slices.Contains(c.Markets, s.market) &&
		(len(c.Interval) == 0 || slices.Contains(c.Interval, s.interval))
}

// acknowledge lists everything that the socket is subscribed to.
func (s *session) acknowledge(event string, m *message) {
	all := map[string]any{}
	for _, sub := range sorted(s.subs) {
		if sub.channel != onCandles {
			markets, _ := all[sub.channel].([]string)
			all[sub.channel] = append(markets, sub.market)
			continue
		}
		if all[onCandles] == nil {
			all[onCandles] = map[string][]string{}
		}
		candles := all[onCandles].(map[string][]string)
		candles[sub.interval] = append(candles[sub.interval], sub.market)
	}
	s.push(frame{text: encoded(struct {
		Event         string          `json:"event"`
		ID            json.RawMessage `json:"requestId,omitempty"`
		Subscriptions map[string]any  `json:"subscriptions"`
	}{event, m.id, all})})
}

func sorted(subs map[subscription]bool) []subscription {
	list := make([]subscription, 0, len(subs))
	for s := range subs {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b subscription) int {
		return strings.Compare(joined(a.channel, a.interval, a.market), joined(b.channel, b.interval, b.market))
	})
	return list
}
