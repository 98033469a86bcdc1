package paper

import (
	"maps"

	"github.com/shopspring/decimal"
)

// holding is what an account has of one asset.
type holding struct {
	Available decimal.Decimal `json:"available"`
	InOrder   decimal.Decimal `json:"inOrder"`
}

// ledger holds the balances of every account, of the house that trades with
// them, and of the fees. Whatever moves, moves from one to another, so the sum
// per asset only changes when an account is opened.
type ledger struct {
	accounts map[string]map[string]holding
	house    amounts
	fees     amounts
}

// amounts is how much of each asset.
type amounts map[string]decimal.Decimal

func newLedger() *ledger {
	return &ledger{map[string]map[string]holding{}, amounts{}, amounts{}}
}

// openAccount gives a new account its first balances; false if it is known.
func (l *ledger) openAccount(name string, balances amounts) bool {
	if _, known := l.accounts[name]; known {
		return false
	}
	l.accounts[name] = map[string]holding{}
	for asset, amount := range balances {
		l.accounts[name][asset] = holding{Available: amount}
	}
	return true
}

// hold sets an amount aside; false, and nothing changed, if it is not there.
func (l *ledger) hold(account, asset string, amount decimal.Decimal) bool {
	h := l.accounts[account][asset]
	if h.Available.LessThan(amount) {
		return false
	}
	l.set(account, asset, holding{h.Available.Sub(amount), h.InOrder.Add(amount)})
	return true
}

func (l *ledger) release(account, asset string, amount decimal.Decimal) {
	h := l.accounts[account][asset]
	l.set(account, asset, holding{h.Available.Add(amount), h.InOrder.Sub(amount)})
}

func (l *ledger) set(account, asset string, h holding) { l.accounts[account][asset] = h }

// settle moves one trade: gross quote and amount change sides between account
// and house, the fee goes to the fees. What the account gives comes out of its
// hold; returned is how much that was.
func (l *ledger) settle(o *order, m Market, amount, price, fee decimal.Decimal) decimal.Decimal {
	gross := amount.Mul(price)
	gives, gets, given, got := m.Base, m.Quote, amount, gross.Sub(fee)
	if o.buys() {
		gives, gets, given, got = m.Quote, m.Base, gross.Add(fee), amount
		gross, amount = gross.Neg(), amount.Neg()
	}
	from, to := l.accounts[o.Account][gives], l.accounts[o.Account][gets]
	l.set(o.Account, gives, holding{from.Available, from.InOrder.Sub(given)})
	l.set(o.Account, gets, holding{to.Available.Add(got), to.InOrder})
	l.house[m.Base] = l.house[m.Base].Add(amount)
	l.house[m.Quote] = l.house[m.Quote].Sub(gross)
	l.fees[m.Quote] = l.fees[m.Quote].Add(fee)
	return given
}

// note writes the present state of an account, the house and the fees into r.
func (l *ledger) note(r *record, account string) {
	if r.Accounts == nil {
		r.Accounts = map[string]map[string]holding{}
	}
	r.Accounts[account] = l.accounts[account]
	r.House, r.Fees = l.house, l.fees
}

func (l *ledger) apply(r record) {
	for account, holdings := range r.Accounts {
		l.accounts[account] = maps.Clone(holdings)
	}
	if r.House != nil {
		l.house, l.fees = maps.Clone(r.House), maps.Clone(r.Fees)
	}
	if l.fees == nil {
		l.fees = amounts{}
	}
}
