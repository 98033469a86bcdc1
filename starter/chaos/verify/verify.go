// Package verify judges a run from the outside: it holds what the exchange
// says against what our database says and names every contradiction. It owns
// its own reading of both, its own arithmetic and its own copy of every
// definition, and imports no other package of this module, so that a bug it is
// looking for cannot also be in its judgement. It refuses to repair, to wait,
// and to know how the run was made.
package verify

import (
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Violation is one promise that was broken. Rule is a name from Rules.
type Violation struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"` // the order, proposal, attempt or audit row it is about
	Detail  string `json:"detail"`
}

// Options is what the records and the ledger cannot tell.
type Options struct {
	// Account is the account's name in our records, Holder its name at the
	// exchange.
	Account, Holder string
	// Start is what Holder had of every asset before anything traded. An asset
	// that is missing here was not there.
	Start map[string]decimal.Decimal
	// Foreign are the orders at the exchange that other programs placed on
	// purpose. They move balances; our records need not know them.
	Foreign []OrderKey
	// Restored says that the database was set back to an earlier copy. What it
	// lists as a difference with the exchange is then no violation; what it does
	// not list still is.
	Restored bool
	// Grace is added to the last deadline + 2L before the exchange's silence
	// counts as its answer: as long as looks could not be made.
	Grace time.Duration
	// Drift is how far a price may move, as a part of itself, between two
	// statements of one preflight: positions are valued that much lower before
	// exposure is called exceeded.
	Drift decimal.Decimal
	// NoneVerified says that nobody who proved who they are gave an override.
	NoneVerified bool
	// Heard is what a service that was told everything heard, in the order in
	// which it arrived. Nil: none was told.
	Heard []Heard
}

// OrderKey names an order at the exchange: order IDs repeat across markets.
type OrderKey struct{ Market, OrderID string }

func (k OrderKey) String() string { return k.Market + " " + k.OrderID }

// Check compares ledger and records and returns every violation, sorted by
// rule and subject; none means that everything adds up.
func Check(l Ledger, r Records, o Options) []Violation {
	c := newInquiry(l, r, o)
	for _, rule := range []func(*inquiry){
		ordersKnown, ordersExist, differencesTrue, statusesAgree, fillsAgree, tradesAgree, balancesAgree,
		attemptsHold, haltsHold, outcomesTrue, limitsHold, chainsHold, auditTells, eventsTold,
	} {
		rule(c)
	}
	slices.SortStableFunc(c.found, func(a, b Violation) int {
		return strings.Compare(a.Rule+"\x00"+a.Subject+"\x00"+a.Detail, b.Rule+"\x00"+b.Subject+"\x00"+b.Detail)
	})
	return slices.Compact(c.found)
}
