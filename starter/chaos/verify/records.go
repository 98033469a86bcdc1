package verify

import (
	"time"

	"github.com/shopspring/decimal"
)

// Records is what our database says: one snapshot of every table that a
// promise rests on, of all accounts.
type Records struct {
	Now             time.Time // database clock
	Life            time.Time // when this life of the database began to work; its account's birth before that
	Installation    string
	Accounts        []AccountRow
	Controls        []ControlRow
	Policies        []PolicyRow
	Proposals       []ProposalRow
	Executions      []ExecutionRow
	Attempts        []AttemptRow
	Looks           []LookRow
	Fills           []FillRow
	Trades          []TradeRow
	Overrides       []OverrideRow
	Verdicts        []VerdictRow
	Reconciliations []ReconciliationRow
	Differences     []DifferenceRow
	Audit           []AuditRow // by chain and number
	Heads           []HeadRow
}

// AccountRow is a row of accounts.
type AccountRow struct {
	ID      string        `db:"id"`
	ReadLag time.Duration `db:"read_lag"`
}

// ControlRow is a row of trading_controls.
type ControlRow struct {
	Scope string `db:"scope"`
	State string `db:"state"`
	Actor string `db:"actor"`
}

// PolicyRow is a row of trading_policies.
type PolicyRow struct {
	UserID    string `db:"user_id"`
	AccountID string `db:"account_id"`
	Version   int    `db:"version"`
	Body      string `db:"body"`
}

// ProposalRow is a row of trade_proposals.
type ProposalRow struct {
	ID          string           `db:"id"`
	UserID      string           `db:"user_id"`
	AccountID   string           `db:"account_id"`
	Market      string           `db:"market"`
	Side        string           `db:"side"`
	OrderType   string           `db:"order_type"`
	Amount      *decimal.Decimal `db:"amount"`
	AmountQuote *decimal.Decimal `db:"amount_quote"`
	Price       *decimal.Decimal `db:"price"`
	Confidence  *decimal.Decimal `db:"confidence"`
	Status      string           `db:"status"`
	ExpiresAt   time.Time        `db:"expires_at"`
	CancelActor *string          `db:"cancel_actor"`
}

// ExecutionRow is a row of trade_executions.
type ExecutionRow struct {
	ID            int64           `db:"id"`
	UserID        string          `db:"user_id"`
	ProposalID    string          `db:"proposal_id"`
	AccountID     string          `db:"account_id"`
	Market        string          `db:"market"`
	Side          string          `db:"side"`
	ClientOrderID string          `db:"client_order_id"`
	Status        string          `db:"status"`
	Plan          string          `db:"plan"`
	WorstQuote    decimal.Decimal `db:"worst_quote"`
	PolicyVersion int             `db:"policy_version"`
	RequestID     string          `db:"request_id"`
	ClaimedAt     time.Time       `db:"claimed_at"`
	EndedAt       *time.Time      `db:"ended_at"`
	OrderID       *string         `db:"order_id"`
	OrderStatus   *string         `db:"order_status"`
	FilledAmount  decimal.Decimal `db:"filled_amount"`
	FilledQuote   decimal.Decimal `db:"filled_quote"`
	FeePaid       decimal.Decimal `db:"fee_paid"`
	FeeCurrency   string          `db:"fee_currency"`
}

// AttemptRow is a row of order_attempts.
type AttemptRow struct {
	ExecutionID int64      `db:"execution_id"`
	Number      int        `db:"number"`
	RequestID   string     `db:"request_id"`
	Deadline    *time.Time `db:"deadline"` // nil: void, it never began
	BegunAt     time.Time  `db:"begun_at"`
	BegunBy     string     `db:"begun_by"`
	Verdict     *string    `db:"verdict"`
	OrderID     *string    `db:"order_id"`
	ConcludedAt *time.Time `db:"concluded_at"`
}

// LookRow is a row of order_looks.
type LookRow struct {
	ExecutionID  int64      `db:"execution_id"`
	Number       int        `db:"number"`
	Sighting     string     `db:"sighting"`
	ExchangeTime *time.Time `db:"exchange_time"` // the exchange's clock, read before the lookup
}

// FillRow is a row of order_fills.
type FillRow struct {
	AccountID   string          `db:"account_id"`
	Market      string          `db:"market"`
	FillID      string          `db:"fill_id"`
	ExecutionID int64           `db:"execution_id"`
	OrderID     string          `db:"order_id"`
	Amount      decimal.Decimal `db:"amount"`
	Price       decimal.Decimal `db:"price"`
	Fee         decimal.Decimal `db:"fee"`
	FeeCurrency string          `db:"fee_currency"`
	Taker       bool            `db:"taker"`
	FilledAt    time.Time       `db:"filled_at"`
}

// TradeRow is a row of trade_history. One without an execution was written by
// another program.
type TradeRow struct {
	ID          int64            `db:"id"`
	UserID      string           `db:"user_id"`
	AccountID   *string          `db:"account_id"`
	ProposalID  *string          `db:"proposal_id"`
	ExecutionID *int64           `db:"execution_id"`
	Market      *string          `db:"market"`
	Asset       string           `db:"asset"`
	Side        string           `db:"side"`
	Amount      *decimal.Decimal `db:"amount"`
	AmountQuote *decimal.Decimal `db:"amount_quote"`
	Fee         *decimal.Decimal `db:"fee"`
	FeeCurrency *string          `db:"fee_currency"`
	ExecutedAt  time.Time        `db:"executed_at"`
	RecordedAt  time.Time        `db:"recorded_at"`
}

// OverrideRow is a row of overrides.
type OverrideRow struct {
	ID         string    `db:"id"`
	ProposalID string    `db:"proposal_id"`
	Cooldown   bool      `db:"cooldown"`
	AntiFlip   bool      `db:"anti_flip"`
	StoredAt   time.Time `db:"stored_at"`
	ExpiresAt  time.Time `db:"expires_at"`
	ConsumedBy *string   `db:"consumed_by"`
	Verified   bool      `db:"verified"`
}

// VerdictRow is a row of verdicts.
type VerdictRow struct {
	RequestID  string `db:"request_id"`
	ProposalID string `db:"proposal_id"`
	Claimed    bool   `db:"claimed"`
	Body       string `db:"body"`
}

// ReconciliationRow is a row of reconciliations.
type ReconciliationRow struct {
	AccountID   string `db:"account_id"`
	Differences int    `db:"differences"`
}

// DifferenceRow is a row of exchange_differences.
type DifferenceRow struct {
	AccountID string `db:"account_id"`
	Market    string `db:"market"`
	OrderID   string `db:"order_id"`
	Kind      string `db:"kind"`
}

// AuditRow is a row of audit_events as it was hashed: null and empty are
// different, and the body is its text.
type AuditRow struct {
	Chain      string    `db:"chain"`
	Seq        int64     `db:"seq"`
	At         time.Time `db:"at"`
	Kind       string    `db:"kind"`
	UserID     *string   `db:"user_id"`
	ProposalID *string   `db:"proposal_id"`
	Actor      *string   `db:"actor"`
	Body       string    `db:"body"`
	PrevHash   []byte    `db:"prev_hash"`
	Hash       []byte    `db:"hash"`
}

// HeadRow is a row of audit_heads.
type HeadRow struct {
	Chain string `db:"chain"`
	Seq   int64  `db:"seq"`
	Hash  []byte `db:"hash"`
}
