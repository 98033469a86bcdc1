package orders

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"interlock/internal/rate"
	"interlock/internal/trade"
)

// ushers grants turns until they run out, and keeps what it hears.
type ushers struct {
	left   int
	taken  int
	heeded []rate.Notice
}

func (u *ushers) Take(context.Context) error {
	if u.left--; u.left < 0 {
		return rate.ErrNoTurn
	}
	u.taken++
	return nil
}

func (u *ushers) Heed(_ context.Context, n rate.Notice) { u.heeded = append(u.heeded, n) }

func TestEveryRequestTakesOneTurn(t *testing.T) {
	p := newPaperVenue(t)
	u := &ushers{left: 1000}
	p.client.turns = u
	p.client.clock.forget()

	p.look(uuid.New())
	p.place(resting(), uuid.New())
	_, _ = p.client.Balances(ctx(t))
	_, _ = p.client.OpenOrders(ctx(t))
	_ = p.client.Cancel(ctx(t), "BTC-EUR", uuid.NewString())

	require.Equal(t, len(u.heeded), u.taken, "as many turns as replies")
	require.Equal(t, 9, u.taken)
}

func TestWithoutATurnNothingIsSent(t *testing.T) {
	v := newVenue(t)
	deadline := venueTime.Add(trade.AccessWindow)
	v.client.turns = &ushers{left: 1} // for the clock
	placed := v.client.Place(ctx(t), limitPlan(), testID, deadline)
	require.Equal(t, trade.NotSent, placed.Reply)
	require.Equal(t, CodeNoTurn, placed.Code)
	require.Empty(t, v.requests("POST /v2/order"))

	_, err := v.client.Balances(ctx(t))
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, rate.ErrNoTurn)
	require.Empty(t, v.requests("GET /v2/balance"))
	require.Equal(t, trade.Inconclusive, v.client.Look(ctx(t), searched(venueTime)).Result)
}

func TestWhatAReplySaysOfTheBudget(t *testing.T) {
	ms := func(d time.Duration) string { return fmt.Sprint(venueTime.Add(d).UnixMilli()) }
	banned := func(text string) string { return `{"errorCode":105,"error":"` + text + `"}` }
	for name, c := range map[string]struct {
		status      int
		body        string
		left, reset string
		want        rate.Notice
	}{
		"plenty":              {200, `[]`, "900", ms(20 * time.Second), rate.Notice{Limit: 1000, Left: 900, Reset: 20 * time.Second}},
		"reset far off":       {200, `[]`, "9", ms(time.Hour), rate.Notice{Limit: 1000, Left: 9, Reset: time.Minute}},
		"reset has been":      {200, `[]`, "9", ms(-time.Hour), rate.Notice{Limit: 1000, Left: 9}},
		"reset unreadable":    {200, `[]`, "9", "soon", rate.Notice{Limit: 1000, Left: 9, Reset: time.Minute}},
		"left unreadable":     {200, `[]`, "-1", ms(time.Second), rate.Notice{}},
		"ban with its end":    {429, banned("banned. The ban expires at " + ms(90*time.Second) + "."), "", "", rate.Notice{Ban: 90 * time.Second}},
		"ban for ever":        {429, banned("The ban expires at 9999999999999."), "", "", rate.Notice{Ban: time.Hour}},
		"ban without its end": {429, banned("Rate limit exceeded."), "", "", rate.Notice{Ban: time.Minute}},
		"429 of a proxy":      {429, `<html>slow down`, "", "", rate.Notice{Ban: time.Minute}},
		"105 with another 4xx": {403, banned("The ban expires at " + ms(2*time.Second) + "."), "", "",
			rate.Notice{Ban: 2 * time.Second}},
		"110 of older documents": {404, `{"errorCode":110,"error":"Invalid endpoint"}`, "", "", rate.Notice{}},
		"another refusal":        {400, `{"errorCode":205,"error":"expires at 9999999999999"}`, "", "", rate.Notice{}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVenue(t)
			u := &ushers{left: 10}
			v.client.turns = u
			v.client.clock.elapsed = func() time.Duration { return 0 }
			v.on("GET /v2/balance", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("bitvavo-ratelimit-limit", "1000")
				w.Header().Set("bitvavo-ratelimit-remaining", c.left)
				w.Header().Set("bitvavo-ratelimit-resetat", c.reset)
				says(c.status, c.body)(w, r)
			})
			_, _ = v.client.Balances(ctx(t))
			require.Equal(t, []rate.Notice{{}, c.want}, u.heeded, "the clock is asked for without the key")
		})
	}
}
