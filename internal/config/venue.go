package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// exchange reads where to trade. Every host but this machine counts as live:
// an unknown name may lead to real money, and asking costs one variable.
func (r *reader) exchange() Exchange {
	const name = "BITVAVO_REST_URL"
	text := strings.TrimSuffix(r.get(name), "/")
	if text == "" {
		r.problem(name, "is missing; write the exchange's base URL, like http://127.0.0.1:8090/v2 for a paper exchange")
		return Exchange{}
	}
	u, err := parseExchange(text)
	if err != nil {
		r.problem(name, err.Error())
		return Exchange{URL: text}
	}
	e := Exchange{URL: u.String(), Live: !loopback(u.Hostname())}
	if live := r.live(); e.Live && !live {
		r.problem(name, fmt.Sprintf("%q counts as a live exchange, and INTERLOCK_LIVE is not 1; set it to trade real money, or use a paper exchange on this machine", u.Host))
	}
	return e
}

func (r *reader) live() bool {
	text := r.get("INTERLOCK_LIVE")
	if text != "" && text != "0" && text != "1" {
		r.problem("INTERLOCK_LIVE", fmt.Sprintf("%q is neither 0 nor 1; write 1 to allow real money", text))
	}
	return text == "1"
}

func usablePort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

func parseExchange(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	switch {
	case err != nil || u.Hostname() == "" || !usablePort(u.Port()) || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("is not a base URL; write it like https://api.bitvavo.com/v2")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("has the scheme %q; write https, or http for this machine", u.Scheme)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("reaches %q without encryption; write https://", u.Host)
	case !strings.HasSuffix(u.Path, "/v2"):
		return nil, fmt.Errorf("has the path %q; it must end in /v2, which requests are signed for", u.Path)
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

// loopback is decided by the text alone: what a name resolves to may change.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Account is what the accounts table says of an account.
type Account struct {
	ID      string
	Venue   string // "paper" or "live"
	RESTURL string
}

// CheckVenue refuses to serve an account at an exchange that its row does not
// name: a key for one venue must never meet another's proposals.
func CheckVenue(a Account, restURL string) error {
	ours, err := parseExchange(restURL)
	if err != nil {
		return fmt.Errorf("BITVAVO_REST_URL: %w", err)
	}
	row, err := parseExchange(a.RESTURL)
	if err != nil {
		return fmt.Errorf("account %s: its rest_url %w", a.ID, err)
	}
	if ours.String() != row.String() {
		return fmt.Errorf("BITVAVO_REST_URL: %q is not the exchange of account %s, which is %q; use that one, or another account", ours, a.ID, row)
	}
	return checkVenueName(a, !loopback(ours.Hostname()))
}

func checkVenueName(a Account, live bool) error {
	switch {
	case a.Venue != "paper" && a.Venue != "live":
		return fmt.Errorf("account %s: venue %q is neither paper nor live", a.ID, a.Venue)
	case a.Venue == "paper" && live:
		return fmt.Errorf("account %s is a paper account, and %q counts as live; create a live account for it", a.ID, a.RESTURL)
	case a.Venue == "live" && !live:
		return fmt.Errorf("account %s is a live account, and %q is this machine; create a paper account for it", a.ID, a.RESTURL)
	}
	return nil
}

// VenueOf names the venue that a base URL belongs to. It fails on what is no
// base URL of an exchange.
func VenueOf(restURL string) (string, error) {
	u, err := parseExchange(restURL)
	if err != nil {
		return "", err
	}
	if loopback(u.Hostname()) {
		return "paper", nil
	}
	return "live", nil
}
