// Package secret keeps text out of logs, errors and JSON. It decides nothing
// else, and cannot keep it out of memory.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Text is text that no log, error or JSON may show. Reveal is the only way
// to its content.
type Text string

const hidden = "(secret)"

// Reveal returns the content, for the one place that needs it.
func (s Text) Reveal() string { return string(s) }

// String hides the content.
func (s Text) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format hides the content from every fmt verb.
func (s Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the content from structured logs.
func (s Text) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the content from JSON and its like.
func (s Text) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
