package orders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewNamesEveryFieldThatCannotBeUsed(t *testing.T) {
	_, err := New(Config{RequestTimeout: -1})
	require.ErrorContains(t, err, "URL:")
	require.ErrorContains(t, err, "Key:")
	require.ErrorContains(t, err, "OperatorID:")

	good := Config{URL: "https://api.bitvavo.com/v2/", Key: testKey, Secret: testSecret, OperatorID: 1}
	c, err := New(good)
	require.NoError(t, err)
	require.Equal(t, DefaultRequestTimeout, c.timeout)
	for field, spoil := range map[string]func(*Config){
		"URL: must":      func(c *Config) { c.URL = "https://api.bitvavo.com" },
		"URL: scheme":    func(c *Config) { c.URL = "ftp://api.bitvavo.com/v2" },
		"URL: the live":  func(c *Config) { c.URL = "http://api.bitvavo.com/v2" },
		"URL: not":       func(c *Config) { c.URL = "https://user:pass@api.bitvavo.com/v2" },
		"Key:":           func(c *Config) { c.Key = " " + testKey },
		"Secret:":        func(c *Config) { c.Secret = "" },
		"OperatorID:":    func(c *Config) { c.OperatorID = 0 },
		"RequestTimeout": func(c *Config) { c.RequestTimeout = -time.Second },
	} {
		cfg := good
		spoil(&cfg)
		_, err := New(cfg)
		require.ErrorContains(t, err, field)
		require.NotContains(t, err.Error(), testSecret)
	}
}

func TestKeyAndSecretAreNeverPrinted(t *testing.T) {
	cfg := Config{URL: "http://127.0.0.1:1/v2", Key: testKey, Secret: testSecret, OperatorID: 7}
	c, err := New(cfg)
	require.NoError(t, err)
	type holder struct {
		Client *Client
		Config Config
	}
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t"} {
		for _, value := range []any{c, cfg, &cfg, holder{c, cfg}, []any{c, cfg}} {
			_, _ = fmt.Fprintf(&printed, verb+"\n", value)
		}
	}
	logger := slog.New(slog.NewJSONHandler(&printed, nil))
	logger.Info("starting", "client", c, "config", cfg, "both", holder{c, cfg})
	slog.New(slog.NewTextHandler(&printed, nil)).Info("starting", "client", c, "config", cfg)
	require.NoError(t, json.NewEncoder(&printed).Encode(cfg))
	require.NoError(t, json.NewEncoder(&printed).Encode(c))
	printed.WriteString(c.GoString())

	require.Contains(t, printed.String(), "127.0.0.1:1/v2")
	for _, secret := range []string{testKey, testSecret, fmt.Sprintf("%x", testSecret), fmt.Sprintf("%d", []byte(testSecret))} {
		require.NotContains(t, printed.String(), secret)
	}
}

func TestErrorsDoNotRepeatTheKey(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/balance", says(403, `{"errorCode":305,"error":"API key `+testKey+` with `+testSecret+` is inactive"}`))
	_, err := v.client.Balances(ctx(t))
	require.ErrorContains(t, err, "[key]")
	require.NotContains(t, err.Error(), testKey)
	require.NotContains(t, err.Error(), testSecret)
}

func TestSignatureIsTheDocumentedOne(t *testing.T) {
	k := keys{key: testKey, secret: []byte("bitvavo")}
	body := []byte(`{"market":"BTC-EUR","side":"buy","price":"5000","amount":"1.23","orderType":"limit"}`)
	require.Equal(t, "44d022723a20973a18f7ee97398b9fdd405d2d019c8d39e24b8cc0dcb39ca016",
		k.signature("1548172481125", "POST", "/v2/order", body))
}

func TestSignatureCoversThePathFromTheExchangesRoot(t *testing.T) {
	for target, want := range map[string]string{
		"https://api.bitvavo.com/v2/order":                      "/v2/order",
		"http://127.0.0.1:8080/venue/v2/orders?market=A&x=%2F":  "/v2/orders?market=A&x=%2F",
		"http://127.0.0.1/v2/v2/ordersOpen?q=/v2/orders&market": "/v2/ordersOpen?q=/v2/orders&market",
	} {
		req, err := http.NewRequest(http.MethodGet, target, nil)
		require.NoError(t, err)
		require.Equal(t, want, signedPath(req))
	}
}
