package market

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/bitvavo/go-bitvavo-api"
	"github.com/stretchr/testify/require"
)

func TestReaderHasNothingButReads(t *testing.T) {
	reader := reflect.TypeFor[*Reader]()
	var methods []string
	for i := range reader.NumMethod() {
		methods = append(methods, reader.Method(i).Name)
	}
	require.Equal(t, []string{"Balance", "Book", "BookTops", "Candles", "Close", "Format", "GoString", "LogValue", "Prices", "Rules", "String", "Time"}, methods)
}

// Even code of this package could not send an order by mistake.
func TestNothingButAGetLeaves(t *testing.T) {
	v := newVenue(t)
	_, err := ask(t.Context(), v.reader, "place", object, func(b *bitvavo.Bitvavo) (bitvavo.Order, error) {
		return b.PlaceOrder("BTC-EUR", "buy", "market", map[string]string{"amount": "1"})
	})
	require.ErrorContains(t, err, "only read")
	_, err = ask(t.Context(), v.reader, "cancel", object, func(b *bitvavo.Bitvavo) (bitvavo.CancelOrder, error) {
		return b.CancelOrder("BTC-EUR", "o-1")
	})
	require.ErrorContains(t, err, "only read")
	require.Empty(t, v.seen)
}

func TestPanicOfTheOfficialClientIsAnErrorAndFreesTheTurn(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/time", says(200, `{"time":1548172481125}`))
	_, err := ask(t.Context(), v.reader, "break", object, func(*bitvavo.Bitvavo) (int, error) { panic("nil dereference") })
	require.ErrorIs(t, err, ErrUnavailable)
	_, err = v.reader.Time(t.Context())
	require.NoError(t, err)
}

func TestOtherUsersOfTheDefaultTransportSeeNoChange(t *testing.T) {
	before := http.DefaultTransport
	newVenue(t)
	require.Same(t, before, http.DefaultTransport)
	_, err := http.Get(scheme + "://call0/v2/time")
	require.ErrorContains(t, err, "call is over")
}

func TestOfficialClientsRateLimitVariablesStayUntouched(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/ticker/price", says(429, `{"errorCode":105,"error":"The ban expires at 1700000000000."}`))
	_, err := v.reader.Prices(t.Context())
	require.Error(t, err)
	require.Equal(t, 1000, bitvavo.Bitvavo{}.GetRemainingLimit())
}

func TestNewNamesTheFieldThatCannotBeUsed(t *testing.T) {
	for field, cfg := range map[string]Config{
		"URL: not":    {},
		"URL: scheme": {URL: "ws://127.0.0.1/v2"},
		"URL: must":   {URL: "http://127.0.0.1"},
		"Key:":        {URL: "http://127.0.0.1/v2", Key: "k"},
		"Timeout:":    {URL: "http://127.0.0.1/v2", Timeout: -time.Second},
	} {
		_, err := New(cfg)
		require.ErrorContains(t, err, field)
	}
	r, err := New(Config{URL: "https://api.bitvavo.com/v2/"})
	require.NoError(t, err)
	require.Equal(t, DefaultTimeout, r.timeout)
}

func TestKeyAndSecretAreNeverPrinted(t *testing.T) {
	cfg := Config{URL: "http://127.0.0.1:1/v2", Key: testKey, Secret: testSecret}
	r, err := New(cfg)
	require.NoError(t, err)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		for _, value := range []any{r, cfg, &cfg, []any{r, cfg}} {
			_, _ = fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("starting", "reader", r, "config", cfg)
	require.NoError(t, json.NewEncoder(&out).Encode([]any{cfg, r}))
	out.WriteString(r.GoString())
	require.Contains(t, out.String(), "127.0.0.1:1/v2")
	for _, secret := range []string{testKey, testSecret, fmt.Sprintf("%x", testSecret)} {
		require.NotContains(t, out.String(), secret)
	}
}

func TestErrorsDoNotRepeatTheKey(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/balance", says(403, `{"errorCode":305,"error":"API key `+testKey+` is inactive"}`))
	_, err := v.reader.Balance(t.Context())
	require.ErrorContains(t, err, "[key]")
	require.NotContains(t, err.Error(), testKey)
}
