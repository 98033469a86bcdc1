package market

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everyCall is each read of a reader, by name.
func everyCall(r *Reader) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Time":     func(ctx context.Context) error { _, err := r.Time(ctx); return err },
		"Prices":   func(ctx context.Context) error { _, err := r.Prices(ctx); return err },
		"BookTops": func(ctx context.Context) error { _, err := r.BookTops(ctx); return err },
		"Rules":    func(ctx context.Context) error { _, err := r.Rules(ctx); return err },
		"Candles":  func(ctx context.Context) error { _, err := r.Candles(ctx, "BTC-EUR", "1m", 5); return err },
		"Balance":  func(ctx context.Context) error { _, err := r.Balance(ctx); return err },
	}
}

func everyPath(v *venue, reply http.HandlerFunc) {
	for _, path := range []string{"time", "ticker/price", "ticker/book", "markets", "BTC-EUR/candles", "balance"} {
		v.on("/v2/"+path, reply)
	}
}

func TestDeadSocketIsAnErrorNotAPanicAndNothingIsPrinted(t *testing.T) {
	for _, base := range []string{deadAddress(t), droppingAddress(t)} {
		for name, call := range everyCall(newReader(t, base)) {
			out := printed(t, func() { require.ErrorIs(t, call(t.Context()), ErrUnavailable, name) })
			require.Empty(t, out)
		}
	}
}

func TestErrorReplyIsAnErrorWithItsCode(t *testing.T) {
	for _, c := range []struct {
		status, code int
		body         string
		retry        bool
	}{
		{502, 0, `<html><body>bad gateway</body></html>`, true},
		{503, 107, `{"errorCode":107,"error":"overloaded"}`, true},
		{500, 0, ``, true},
		{429, 105, `{"errorCode":105,"error":"Your IP or API key has been banned at 5. The ban expires at 1700000000000."}`, true},
		{429, 105, `{"errorCode":105,"error":"banned"}`, true},
		{200, 105, `{"errorCode":105,"error":"banned"}`, true},
		{403, 309, `{"errorCode":309,"error":"The signature is invalid."}`, false},
		{400, 205, `{"errorCode":205,"error":"market parameter is invalid."}`, false},
		{404, 0, `<html>`, false},
		{307, 0, ``, false},
	} {
		v := newVenue(t)
		everyPath(v, says(c.status, c.body))
		for name, call := range everyCall(v.reader) {
			var err error
			out := printed(t, func() { err = call(t.Context()) })
			var failure *APIError
			require.ErrorAs(t, err, &failure, "%s %s", name, c.body)
			require.Equal(t, c.status, failure.Status)
			require.Equal(t, c.code, failure.Code)
			if c.retry {
				require.ErrorIs(t, err, ErrUnavailable)
			} else {
				require.NotErrorIs(t, err, ErrUnavailable)
			}
			require.Empty(t, out)
		}
	}
}

func TestReplyThatSaysNothingIsAnError(t *testing.T) {
	for _, body := range []string{`{}`, `null`, ``, `<html>`, `"text"`, `[{}]`, `[{"market":"BTC-EUR"`, `5`} {
		v := newVenue(t)
		everyPath(v, says(200, body))
		for name, call := range everyCall(v.reader) {
			require.ErrorIs(t, call(t.Context()), ErrUnavailable, "%s %s", name, body)
		}
	}
}

func TestRedirectIsNotFollowedWithTheKey(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/balance", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/v2/elsewhere", 307) })
	_, err := v.reader.Balance(t.Context())
	require.Error(t, err)
	require.Equal(t, "/v2/balance", v.last().URL.Path)
}

func TestEndlessReplyIsCutOff(t *testing.T) {
	v := newVenue(t)
	v.on("/v2/time", func(w http.ResponseWriter, _ *http.Request) {
		for range maxReply/1024 + 2 {
			_, _ = io.WriteString(w, strings.Repeat(" ", 1024))
		}
	})
	_, err := v.reader.Time(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
}

// hanging answers nothing until it is let go.
func hanging(t *testing.T, v *venue) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	everyPath(v, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
	})
	return open
}

func TestHungExchangeEndsEveryCallAndLaterCallsWorkAgain(t *testing.T) {
	v := newVenue(t)
	release := hanging(t, v)
	v.reader.timeout = 50 * time.Millisecond
	var all sync.WaitGroup
	for range 3 {
		for name, call := range everyCall(v.reader) {
			all.Go(func() {
				err := call(context.Background())
				if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	all.Wait()
	release()
	v.on("/v2/time", says(200, `{"time":1548172481125}`))
	v.reader.timeout = 5 * time.Minute
	_, err := v.reader.Time(t.Context())
	require.NoError(t, err)
}

func TestCallerMayGiveUpWhileAnEarlierCallHangs(t *testing.T) {
	v := newVenue(t)
	arrived := make(chan struct{})
	v.on("/v2/time", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	first, giveUp := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := v.reader.Time(first); done <- err }()
	<-arrived

	second, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.reader.Prices(second)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, ErrUnavailable)

	giveUp()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestConcurrentCallsDoNotMixUpTheirReplies(t *testing.T) {
	v := newVenue(t)
	other := newVenue(t)
	for i, at := range []*venue{v, other} {
		at.on("/v2/time", says(200, fmt.Sprintf(`{"time":%d}`, 1548172481000+i)))
		at.on("/v2/ticker/price", says(429, `{"errorCode":105,"error":"The ban expires at 5."}`))
	}
	var all sync.WaitGroup
	for range 20 {
		for i, at := range []*venue{v, other} {
			all.Go(func() {
				now, err := at.reader.Time(context.Background())
				if err != nil || now.UnixMilli() != int64(1548172481000+i) {
					t.Errorf("%v %v", now, err)
				}
			})
			all.Go(func() { _, _ = at.reader.Prices(context.Background()) })
		}
	}
	all.Wait()
}
