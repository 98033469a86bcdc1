package trade

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a time.Duration written as "90s", "60m" or "2h" in JSON.
type Duration time.Duration

// Std returns the standard library's form.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes d as Go does.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes d as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads a string such as "90s", refusing negative ones and those
// of more than a year.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("%s is not a duration; write it like \"90s\", \"60m\" or \"2h\"", clip(string(data)))
	}
	const longest = 40 // "1h1h1h…" is a duration to Go
	parsed, err := time.ParseDuration(text)
	if err != nil || len(text) > longest || parsed < 0 || parsed > 366*24*time.Hour {
		return fmt.Errorf("%q is not a duration between 0s and 8784h; write it like \"90s\", \"60m\" or \"2h\"", clip(text))
	}
	*d = Duration(parsed)
	return nil
}
