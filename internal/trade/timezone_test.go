package trade

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) TimeZone {
	t.Helper()
	var z TimeZone
	require.NoError(t, json.Unmarshal([]byte(`"`+name+`"`), &z))
	return z
}

func TestDayStartsAtTheZonesMidnight(t *testing.T) {
	for _, c := range []struct{ zone, now, start string }{
		{"UTC", "2026-01-15T12:00:00Z", "2026-01-15T00:00:00Z"},
		{"Europe/Amsterdam", "2026-01-15T22:59:59.999999999Z", "2026-01-14T23:00:00Z"},
		{"Europe/Amsterdam", "2026-01-15T23:00:00Z", "2026-01-15T23:00:00Z"},
		{"Europe/Amsterdam", "2026-07-15T12:00:00Z", "2026-07-14T22:00:00Z"},
		// Its days of 23 and 25 hours.
		{"Europe/Amsterdam", "2026-03-29T21:59:59Z", "2026-03-28T23:00:00Z"},
		{"Europe/Amsterdam", "2026-03-29T22:00:00Z", "2026-03-29T22:00:00Z"},
		{"Europe/Amsterdam", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z"},
		{"Europe/Amsterdam", "2026-10-25T23:00:00Z", "2026-10-25T23:00:00Z"},
		// Thirteen hours ahead; in 2011 it skipped the 30th of December.
		{"Pacific/Apia", "2026-01-15T10:59:59Z", "2026-01-14T11:00:00Z"},
		{"Pacific/Apia", "2026-01-15T11:00:00Z", "2026-01-15T11:00:00Z"},
		{"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z"},
		{"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"Pacific/Apia", "2011-12-31T09:59:59Z", "2011-12-30T10:00:00Z"},
		{"Asia/Kathmandu", "2026-01-15T18:14:59Z", "2026-01-14T18:15:00Z"},
		{"America/Los_Angeles", "2026-01-15T07:59:59Z", "2026-01-14T08:00:00Z"},
		// Midnight is skipped: the day begins at 01:00.
		{"Africa/Cairo", "2024-04-25T21:59:59Z", "2024-04-24T22:00:00Z"},
		{"Africa/Cairo", "2024-04-25T22:00:00Z", "2024-04-25T22:00:00Z"},
		{"Africa/Cairo", "2024-04-26T12:00:00Z", "2024-04-25T22:00:00Z"},
		{"America/Santiago", "2024-09-08T12:00:00Z", "2024-09-08T04:00:00Z"},
		// Midnight strikes twice: the day begins with the first.
		{"America/Havana", "2024-11-03T04:30:00Z", "2024-11-03T04:00:00Z"},
		{"America/Havana", "2024-11-03T05:00:00Z", "2024-11-03T04:00:00Z"},
		{"America/Havana", "2024-11-03T05:30:00Z", "2024-11-03T04:00:00Z"},
		{"America/Havana", "2024-11-03T18:00:00Z", "2024-11-03T04:00:00Z"},
		// The hour before midnight strikes twice.
		{"America/Santiago", "2024-04-07T03:30:00Z", "2024-04-06T03:00:00Z"},
		{"America/Santiago", "2024-04-07T04:00:00Z", "2024-04-07T04:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339Nano, c.now)
		require.NoError(t, err)
		got := zone(t, c.zone).DayStart(now)
		require.Equal(t, c.start, got.UTC().Format(time.RFC3339), "%s at %s", c.zone, c.now)
	}
}

func TestDayStartOfNoZoneIsUTC(t *testing.T) {
	require.Equal(t, time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), TimeZone{}.DayStart(noon))
}

func TestDayStartIsTheFirstInstantOfItsDate(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Amsterdam", "Pacific/Apia", "Africa/Cairo", "America/Havana", "America/Santiago", "Asia/Beirut",
		"Australia/Lord_Howe", "America/St_Johns", "Asia/Gaza", "Pacific/Kiritimati", "America/Sao_Paulo", "Antarctica/Troll",
	}
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		require.NoError(t, err)
		now := time.Unix(rapid.Int64Range(0, 2_000_000_000).Draw(t, "now"), 0).In(loc)
		start := TimeZone{loc}.DayStart(now)
		require.False(t, start.After(now))
		require.True(t, sameDay(start, now), "%s is not on the day of %s", start, now)
		require.False(t, sameDay(start.Add(-1), now), "the day of %s began before %s", now, start)
		require.Equal(t, start.UnixNano(), TimeZone{loc}.DayStart(start).UnixNano(), "its own day start")
	})
}

func TestZonesThatDifferByHostAreRefused(t *testing.T) {
	for _, text := range []string{
		`""`, `"Local"`, `"localtime"`, `"posixrules"`, `"right/UTC"`, `"posix/UTC"`, `"Mars/Olympus"`, `"+02:00"`,
		`"../../etc/passwd"`, `"/etc/localtime"`, `"Europe"`, `"Europe/Amsterdam "`, `1`, `null`, `{}`,
	} {
		var z TimeZone
		require.Error(t, json.Unmarshal([]byte(text), &z), text)
		require.Nil(t, z.Location, text)
	}
}
