package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"interlock/internal/trade"
)

// ruling says what a documented errorCode proves about the order in the
// request that it answers. A code outside the table proves nothing.
type ruling struct {
	from, to int
	reply    trade.Reply
	fits     func(status int) bool // statuses with which the code is believed
	why      string
}

// rulings is the whole knowledge about replies to POST /order.
var rulings = []ruling{
	{102, 102, trade.Refused, isRefusal, "the body was not even read as JSON"},
	{200, 206, trade.Refused, isRefusal, "a parameter is missing, unknown or invalid: refused by validation"},
	{210, 215, trade.Refused, isRefusal, "amount or price outside the market's bounds: refused by validation"},
	{216, 216, trade.Unknown, isRefusal, "no balance: but an earlier copy of this order may be what holds it"},
	{217, 219, trade.Refused, isRefusal, "below the minimum, too many digits, or the market is gone"},
	{231, 231, trade.Refused, isRefusal, "time in force not allowed while the market is paused"},
	{235, 238, trade.Refused, isRefusal, "too many open orders, or trigger parameters missing"},
	{300, 303, trade.Refused, isRefusal, "key, timestamp or window unusable: refused before the engine"},
	{304, 304, trade.Unknown, isRefusal, "too late: but another copy may have arrived in time"},
	{305, 320, trade.Refused, isRefusal, "key, signature, permission or account refused before the engine"},
	{422, 426, trade.Refused, isRefusal, "off the tick, or the market takes no such order now"},
	{429, 429, trade.Refused, isRefusal, "too many decimals in a value (the errorCode, not the HTTP status)"},

	{103, 105, trade.NotSent, isClientError, "rate limit: turned away before it was read"},
	{110, 110, trade.NotSent, isRateLimit, "rate limit in one copy of the documentation, another error in older ones"},
	{112, 112, trade.NotSent, isClientError, "rate limit: turned away before it was read"},

	{101, 101, trade.Unknown, anyStatus, "documented: success uncertain"},
	{107, 108, trade.Unknown, anyStatus, "overloaded or not in time: probably not placed, never surely"},
	{109, 109, trade.Unknown, anyStatus, "documented: success uncertain"},
	{111, 111, trade.Unknown, anyStatus, "engine unavailable: nobody says since when"},
	{220, 220, trade.Unknown, anyStatus, "an order with this ID is open: not by this request, perhaps by an earlier copy"},
	{230, 230, trade.Unknown, anyStatus, "rejected by the engine: undocumented, and the engine had it"},
	{400, 400, trade.Unknown, anyStatus, "unknown error at the server"},
	{419, 419, trade.Unknown, anyStatus, "server unavailable"},
	{430, 430, trade.Unknown, anyStatus, "server not ready"},
}

func anyStatus(int) bool            { return true }
func isRateLimit(status int) bool   { return status == http.StatusTooManyRequests }
func isClientError(status int) bool { return status >= 400 && status <= 499 }
func isRefusal(status int) bool     { return isClientError(status) && !isRateLimit(status) }

// Classify says what a complete reply to POST /order proves. Accepted and
// Refused need positive proof; whatever is not proof is Unknown. Code is the
// exchange's errorCode only when it came with a status that fits it.
func Classify(status int, body []byte) trade.AttemptResult {
	fields, err := object(body)
	if err != nil {
		return unknown(httpCode(status), "reply is not a JSON object: "+err.Error())
	}
	_, failed := fields["errorCode"]
	_, placed := fields["orderId"]
	switch {
	case failed && !placed:
		return classifyError(status, fields)
	case placed && !failed && status >= 200 && status <= 299:
		return classifyOrder(status, body)
	}
	return unknown(httpCode(status), fmt.Sprintf("HTTP %d proves neither an order nor a refusal", status))
}

func classifyOrder(status int, body []byte) trade.AttemptResult {
	order, err := decodeOrder(body)
	if err != nil {
		return unknown(httpCode(status), "order in the reply is unusable: "+err.Error())
	}
	return trade.AttemptResult{Reply: trade.Accepted, Order: &order}
}

func classifyError(status int, fields map[string]json.RawMessage) trade.AttemptResult {
	code, ok := errorCode(fields)
	message := fmt.Sprintf("HTTP %d: %s", status, text(fields["error"]))
	if !ok {
		return unknown(httpCode(status), message)
	}
	for _, r := range rulings {
		if code < r.from || code > r.to {
			continue
		}
		if !r.fits(status) {
			return unknown(httpCode(status), fmt.Sprintf("errorCode %d does not go with %s", code, message))
		}
		return trade.AttemptResult{Reply: r.reply, Code: strconv.Itoa(code), Message: message}
	}
	return unknown(strconv.Itoa(code), message)
}

// rateLimited reports whether the table knows code as a rate limit.
func rateLimited(code int) bool {
	for _, r := range rulings {
		if r.reply == trade.NotSent && code >= r.from && code <= r.to {
			return true
		}
	}
	return false
}

var wholeNumber = regexp.MustCompile(`^[0-9]{3}$`)

// errorCode reads the three digits of an errorCode written as a number.
func errorCode(fields map[string]json.RawMessage) (int, bool) {
	raw := fields["errorCode"]
	if !wholeNumber.Match(raw) {
		return 0, false
	}
	code, err := strconv.Atoi(string(raw))
	return code, err == nil
}

// object splits body into its fields. A name that occurs twice, also in other
// letters, is an error: two answers in one reply are none.
func object(body []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("it does not begin with an object")
	}
	fields, names := map[string]json.RawMessage{}, map[string]bool{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		// encoding/json takes "orderid" for "orderId" when it fills a struct.
		folded := strings.ToLower(strings.ToUpper(key))
		if names[folded] {
			return nil, fmt.Errorf("it has %q twice", clip(key))
		}
		names[folded] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		fields[key] = value
	}
	return fields, closed(dec)
}

func closed(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}

// text reads a JSON string for people; anything else is empty.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return clip(s)
}

func httpCode(status int) string { return "HTTP_" + strconv.Itoa(status) }

func unknown(code, message string) trade.AttemptResult {
	return trade.AttemptResult{Reply: trade.Unknown, Code: code, Message: clip(message)}
}

func notSent(code, message string) trade.AttemptResult {
	return trade.AttemptResult{Reply: trade.NotSent, Code: code, Message: clip(message)}
}
