package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"interlock/internal/secret"
)

// DefaultScansAtOnce is how many steps of scans one worker carries out at once.
const DefaultScansAtOnce = 5

// Model is the server that answers as a language model.
type Model struct {
	BaseURL string      // with its /v1; empty: OpenAI's
	Key     secret.Text // may be empty: local servers need none
}

// model reads where to ask. A key never leaves without encryption, but to this
// machine.
func (r *reader) model() Model {
	const name = "OPENAI_BASE_URL"
	m := Model{BaseURL: strings.TrimSuffix(r.get(name), "/"), Key: r.secret("OPENAI_API_KEY")}
	if m.BaseURL == "" {
		return m
	}
	u, err := url.Parse(m.BaseURL)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		r.problem(name, "is not a base URL; write it like https://api.openai.com/v1, or http://127.0.0.1:11434/v1 for a server on this machine")
	case u.Scheme != "https" && u.Scheme != "http":
		r.problem(name, fmt.Sprintf("has the scheme %q; write https, or http", u.Scheme))
	case u.Scheme == "http" && m.Key != "" && !loopback(u.Hostname()):
		r.problem(name, fmt.Sprintf("reaches %q without encryption, and OPENAI_API_KEY would go along; write https://, or leave the key away", u.Host))
	}
	return m
}

// count reads a whole number from 1 to most.
func (r *reader) count(name string, usual, most int) int {
	text := r.get(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		r.problem(name, fmt.Sprintf("%q is not a whole number from 1 to %d", text, most))
		return usual
	}
	return n
}
