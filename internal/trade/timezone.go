package trade

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a policy's zone must load on hosts without zone files
)

// TimeZone is an IANA zone whose midnight starts a trading day. Its zero value
// is UTC.
type TimeZone struct{ *time.Location }

// UnmarshalJSON reads "Europe/Amsterdam". The host's own zone is refused: a
// day must mean the same on every machine.
func (z *TimeZone) UnmarshalJSON(data []byte) error {
	text, err := stringValue(data, `an IANA zone, like "Europe/Amsterdam" or "UTC"`)
	if err != nil {
		return err
	}
	loc, err := time.LoadLocation(text)
	if err != nil || hostZone(text) {
		return fmt.Errorf("%q is not a time zone; write an IANA name, like \"Europe/Amsterdam\" or \"UTC\"", clip(text))
	}
	z.Location = loc
	return nil
}

// hostZone reports whether name means something else on another machine: the
// host's zone, the default of its rules, or its files with leap seconds.
func hostZone(name string) bool {
	switch name {
	case "", "Local", "localtime", "posixrules", "Factory":
		return true
	}
	return strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/")
}

// MarshalJSON writes the zone's name.
func (z TimeZone) MarshalJSON() ([]byte, error) {
	return json.Marshal(z.String())
}

// DayStart is the first instant of now's calendar day in the zone. That is
// midnight, except where a clock change skips or repeats it.
func (z TimeZone) DayStart(now time.Time) time.Time {
	loc := z.Location
	if loc == nil {
		loc = time.UTC
	}
	t := now.In(loc)
	for {
		midnight := t.Add(-sinceMidnight(t))
		change, _ := t.ZoneBounds()
		if change.IsZero() || midnight.After(change) {
			return midnight
		}
		before := change.Add(-1)
		if !sameDay(before, t) {
			return change
		}
		t = before // the day had begun under another offset
	}
}

func sinceMidnight(t time.Time) time.Duration {
	hour, minute, second := t.Clock()
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute +
		time.Duration(second)*time.Second + time.Duration(t.Nanosecond())
}

func sameDay(a, b time.Time) bool {
	ya, ma, da := a.Date()
	yb, mb, db := b.Date()
	return ya == yb && ma == mb && da == db
}
