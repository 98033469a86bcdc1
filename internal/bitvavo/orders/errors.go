package orders

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"interlock/internal/trade"
)

var (
	// ErrUnavailable says that the exchange gave no usable answer: unreachable,
	// overloaded, rate-limiting, or something else answered in its place. A
	// read or a cancel may be asked again.
	ErrUnavailable = errors.New("exchange unavailable")

	// ErrNotActive says that the order is unknown or already closed. It may be
	// filled: fetch it before concluding anything.
	ErrNotActive = trade.ErrNotActive
)

// Codes of the exchange that mean something outside classification.
const (
	codeNotActive     = 233
	codeNotFound      = 240
	codeOutsideWindow = 304
)

// APIError is an answer of the exchange other than 2xx. Code is zero when the
// answer carried no errorCode, as a proxy's error page does.
type APIError struct {
	Status  int
	Code    int
	Message string
}

// Error names status, code and the exchange's words.
func (e *APIError) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("exchange answered HTTP %d without an errorCode", e.Status)
	}
	return fmt.Sprintf("exchange answered HTTP %d, errorCode %d: %s", e.Status, e.Code, e.Message)
}

// Is reports e as ErrNotActive or ErrUnavailable where it is one.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrNotActive:
		return isRefusal(e.Status) && (e.Code == codeNotActive || e.Code == codeNotFound)
	case ErrUnavailable:
		return e.Status >= 500 || e.Status == http.StatusTooManyRequests || rateLimited(e.Code)
	}
	return false
}

func apiError(status int, body []byte) *APIError {
	fields, err := object(body)
	if err != nil {
		return &APIError{Status: status}
	}
	code, ok := errorCode(fields)
	if !ok {
		return &APIError{Status: status}
	}
	return &APIError{Status: status, Code: code, Message: text(fields["error"])}
}

// hasCode reports whether err is an answer with that errorCode and a 4xx
// status. A bare 404 has no code: it says nothing about an order.
func hasCode(err error, code int) bool {
	var failure *APIError
	return errors.As(err, &failure) && failure.Code == code && isRefusal(failure.Status)
}

// clip keeps foreign text short and printable.
func clip(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
