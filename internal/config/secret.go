package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is text that no log, error or JSON may show. Reveal is the only way
// to its content.
type Secret string

const hidden = "(secret)"

// Reveal returns the content, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String hides the content.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format hides the content from every fmt verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the content from structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the content from JSON and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
