package trade

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// Side is the direction of an order.
type Side string

// The two sides.
const (
	Buy  Side = "buy"
	Sell Side = "sell"
)

// ParseSide accepts "buy" and "sell" in any case. The error names the field,
// the value and the fix.
func ParseSide(field, text string) (Side, error) {
	switch s := Side(strings.ToLower(text)); s {
	case Buy, Sell:
		return s, nil
	}
	return "", fmt.Errorf("%s: %q is not a side; write \"buy\" or \"sell\"", field, clip(text))
}

// OrderType says how a proposal wants to be priced.
type OrderType string

// The order types Interlock sends.
const (
	MarketOrder OrderType = "market"
	LimitOrder  OrderType = "limit"
)

// ParseOrderType accepts "market" and "limit". The error names the field, the
// value and the fix.
func ParseOrderType(field, text string) (OrderType, error) {
	switch t := OrderType(strings.ToLower(text)); t {
	case MarketOrder, LimitOrder:
		return t, nil
	}
	return "", fmt.Errorf("%s: %q is not an order type; write \"market\" or \"limit\"", field, clip(text))
}

// Proposal is one idea for one order. Its ID is unique over all users and is
// also the ID of its workflow.
type Proposal struct {
	ID            string           `json:"id"`
	UserID        string           `json:"userId"`
	AccountID     string           `json:"accountId"`
	Market        Market           `json:"market"`
	Side          Side             `json:"side"`
	OrderType     OrderType        `json:"orderType"`
	Amount        *decimal.Decimal `json:"amount,omitempty"`        // base asset
	AmountQuote   *decimal.Decimal `json:"amountQuote,omitempty"`   // quote asset, market orders only
	Price         *decimal.Decimal `json:"price,omitempty"`         // quote per base, limit orders only
	ExpectedPrice *decimal.Decimal `json:"expectedPrice,omitempty"` // what the proposer saw, quote per base
	Confidence    *decimal.Decimal `json:"confidence,omitempty"`    // 0..1
	Rationale     string           `json:"rationale,omitempty"`
	Source        string           `json:"source,omitempty"`
	PolicyVersion int              `json:"policyVersion,omitempty"` // in force when it was stored; 0: none was
	Status        Status           `json:"status"`
	FailureCode   string           `json:"failureCode,omitempty"`
	CreatedAt     time.Time        `json:"createdAt"`
	ExpiresAt     time.Time        `json:"expiresAt"`
}

// idText is what a proposal, user or account may be called. The set is what
// URLs, workflow IDs, log lines and shells carry without quoting.
var idText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$`)

// CheckID refuses an ID that could not be a workflow ID or a path segment. The
// error names the field, the value and the fix.
func CheckID(field, id string) error {
	if !idText.MatchString(id) {
		return fmt.Errorf("%s: %q is not usable; 1 to 100 letters, digits, dots, colons, dashes or underscores, beginning with a letter or digit", field, clip(id))
	}
	return nil
}

// Normal returns p with market, side and order type in the one form that rules
// compare: "BTC/EUR" becomes "BTC-EUR", "BUY" becomes "buy". What cannot be
// read stays, for Check to refuse.
func (p Proposal) Normal() Proposal {
	if market, err := ParseMarket("market", string(p.Market)); err == nil {
		p.Market = market
	}
	if side, err := ParseSide("side", string(p.Side)); err == nil {
		p.Side = side
	}
	if orderType, err := ParseOrderType("orderType", string(p.OrderType)); err == nil {
		p.OrderType = orderType
	}
	return p
}

// Check lists everything that makes p unusable as a proposal, all at once; it
// wants the form that Normal gives. It says nothing about whether p may trade:
// that is Preflight.
func (p Proposal) Check() error {
	problems := []error{
		CheckID("id", p.ID), CheckID("userId", p.UserID), CheckID("accountId", p.AccountID),
		p.checkOrder(), p.checkConfidence(), p.checkTimes(),
		checkText("rationale", p.Rationale, 4000), checkText("source", p.Source, 200),
	}
	return errors.Join(problems...)
}

// checkOrder lists what keeps an order from being computed at all.
func (p Proposal) checkOrder() error {
	return errors.Join(p.checkNames(), p.checkAmounts(), p.checkPrices())
}

func (p Proposal) checkNames() error {
	_, market := ParseMarket("market", string(p.Market))
	_, side := ParseSide("side", string(p.Side))
	_, orderType := ParseOrderType("orderType", string(p.OrderType))
	normal := p.Normal()
	return errors.Join(market, side, orderType,
		sameForm("market", string(p.Market), string(normal.Market)),
		sameForm("side", string(p.Side), string(normal.Side)),
		sameForm("orderType", string(p.OrderType), string(normal.OrderType)))
}

// sameForm refuses a second spelling: rules compare these names as they are.
func sameForm(field, given, normal string) error {
	if given != normal {
		return fmt.Errorf("%s: %q must be written %q", field, clip(given), normal)
	}
	return nil
}

func (p Proposal) checkAmounts() error {
	switch {
	case (p.Amount == nil) == (p.AmountQuote == nil):
		return errors.New("amount: give either amount (base asset) or amountQuote (quote asset)")
	case p.AmountQuote != nil && p.OrderType == LimitOrder:
		return errors.New("amountQuote: a limit order needs amount (base asset) instead")
	}
	return errors.Join(checkPositive("amount", p.Amount), checkPositive("amountQuote", p.AmountQuote))
}

func (p Proposal) checkPrices() error {
	switch {
	case p.OrderType == LimitOrder && p.Price == nil:
		return errors.New("price: a limit order needs one")
	case p.OrderType == MarketOrder && p.Price != nil:
		return errors.New("price: a market order has none; put what was seen into expectedPrice")
	}
	return errors.Join(checkPositive("price", p.Price), checkPositive("expectedPrice", p.ExpectedPrice))
}

func (p Proposal) checkConfidence() error {
	switch c := p.Confidence; {
	case c == nil:
		return nil
	case !plain(*c):
		return errNotPlain("confidence")
	case c.IsNegative() || c.GreaterThan(one):
		return fmt.Errorf("confidence: %s must be between 0 and 1", c)
	}
	return nil
}

func (p Proposal) checkTimes() error {
	if p.ExpiresAt.IsZero() {
		return errors.New("expiresAt: give a time in RFC 3339, like \"2026-01-31T18:00:00Z\"")
	}
	return nil
}

func checkPositive(field string, d *decimal.Decimal) error {
	switch {
	case d == nil:
		return nil
	case !plain(*d):
		return errNotPlain(field)
	case !d.IsPositive():
		return fmt.Errorf("%s: %s must be above zero", field, d)
	}
	return nil
}

func errNotPlain(field string) error {
	return fmt.Errorf("%s: has too many digits; at most 18 before the point and 40 after it", field)
}

// CheckText refuses text that no database keeps, or more than most characters.
// The error names the field and the fix.
func CheckText(field, text string, most int) error { return checkText(field, text, most) }

func checkText(field, text string, most int) error {
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return fmt.Errorf("%s: %q must be UTF-8 text without NUL characters", field, clip(text))
	case utf8.RuneCountInString(text) > most:
		return fmt.Errorf("%s: %q has %d characters, at most %d are kept", field, clip(text), utf8.RuneCountInString(text), most)
	}
	return nil
}
