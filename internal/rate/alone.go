package rate

import "time"

// alone begins, or goes on with, this worker's own share: the Ledger did not
// answer. The first turn waits until the last grants of the Ledger are no
// longer counted.
func (b *Budget) alone() Grant {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Clock.Now()
	if b.away.IsZero() {
		b.next = now.Add(Window)
	}
	b.away = now.Add(askAgain)
	return b.own(now)
}

// whileAway answers from the own share until it is time to ask the Ledger.
func (b *Budget) whileAway() (Grant, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Clock.Now()
	if !now.Before(b.away) {
		return Grant{}, false
	}
	return b.own(now), true
}

func (b *Budget) own(now time.Time) Grant {
	if wait := b.next.Sub(now); wait > 0 {
		return Grant{Wait: wait, Reason: "the database does not answer"}
	}
	b.next = now.Add(b.shares.apart())
	b.sent = append(b.recent(now), now)
	return Grant{Granted: true}
}

// apart is the time between two turns of the own share: so many fit into a
// Window that cutOff workers stay within the allowance.
func (s Shares) apart() time.Duration {
	if s.most < cutOff {
		return Window * cutOff / time.Duration(s.most)
	}
	return Window/time.Duration(s.most/cutOff) + 1 // rounded up: else one more fits
}

// spent lists the turns of the own share that still count.
func (b *Budget) spent() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = b.recent(b.cfg.Clock.Now())
	return b.sent
}

func (b *Budget) recent(now time.Time) []time.Time {
	for i, at := range b.sent {
		if now.Sub(at) < Window {
			return b.sent[i:]
		}
	}
	return nil
}

// told ends the time without the Ledger, which now knows of the turns in spent.
func (b *Budget) told(spent []time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = time.Time{}
	for len(spent) > 0 && len(b.sent) > 0 && !b.sent[0].After(spent[len(spent)-1]) {
		b.sent = b.sent[1:]
	}
}
