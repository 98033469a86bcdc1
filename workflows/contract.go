// Package workflows orders the steps of a trade. It decides nothing about
// trading, talks to nothing, and holds no state that PostgreSQL does not hold:
// every run begins by reading the truth.
package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"

	"interlock/internal/trade"
)

// Names that other programs use. They are contract: never renamed, only added.
const (
	ProposalType  = "Proposal" // workflow ID = proposal ID
	ReconcileType = "Reconcile"
	SweepType     = "Sweep"
	ScanType      = "Scan"
	NotifyType    = "Notify"

	ExecuteUpdate  = "execute"
	OverrideName   = "override" // update and signal
	CancelSignal   = "cancel"
	ResolveName    = "resolve" // update and signal
	RefreshSignal  = "refresh" // sent by Sweep: read the database again
	StateQuery     = "state"
	ProposalsQueue = "proposals"
	ScansQueue     = "scans"  // begins every account's scans queue
	UpkeepQueue    = "upkeep" // sweeping, and starting what scans have stored: anybody may ask for either
	NotifyQueue    = "notify" // what tells services outside, beside everything else
)

// OrdersQueue is where an account's orders are placed.
func OrdersQueue(account string) string { return "orders-" + account }

// FollowQueue is where an account's orders are looked up, followed and
// cancelled, so that none of that waits behind placements.
func FollowQueue(account string) string { return "follow-" + account }

// ScansQueueOf is where an account's scans are carried out: its workers read
// that account's exchange and no other.
func ScansQueueOf(account string) string { return ScansQueue + "-" + account }

// ReconcileID is the workflow ID, and the schedule ID, of an account's
// reconciliation.
func ReconcileID(account string) string { return "reconcile-" + account }

// ScanID is the schedule ID of a job, and begins the IDs of its workflows.
func ScanID(job string) string { return "scan-" + job }

// SweepID is the workflow ID and the schedule ID of the sweep.
const SweepID = "sweep"

// NotifyID is the workflow ID and the schedule ID of what tells services
// outside.
const NotifyID = "notify"

// Search attributes of a Proposal workflow.
var (
	StatusAttribute    = temporal.NewSearchAttributeKeyKeyword("ProposalStatus")
	MarketAttribute    = temporal.NewSearchAttributeKeyKeyword("Market")
	SideAttribute      = temporal.NewSearchAttributeKeyKeyword("Side")
	UserAttribute      = temporal.NewSearchAttributeKeyKeyword("UserId")
	BlockedByAttribute = temporal.NewSearchAttributeKeyKeywordList("BlockedBy")
)

// SearchAttributes maps each search attribute to the type it must be
// registered with.
func SearchAttributes() map[string]string {
	return map[string]string{
		"ProposalStatus": "Keyword", "Market": "Keyword", "Side": "Keyword", "UserId": "Keyword", "BlockedBy": "KeywordList",
	}
}

// ProposalInput is what a Proposal workflow may be started with. Its proposal
// is named by the workflow ID, so starting it with nothing is right.
type ProposalInput struct {
	// Looks counts the looks for an unknown order in earlier runs, so that
	// backing off survives continuing as new.
	Looks int `json:"looks,omitempty"`
	// Taken is the last word on an order that an earlier run took, so that it is
	// answered the same when it is said again.
	Taken *ResolveRequest `json:"taken,omitempty"`
}

// ExecuteRequest asks for the proposal to be executed.
type ExecuteRequest struct {
	Actor            string    `json:"actor"`
	OverrideCooldown bool      `json:"overrideCooldown,omitempty"`
	OverrideAntiFlip bool      `json:"overrideAntiFlip,omitempty"`
	Reason           string    `json:"reason,omitempty"` // required with an override
	NotAfter         time.Time `json:"notAfter,omitzero"`
}

// ExecuteResult is how things stood when the execute request was answered.
type ExecuteResult struct {
	Status        trade.Status  `json:"status"`
	Claimed       bool          `json:"claimed"` // this request's preflight made the claim
	Blocks        []trade.Block `json:"blocks"`
	PolicyVersion int           `json:"policyVersion,omitempty"`
	Order         *OrderView    `json:"order,omitempty"`
	Failure       *FailureView  `json:"failure,omitempty"` // set while FAILED
}

// OrderView is an order as the contract shows it. Amounts are decimals in
// strings: base asset, quote asset, and the fee's own currency.
type OrderView struct {
	OrderID           string            `json:"orderId"`
	ClientOrderID     string            `json:"clientOrderId"`
	Status            trade.OrderStatus `json:"status"`
	FilledAmount      string            `json:"filledAmount"`
	FilledAmountQuote string            `json:"filledAmountQuote"`
	FeePaid           string            `json:"feePaid"`
	FeeCurrency       string            `json:"feeCurrency,omitempty"`
}

// FailureView says why an execution failed.
type FailureView struct {
	Code         trade.Code `json:"code"`
	ExchangeCode string     `json:"exchangeCode,omitempty"` // the exchange's errorCode
	Message      string     `json:"message,omitempty"`
}

// OverrideRequest permits an execution in spite of cooldown or anti-flip.
type OverrideRequest struct {
	ID        string       `json:"id,omitempty"` // derived from proposal and content when empty
	Cooldown  bool         `json:"cooldown,omitempty"`
	AntiFlip  bool         `json:"antiFlip,omitempty"`
	Checks    []trade.Code `json:"checks,omitempty"` // the same by name: COOLDOWN_BLOCKED, ANTI_FLIP_BLOCKED
	Actor     string       `json:"actor"`
	Reason    string       `json:"reason"`
	ExpiresAt time.Time    `json:"expiresAt,omitzero"` // 15 minutes from now when zero
	Execute   bool         `json:"execute,omitempty"`  // execute at once
}

// OverrideResult answers an override sent as an update.
type OverrideResult struct {
	OverrideID string         `json:"overrideId"`
	Accepted   bool           `json:"accepted"`
	Problem    string         `json:"problem,omitempty"`
	Execute    *ExecuteResult `json:"execute,omitempty"`
}

// CancelRequest gives a proposal up. After the claim it stops further attempts
// and cancels an open order; what was filled stays filled.
type CancelRequest struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
}

// ResolveRequest is a person's resolution on an unresolved order: the order it is,
// or that there is none.
type ResolveRequest struct {
	OrderID string `json:"orderId,omitempty"`
	Absent  bool   `json:"absent,omitempty"`
	Actor   string `json:"actor"`
	Reason  string `json:"reason"`
}

// ResolveResult answers a person's resolution sent as an update: once it was weighed,
// and as things stood when the order ended or ten seconds were over.
type ResolveResult struct {
	Accepted bool         `json:"accepted"`
	Problem  string       `json:"problem,omitempty"` // what stood against it
	Status   trade.Status `json:"status"`
	Order    *OrderView   `json:"order,omitempty"`
	Failure  *FailureView `json:"failure,omitempty"`
}

// ResolutionView is a person's resolution on an unresolved order, and what came of it.
type ResolutionView struct {
	OrderID  string    `json:"orderId,omitempty"`
	Absent   bool      `json:"absent,omitempty"`
	Actor    string    `json:"actor"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	Weighed  bool      `json:"weighed"` // false: it waits for the look under way
	Accepted bool      `json:"accepted"`
	Problem  string    `json:"problem,omitempty"`
}

// AttemptView is one attempt to place the order, and what is known of it.
type AttemptView struct {
	Number  int         `json:"number"`
	At      time.Time   `json:"at,omitzero"`
	Reply   trade.Reply `json:"reply"` // unknown while it is in doubt
	Code    string      `json:"code,omitempty"`
	Message string      `json:"message,omitempty"`
	OrderID string      `json:"orderId,omitempty"`
}

// LookupView is one look for an order of unknown fate.
type LookupView struct {
	Attempt int                `json:"attempt"`
	At      time.Time          `json:"at"`
	Saw     trade.LookupResult `json:"saw"`
	Detail  string             `json:"detail,omitempty"`
	Orders  []string           `json:"orders,omitempty"` // IDs of what was found
}

// RecordingView is a transaction on the records that is being tried.
type RecordingView struct {
	Activity string    `json:"activity"`
	Since    time.Time `json:"since"`
}

// RefusalView is a signal that was refused, which has nobody to answer.
type RefusalView struct {
	Signal  string    `json:"signal"`
	Actor   string    `json:"actor,omitempty"`
	Problem string    `json:"problem"`
	At      time.Time `json:"at"`
}

// State answers the state query.
type State struct {
	ProposalID string          `json:"proposalId"`
	Status     trade.Status    `json:"status"`
	Blocks     []trade.Block   `json:"blocks"` // of the last preflight
	Order      *OrderView      `json:"order,omitempty"`
	Failure    *FailureView    `json:"failure,omitempty"`
	Attempts   int             `json:"attempts"`
	Looks      int             `json:"looks"`              // for an unknown order, so far
	NextLook   time.Time       `json:"nextLook,omitzero"`  // when the next one is due
	ExpiresAt  time.Time       `json:"expiresAt,omitzero"` // of the proposal
	Tried      []AttemptView   `json:"tried,omitempty"`    // the last attempts
	Looked     []LookupView    `json:"looked,omitempty"`   // the last looks
	Word       *ResolutionView `json:"word,omitempty"`     // the last one that a person said
	// Recording is what is tried at this moment; it stays while the database is away.
	Recording *RecordingView `json:"recording,omitempty"`
	Refused   []RefusalView  `json:"refused,omitempty"` // the last signals that were refused
}
