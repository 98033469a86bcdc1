package market

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

var (
	// ErrUnavailable says that the exchange gave no usable answer. Asking again
	// later may help.
	ErrUnavailable = errors.New("exchange unavailable")

	// ErrNoKey says that a private read was asked of a reader without a key.
	ErrNoKey = errors.New("no read-only key is configured")
)

// APIError is an answer of the exchange that is an error. Code is zero when it
// carried no errorCode, as a proxy's error page does.
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

// rateLimits are the errorCodes of every generation of rate limits.
var rateLimits = map[int]bool{103: true, 104: true, 105: true, 110: true, 112: true}

// Is reports e as ErrUnavailable when asking later may help.
func (e *APIError) Is(target error) bool {
	return target == ErrUnavailable && (e.Status >= 500 || e.Status == http.StatusTooManyRequests || rateLimits[e.Code])
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
