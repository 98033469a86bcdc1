package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWorkerServesOnlyTheVenueOfItsAccount(t *testing.T) {
	cases := []struct {
		venue, row, ours string
		refused          string
	}{
		{"paper", paperURL, paperURL, ""},
		{"paper", paperURL + "/", paperURL, ""},
		{"paper", "http://LOCALHOST:1/v2", "http://localhost:1/v2", ""},
		{"live", "https://api.bitvavo.com/v2", "https://API.bitvavo.com/v2/", ""},
		{"paper", "http://127.0.0.1:8091/v2", paperURL, "is not the exchange of account a"},
		{"paper", "https://api.bitvavo.com/v2", "https://api.bitvavo.com/v2", "is a paper account"},
		{"live", paperURL, paperURL, "is a live account"},
		{"live", "https://api.bitvavo.com/v2", paperURL, "is not the exchange"},
		{"", paperURL, paperURL, "neither paper nor live"},
		{"paper", "nonsense", paperURL, "its rest_url"},
		{"paper", paperURL, "nonsense", "BITVAVO_REST_URL"},
	}
	for _, c := range cases {
		err := CheckVenue(Account{ID: "a", Venue: c.venue, RESTURL: c.row}, c.ours)
		if c.refused == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.refused)
	}
}

func TestOnlyThisMachineIsPaper(t *testing.T) {
	for url, venue := range map[string]string{
		"http://127.0.0.1:1/v2": "paper", "http://[::1]:1/v2": "paper", "http://localhost/v2": "paper",
		"https://10.0.0.1/v2": "live", "https://localhost.example/v2": "live", "https://bitvavo.com/v2": "live",
	} {
		got, err := VenueOf(url)
		require.NoError(t, err, url)
		require.Equal(t, venue, got, url)
	}
	_, err := VenueOf("http://10.0.0.1/v2")
	require.ErrorContains(t, err, "without encryption")
}

func FuzzParseExchange(f *testing.F) {
	for _, seed := range []string{paperURL, "https://api.bitvavo.com/v2", "http://user@127.0.0.1/v2", "http://127.0.0.1@evil/v2", "//x/v2", "http://[::1/v2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseExchange(text)
		if err != nil {
			return
		}
		require.True(t, u.Scheme == "https" || loopback(u.Hostname()), "plain text leaves the machine")
		again, err := parseExchange(u.String())
		require.NoError(t, err)
		require.Equal(t, u.String(), again.String())
	})
}
