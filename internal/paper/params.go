package paper

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"
)

// params reads the parameters of one request and keeps the first complaint.
type params struct {
	raw map[string]json.RawMessage
	// loose reads numbers and booleans out of strings: always in a query, in a
	// body only for older clients.
	loose bool
	err   error
}

// queryParams refuses names that the endpoint does not take and names given twice.
func queryParams(q url.Values, allowed []string) (*params, error) {
	p := &params{raw: map[string]json.RawMessage{}, loose: true}
	for name, values := range q {
		if !slices.Contains(allowed, name) {
			return nil, refusef(codeQueryParam, "Path parameter %s is not accepted.", name)
		}
		if len(values) != 1 {
			return nil, invalid(name)
		}
		text, err := json.Marshal(values[0])
		if err != nil {
			return nil, invalid(name)
		}
		p.raw[name] = text
	}
	return p, nil
}

func bodyParams(body []byte, allowed []string, loose bool) (*params, error) {
	p := &params{loose: loose}
	if err := json.Unmarshal(body, &p.raw); err != nil || p.raw == nil {
		return nil, refuse(codeInvalidJSON)
	}
	for name := range p.raw {
		if !slices.Contains(allowed, name) {
			return nil, refusef(codeBodyParam, "Body parameter %s is not accepted.", name)
		}
	}
	return p, nil
}

func (p *params) has(name string) bool { _, ok := p.raw[name]; return ok }

func (p *params) fail(err refusal) {
	if p.err == nil {
		p.err = err
	}
}

// need complains about the first of the names that is absent.
func (p *params) need(names ...string) {
	for _, name := range names {
		if !p.has(name) {
			p.fail(missing(name))
		}
	}
}

func (p *params) text(name string) string {
	var s string
	if p.has(name) && (json.Unmarshal(p.raw[name], &s) != nil || s == "") {
		p.fail(invalid(name))
	}
	return s
}

// choice reads a text that must be one of the given; the first is the default.
func (p *params) choice(name string, of ...string) string {
	if !p.has(name) {
		return of[0]
	}
	s := p.text(name)
	if !slices.Contains(of, s) {
		p.fail(invalid(name))
	}
	return s
}

var plainNumber = regexp.MustCompile(`^[0-9]{1,20}(\.[0-9]{1,20})?$`)

// amount reads a positive decimal; zero means that it is absent.
func (p *params) amount(name string) decimal.Decimal {
	s := p.text(name)
	if s == "" {
		return decimal.Zero
	}
	if !plainNumber.MatchString(s) {
		p.fail(invalid(name))
		return decimal.Zero
	}
	d, err := decimal.NewFromString(s)
	if err != nil || !d.IsPositive() {
		p.fail(invalid(name))
	}
	return d
}

func (p *params) integer(name string, low, high, absent int64) int64 {
	if !p.has(name) {
		return absent
	}
	text := string(p.raw[name])
	if p.loose {
		var s string
		if json.Unmarshal(p.raw[name], &s) == nil {
			text = s
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		p.fail(invalid(name))
	}
	return n
}

func (p *params) flag(name string, absent bool) bool {
	if !p.has(name) {
		return absent
	}
	text := string(p.raw[name])
	if p.loose && (text == `"true"` || text == `"false"`) {
		text = text[1 : len(text)-1]
	}
	if text != "true" && text != "false" {
		p.fail(invalid(name))
	}
	return text == "true"
}

var uuidShape = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// clientOrderID reads an id of the shape of a UUID; its version is not looked at.
func (p *params) clientOrderID() string {
	id := p.text("clientOrderId")
	if id != "" && !uuidShape.MatchString(id) {
		p.fail(invalid("clientOrderId"))
	}
	return id
}
