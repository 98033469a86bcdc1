package orders

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

// errorBody is an error reply in the exchange's shape.
func errorBody(code int) []byte {
	return fmt.Appendf(nil, `{"errorCode":%d,"error":"some words"}`, code)
}

func between(code, from, to int) bool { return code >= from && code <= to }

// refusals is written down independently of the table it checks.
func refusals(code int) bool {
	return code == 102 || between(code, 200, 206) || between(code, 210, 215) || between(code, 217, 219) || code == 231 ||
		between(code, 235, 238) || between(code, 300, 303) || between(code, 305, 320) || between(code, 422, 426) || code == 429
}

func TestEveryErrorCodeHasItsReply(t *testing.T) {
	for code := 100; code <= 999; code++ {
		placed := Classify(400, errorBody(code))
		want := trade.Unknown
		switch {
		case refusals(code):
			want = trade.Refused
		case code == 103, code == 104, code == 105, code == 112:
			want = trade.NotSent
		}
		require.Equal(t, want, placed.Reply, code)
		if code != 110 {
			require.Equal(t, strconv.Itoa(code), placed.Code)
		}
	}
}

func TestServerErrorProvesNothingWhateverItsCode(t *testing.T) {
	for _, status := range []int{100, 200, 204, 301, 307, 500, 502, 503, 504, 522} {
		for code := 100; code <= 999; code++ {
			placed := Classify(status, errorBody(code))
			require.Equal(t, trade.Unknown, placed.Reply, "HTTP %d, %d", status, code)
		}
	}
}

// The protocol takes 216 and 304 for refusals after one look; a gateway's 5xx
// must not borrow their names.
func TestDoubtfulRefusalsKeepTheirCodeOnlyWithAFittingStatus(t *testing.T) {
	for _, code := range []int{216, 304} {
		require.Equal(t, strconv.Itoa(code), Classify(403, errorBody(code)).Code)
		for _, status := range []int{200, 429, 500, 503} {
			placed := Classify(status, errorBody(code))
			require.Equal(t, trade.Unknown, placed.Reply)
			require.Equal(t, "HTTP_"+strconv.Itoa(status), placed.Code)
		}
	}
}

func TestTooManyRequestsNeedsARateLimitCode(t *testing.T) {
	for code := 100; code <= 999; code++ {
		want := trade.Unknown
		if between(code, 103, 105) || code == 110 || code == 112 {
			want = trade.NotSent
		}
		require.Equal(t, want, Classify(429, errorBody(code)).Reply, code)
	}
	require.Equal(t, trade.Unknown, Classify(429, nil).Reply)
	require.Equal(t, trade.Unknown, Classify(429, []byte("slow down")).Reply)
}

func TestConflictOfClientOrderIDsIsUnknown(t *testing.T) {
	placed := Classify(400, errorBody(220))
	require.Equal(t, trade.Unknown, placed.Reply)
	require.Equal(t, "220", placed.Code)
}

func TestUnreadableRefusalIsUnknown(t *testing.T) {
	for _, body := range []string{
		``, ` `, `null`, `205`, `"205"`, `[]`, `[{"errorCode":205}]`, `{`, `{}`, `{"errorCode":205`, `{"errorCode":205}x`,
		`{"errorCode":205}{"errorCode":205}`, `{"errorCode":"205"}`, `{"errorCode":205.0}`, `{"errorCode":2.05e2}`,
		`{"errorCode":-205}`, `{"errorCode":null}`, `{"errorCode":0}`, `{"errorcode":205}`, `{"ErrorCode":205}`,
		`{"error":"errorCode 205"}`, `{"errorCode":205,"errorCode":109}`, `{"errorCode":205,"orderId":"o-1"}`,
		`<html><body>400 Bad Request</body></html>`, `{"code":205}`, `{"data":{"errorCode":205}}`, `{"errorCode":[205]}`,
	} {
		placed := Classify(400, []byte(body))
		require.Equal(t, trade.Unknown, placed.Reply, body)
		require.Equal(t, "HTTP_400", placed.Code, body)
	}
}

func TestOrderWithAnErrorStatusIsUnknown(t *testing.T) {
	for _, status := range []int{199, 300, 400, 409, 500} {
		require.Equal(t, trade.Unknown, Classify(status, []byte(orderJSON("o-1", "", "buy", "filled"))).Reply)
	}
}

func TestRulingsDoNotOverlapAndSayWhy(t *testing.T) {
	seen := map[int]bool{}
	for _, r := range rulings {
		require.NotEmpty(t, r.why)
		require.LessOrEqual(t, r.from, r.to)
		for code := r.from; code <= r.to; code++ {
			require.False(t, seen[code], code)
			seen[code] = true
		}
	}
}

func TestForeignTextIsShortAndPrintable(t *testing.T) {
	body, err := json.Marshal(map[string]any{"errorCode": 205, "error": "a\nb\x00" + string(make([]byte, 5000))})
	require.NoError(t, err)
	placed := Classify(400, body)
	require.Less(t, len(placed.Message), 300)
	require.NotContains(t, placed.Message, "\n")
	require.NotContains(t, placed.Message, "\x00")
}

// FuzzClassify holds every reply to its proof: an order or a listed code,
// found by a second reading that shares no code with the first.
func FuzzClassify(f *testing.F) {
	f.Add(200, []byte(orderJSON("o-1", testID.String(), "buy", "new")))
	f.Add(400, errorBody(205))
	f.Add(429, errorBody(105))
	f.Add(500, errorBody(101))
	f.Add(400, []byte(`{"errorCode":205,"errorCode":109}`))
	f.Add(200, []byte(`{"orderId":"o-1","market":"BTC-EUR","side":"buy","amount":"1e9999999"}`))
	f.Add(502, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		placed := Classify(status, body)
		var fields map[string]any
		broken := json.Unmarshal(body, &fields)
		code, _ := fields["errorCode"].(float64)
		switch placed.Reply {
		case trade.Accepted:
			require.NoError(t, broken)
			require.True(t, between(status, 200, 299))
			require.NotEmpty(t, fields["orderId"])
			require.NotContains(t, fields, "errorCode")
			require.Equal(t, fields["orderId"], placed.Order.OrderID)
		case trade.Refused:
			require.NoError(t, broken)
			require.True(t, between(status, 400, 499) && status != 429)
			require.True(t, refusals(int(code)))
			require.NotContains(t, fields, "orderId")
		case trade.NotSent:
			require.NoError(t, broken)
			require.True(t, between(status, 400, 499))
			require.Contains(t, []float64{103, 104, 105, 110, 112}, code)
		case trade.Unknown:
			require.Nil(t, placed.Order)
		default:
			t.Fatalf("reply %q", placed.Reply)
		}
	})
}
