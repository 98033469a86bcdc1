package paper

import (
	"fmt"
	"net/http"
)

// refusal is an answer with an errorCode. Its HTTP status follows from the code.
type refusal struct {
	Code int    `json:"errorCode"`
	Text string `json:"error"`
}

func (r refusal) Error() string { return fmt.Sprintf("%d: %s", r.Code, r.Text) }

const (
	codeUnknown      = 101
	codeInvalidJSON  = 102
	codeRateLimit    = 105
	codeOverloaded   = 107
	codeTooSlow      = 108
	codeTimeout      = 109
	codeEngineDown   = 111
	codeMessageRate  = 112
	codeQueryParam   = 200
	codeBodyParam    = 201
	codeOrderType    = 202
	codeMissing      = 203
	codeMisplaced    = 204
	codeInvalid      = 205
	codeIncompatible = 206
	codeTooLarge     = 210
	codeTooSmall     = 212
	codePriceDigits  = 215
	codeNoBalance    = 216
	codeMinQuote     = 217
	codeDuplicate    = 220
	codeNothingNew   = 232
	codeNotActive    = 233
	codeMarketUpdate = 234
	codeTooManyOpen  = 235
	codeTwoAmounts   = 236
	codeAmountKind   = 239
	codeNoOrder      = 240
	codeNoDeposit    = 401
	codeNoWithdrawal = 410
	codeNoAction     = 415
	codeTick         = 422
	codeDecimals     = 429
	codeNoMarketData = 431
)

const (
	codeNoAuth = 300 + iota
	codeKeyLength
	codeTimestamp
	codeWindow
	codeOutsideWindow
	codeKeyInactive
	_
	_
	codeSignatureFormat
	codeSignature
	codeNoTrade
	codeNoView
	codeNoWithdraw
)

var statusOf = map[int]int{
	codeUnknown:      http.StatusInternalServerError,
	codeRateLimit:    http.StatusTooManyRequests,
	codeNoAction:     http.StatusNotFound,
	codeOverloaded:   http.StatusServiceUnavailable,
	codeTooSlow:      http.StatusServiceUnavailable,
	codeTimeout:      http.StatusServiceUnavailable,
	codeEngineDown:   http.StatusServiceUnavailable,
	codeNoOrder:      http.StatusNotFound,
	codeNoMarketData: http.StatusConflict,
}

func (r refusal) status() int {
	if s, ok := statusOf[r.Code]; ok {
		return s
	}
	if r.Code >= 300 && r.Code < 400 {
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

// textOf holds the wording of codes that always say the same.
var textOf = map[int]string{
	codeUnknown:         "Unknown error. Please try again later. The operation may have succeeded.",
	codeInvalidJSON:     "Invalid JSON.",
	codeOverloaded:      "The matching engine is overloaded. Please wait 500ms and resubmit your order.",
	codeTooSlow:         "The matching engine could not process your request in time. Please raise the access window or wait 500ms and resubmit your order.",
	codeTimeout:         "The matching engine did not respond in time. Operation may or may not have succeeded.",
	codeEngineDown:      "The matching engine is temporarily not available.",
	codeMessageRate:     "The maximum of WebSocket messages per second is exceeded.",
	codeNoBalance:       "You do not have sufficient balance to complete this operation.",
	codeDuplicate:       "An open order with this clientOrderId exists in this market.",
	codeNothingNew:      "The update contains no change.",
	codeNotActive:       "The order is not active and cannot be changed.",
	codeMarketUpdate:    "A market order cannot be updated.",
	codeTooManyOpen:     "The maximum of open orders in this market is reached.",
	codeTwoAmounts:      "Give one of amount, amountRemaining and amountQuote.",
	codeAmountKind:      "An order in amount cannot be updated by amountQuote.",
	codeNoOrder:         "No order found. Please be aware that simultaneously updating the same order may return this error.",
	codeNoAction:        "Invalid action.",
	codeNoAuth:          "Authentication is required to call this endpoint.",
	codeKeyLength:       "API Key must be of length 64.",
	codeTimestamp:       "Timestamp is invalid. This must be a timestamp in ms.",
	codeWindow:          "Window must be between 100 and 60000 ms.",
	codeOutsideWindow:   "Request was not received within acceptable window (default 10s, maximum 60s).",
	codeKeyInactive:     "No active API key found.",
	codeSignatureFormat: "The signature length is invalid (HMAC-SHA256 should return a 64 length hexadecimal string).",
	codeSignature:       "The signature is invalid.",
	codeNoTrade:         "The API key does not have permission to perform trading actions.",
	codeNoView:          "The API key does not have permission to view.",
	codeNoWithdraw:      "The API key does not have permission to withdraw.",
	codeNoDeposit:       "Deposits for this asset are not available at this time.",
	codeNoWithdrawal:    "Withdrawals for this asset are not available at this time.",
}

// refuse answers with a code and its usual text.
func refuse(code int) refusal { return refusal{code, textOf[code]} }

func refusef(code int, format string, args ...any) refusal {
	return refusal{code, fmt.Sprintf(format, args...)}
}

func missing(name string) refusal {
	return refusef(codeMissing, "%s parameter is required.", name)
}

func invalid(name string) refusal {
	return refusef(codeInvalid, "%s parameter is invalid.", name)
}
