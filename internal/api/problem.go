package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"interlock/internal/trade"
	"interlock/workflows"
)

// Codes of this door; all others are package trade's.
const (
	InvalidRequest       = "INVALID_REQUEST"
	Unauthorized         = "UNAUTHORIZED"
	Forbidden            = "FORBIDDEN"
	TooManyRequests      = "TOO_MANY_REQUESTS"
	IdentityUnavailable  = "IDENTITY_UNAVAILABLE"
	TradingStateConflict = "TRADING_STATE_CONFLICT"
	ResolveRefused       = "RESOLVE_REFUSED"
	NotFound             = "NOT_FOUND"
	MethodNotAllowed     = "METHOD_NOT_ALLOWED"
	BodyTooLarge         = "BODY_TOO_LARGE"
	JSONOnly             = "JSON_ONLY"
	RequestTimeout       = "REQUEST_TIMEOUT"
	ProposalConflict     = "PROPOSAL_CONFLICT"
	ScanJobConflict      = "SCAN_JOB_CONFLICT"
	ProposalCancelled    = "PROPOSAL_CANCELLED"
	DatabaseUnavailable  = "DATABASE_UNAVAILABLE"
	WorkflowsUnavailable = "WORKFLOWS_UNAVAILABLE"
	Internal             = "INTERNAL"
)

// Problem is every answer that is not a success.
type Problem struct {
	Status         int                  `json:"status" doc:"HTTP status" example:"400"`
	Code           string               `json:"code" doc:"Why, for programs; of several blocks, the first" example:"COOLDOWN_BLOCKED"`
	Message        string               `json:"message" doc:"Why, for people"`
	Blocks         []Block              `json:"blocks,omitempty" nullable:"false" doc:"Every check that did not pass"`
	Errors         []Detail             `json:"errors,omitempty" nullable:"false" doc:"Every field that is wrong"`
	ProposalStatus trade.Status         `json:"proposalStatus,omitempty" doc:"Where the proposal is in its life"`
	ExchangeCode   string               `json:"exchangeCode,omitempty" doc:"The exchange's own error code"`
	Order          *workflows.OrderView `json:"order,omitempty" doc:"The order the proposal has already"`
	NotAfter       *time.Time           `json:"notAfter,omitempty" doc:"Whatever became of this request, it does not trade after this time unless it was claimed before"`

	retryAfter time.Duration // of 429
	why        string        // for the log, when it is more than the message
}

// Block is one check that did not pass.
type Block struct {
	Code    trade.Code `json:"code" example:"COOLDOWN_BLOCKED"`
	Message string     `json:"message"`
}

// Detail is one field that is wrong.
type Detail struct {
	Location string `json:"location" example:"body.amount"`
	Value    any    `json:"value,omitempty" doc:"What was given"`
	Message  string `json:"message" doc:"What is wrong, and what would be right"`
}

// Error is the message.
func (p *Problem) Error() string { return p.Message }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

func problem(status int, code, format string, args ...any) *Problem {
	return &Problem{Status: status, Code: code, Message: withoutTokens(fmt.Sprintf(format, args...))}
}

// write answers outside huma's handlers.
func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // the client may be gone
}

// Huma builds every refusal of its own through the first variable. Without the
// second, {"side":"buy","SIDE":"sell"} would pass and mean the last one.
func init() { //nolint:gochecknoinits // huma offers no other way to either
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return fromHuma(status, message, errs)
	}
}

// fromHuma maps what huma refuses before a handler runs. A body that does not
// fit its schema is 400: 422 means that the exchange refused.
func fromHuma(status int, message string, errs []error) *Problem {
	codes := map[int]string{
		http.StatusNotFound: NotFound, http.StatusRequestTimeout: RequestTimeout,
		http.StatusUnsupportedMediaType: JSONOnly, http.StatusRequestEntityTooLarge: BodyTooLarge,
	}
	p := &Problem{Status: status, Code: codes[status], Message: message}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return errTooLarge()
	case status == http.StatusUnprocessableEntity, status == http.StatusBadRequest, message == "cannot read request body":
		p.Status, p.Code = http.StatusBadRequest, InvalidRequest
	case status >= http.StatusInternalServerError:
		return errInternal() // what broke is no client's business
	}
	p.Errors = gathered(errs)
	if len(p.Errors) > 0 {
		p.summarise()
	}
	return p
}

// invalid turns the joined errors of a check, "field: what is wrong" each, into
// one refusal.
func invalid(err error) *Problem {
	p := problem(http.StatusBadRequest, InvalidRequest, "")
	p.Errors = linesOf(err.Error())
	p.summarise()
	return p
}

func errTooLarge() *Problem {
	return problem(http.StatusRequestEntityTooLarge, BodyTooLarge, "the body is larger than %d bytes; send less", maxBody)
}

func errInternal() *Problem {
	return problem(http.StatusInternalServerError, Internal, "the API has a fault; its log says more")
}

func errNoProposal(id string) *Problem {
	return problem(http.StatusNotFound, NotFound, "there is no proposal %s of yours", clipped(id))
}

func errNoOverride(proposalID, id string) *Problem {
	return problem(http.StatusNotFound, NotFound, "there is no override %s of %s", clipped(id), proposalID)
}

func errNoScanJob(id string) *Problem {
	return problem(http.StatusNotFound, NotFound, "there is no scan job %s of yours", clipped(id))
}

func errDatabase() *Problem {
	return problem(http.StatusServiceUnavailable, DatabaseUnavailable, "the database does not answer; ask again")
}

func errWorkflows() *Problem {
	return problem(http.StatusServiceUnavailable, WorkflowsUnavailable, "Temporal does not answer; ask again")
}
