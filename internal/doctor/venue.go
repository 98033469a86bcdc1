package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"interlock/internal/config"
	"interlock/internal/trade"
)

// venue is what the exchange said.
type venue struct {
	err   error
	ahead time.Duration // of its clock to this machine's
	took  time.Duration // to ask for it: ahead is known to half of that
	keys  []rights
}

// rights is what a key may.
type rights struct {
	view, trade       bool
	viewErr, tradeErr error
}

func (s Subject) visit(ctx context.Context) (v venue) {
	if s.Exchange == nil {
		return v
	}
	if _, v.err = s.Exchange.Clock(ctx); v.err != nil { // opens the connection that is measured next
		return v
	}
	asked := time.Now()
	now, err := s.Exchange.Clock(ctx)
	if v.err = err; err != nil {
		return v
	}
	v.took = time.Since(asked)
	v.ahead = now.Sub(asked.Add(v.took / 2))
	v.keys = make([]rights, len(s.Exchange.Keys))
	for i, key := range s.Exchange.Keys {
		k := &v.keys[i]
		k.view, k.viewErr = key.Probe.MayView(ctx)
		k.trade, k.tradeErr = key.Probe.MayTrade(ctx)
	}
	return v
}

func (s Subject) judgeVenue(r *report, v venue, db records) {
	if s.Exchange == nil {
		return
	}
	s.judgeAccount(r, db)
	if v.err != nil {
		r.add("exchange", Fail, fmt.Sprintf("%s does not answer: %v", s.Exchange.URL, v.err), "correct BITVAVO_REST_URL, or wait for the exchange: nothing trades meanwhile")
		r.blind("clock", "the exchange does not answer", "mend the exchange first")
	} else {
		r.okf("exchange", "%s answers", s.Exchange.URL)
		if took := v.took + db.found.Took; took > trade.MaxClockSkew {
			tooSlow(r, took)
		} else {
			s.judgeClocks(r, v.ahead, db)
		}
	}
	for i, key := range s.Exchange.Keys {
		if v.err != nil {
			r.blind("view permission", "the exchange does not answer", "mend the exchange first")
			r.blind("trade permission", "the exchange does not answer", "mend the exchange first")
		} else {
			judgeView(r, key, v.keys[i])
			judgeTrade(r, key, v.keys[i])
		}
		s.judgeWithdrawal(r, key)
	}
	if len(s.Exchange.Keys) == 0 {
		r.add("view permission", Warn, "there is no read-only key: prices are read, and every scan fails at the balances", "set BITVAVO_READONLY_KEY_FILE and BITVAVO_READONLY_SECRET_FILE")
	}
}

// tooSlow is a comparison of clocks that took so long that it tells nothing.
func tooSlow(r *report, took time.Duration) {
	r.blind("clock", fmt.Sprintf("asking for the time took %s, too long to tell", took.Round(time.Millisecond)), "look again when this machine is less busy")
}

// judgeClocks compares exchange and database, which trading rests on, and this
// machine, by whose clock reads are signed and times are shown.
func (s Subject) judgeClocks(r *report, ahead time.Duration, db records) {
	const check = "clock"
	here := fmt.Sprintf("the exchange is %s this machine", apart(ahead))
	if db.err != nil {
		r.blind(check, "the database does not answer; "+here, "mend the database first")
		return
	}
	apartBy := ahead - db.found.Ahead
	between := fmt.Sprintf("the exchange is %s the database", apart(apartBy))
	switch {
	case apartBy.Abs() > trade.MaxClockSkew:
		r.add(check, Fail, between+": every execute is blocked by CLOCK_SKEW", setClocks+", the database's first")
	case ahead.Abs() > trade.MaxClockSkew && s.hosts(config.Scans):
		r.add(check, Fail, here+", by whose clock its reads are signed", setClocks)
	case ahead.Abs() > trade.MaxClockSkew:
		r.add(check, Warn, here, setClocks)
	default:
		r.okf(check, "%s, and %s this machine", between, apart(ahead))
	}
}

// unanswered is a permission that could not be found out.
func unanswered(r *report, check string, key Key, err error) {
	if errors.Is(err, ErrKey) {
		r.add(check, Fail, fmt.Sprintf("the %s: %v", key.Name, err), "look at the key in the exchange's settings: active, confirmed, this machine's address allowed; and at key and secret here")
		return
	}
	r.blind(check, fmt.Sprintf("the %s: %v", key.Name, err), "look again later")
}

func judgeView(r *report, key Key, k rights) {
	const check = "view permission"
	switch {
	case k.viewErr != nil:
		unanswered(r, check, key, k.viewErr)
	case !k.view:
		r.add(check, Fail, fmt.Sprintf("the %s may not view the account", key.Name), "give it the view permission in the exchange's settings")
	default:
		r.okf(check, "the %s may view the account", key.Name)
	}
}

func judgeTrade(r *report, key Key, k rights) {
	const check = "trade permission"
	switch {
	case k.tradeErr != nil:
		unanswered(r, check, key, k.tradeErr)
	case key.Trade && !k.trade:
		r.add(check, Fail, fmt.Sprintf("the %s may not trade", key.Name), "give it the trade permission in the exchange's settings, and never the withdraw permission")
	case key.Trade:
		r.okf(check, "the %s may trade", key.Name)
	case k.trade:
		r.add(check, Fail, fmt.Sprintf("the %s may trade, and a role that talks to a model holds it", key.Name), "revoke it, and make one that may view and nothing else")
	default:
		r.okf(check, "the %s may not trade", key.Name)
	}
}

// judgeWithdrawal never asks: the question itself would be a withdrawal.
func (s Subject) judgeWithdrawal(r *report, key Key) {
	const check = "withdrawal"
	if s.Exchange.Live {
		r.add(check, Unknown, fmt.Sprintf("whether the %s may withdraw is never asked", key.Name), "check in Bitvavo's settings that it may not, and that only this machine's address may use it")
		return
	}
	r.okf(check, "never asked; paper money goes nowhere")
}
