package paper

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/shopspring/decimal"
)

// lever is one thing the admin side can do. Its errors are the caller's.
type lever func(e *Exchange, r *http.Request) (any, error)

var levers = map[string]lever{
	"GET /admin/faults":    func(e *Exchange, _ *http.Request) (any, error) { return e.faults.list(), nil },
	"POST /admin/faults":   addFault,
	"DELETE /admin/faults": clearFaults,
	"POST /admin/schedule": setSchedule,
	"GET /admin/orders":    listOrders,
	"GET /admin/ledger":    showLedger,
	"POST /admin/price":    setPrice,
	"POST /admin/clock":    setClock,
	"POST /admin/options":  setOptions,
	"POST /admin/delay":    setDelay,
	"POST /admin/book":     setBook,
	"POST /admin/market":   setMarket,
}

// admin serves the levers. It is for tests and demonstrations on this machine:
// it asks for no key, which is why only loopback clients get here.
func (e *Exchange) admin(w http.ResponseWriter, r *http.Request) {
	pull, ok := levers[r.Method+" "+r.URL.Path]
	if !ok {
		noSuchPage().send(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	value, err := pull(e, r)
	if err := errors.Join(err, e.journal.sync()); err != nil {
		answerJSON(http.StatusBadRequest, map[string]string{"error": err.Error()}).send(w)
		return
	}
	answerJSON(http.StatusOK, value).send(w)
}

func readJSON[T any](r *http.Request) (v T, err error) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("body: %w", err)
	}
	return v, nil
}

// ledgerOrder is an order with what only the exchange knows of it.
type ledgerOrder struct {
	Seq     int64  `json:"seq"`
	Account string `json:"account"`
	orderView
}

// listOrders shows every order ever, oldest first, and what each fill cost,
// whatever reads are told.
func listOrders(e *Exchange, r *http.Request) (any, error) {
	account := r.URL.Query().Get("account")
	return e.look(func(now time.Time) (any, error) {
		rows := []ledgerOrder{}
		for _, o := range e.orders.all {
			if _, traded := e.markets[o.Market]; traded && (account == "" || o.Account == account) {
				rows = append(rows, e.ledgerView(o, now))
			}
		}
		return rows, nil
	})
}

func (e *Exchange) ledgerView(o *order, now time.Time) ledgerOrder {
	row := ledgerOrder{o.Seq, o.Account, e.view(o, now)}
	for i, f := range o.Fills {
		row.Fills[i] = f.view(e.markets[o.Market].Market, true)
	}
	return row
}

func showLedger(e *Exchange, _ *http.Request) (any, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.catchUp(e.now())
	// Rendered under the lock: the maps go on changing.
	body, err := json.Marshal(map[string]any{"accounts": e.ledger.accounts, "house": e.ledger.house, "fees": e.ledger.fees})
	return json.RawMessage(body), err
}

// setPrice pins a market's price; without a price the market moves again.
func setPrice(e *Exchange, r *http.Request) (any, error) {
	in, err := readJSON[struct{ Market, Price string }](r)
	if err != nil {
		return nil, err
	}
	return map[string]string{"market": in.Market, "price": in.Price}, e.Pin(in.Market, in.Price)
}

// Pin holds a market at a price until it is pinned elsewhere; an empty price
// lets it move again. Resting orders that the price reaches fill at once.
func (e *Exchange) Pin(market, price string) error {
	if price != "" && !pinnable(price) {
		return fmt.Errorf("pin %s: %q is no price", market, price)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.market(market)
	if err != nil {
		return err
	}
	now := e.now()
	e.catchUp(now)
	s.pin(price)
	s.history.add(e.machine(now), tick{s.mid, 0})
	e.cross(s, now)
	e.publish(now)
	return e.journal.append(record{Pins: map[string]string{market: price}})
}

// setDelay changes those delays that are given.
func setDelay(e *Exchange, r *http.Request) (any, error) {
	in, err := readJSON[struct{ EngineDelayMs, ReplyDelayMs, ReadLagMs, SettleAfterMs *int64 }](r)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := map[string]int64{}
	for name, field := range map[string]struct {
		to *time.Duration
		ms *int64
	}{
		"engineDelayMs": {&e.tempo.engine, in.EngineDelayMs}, "replyDelayMs": {&e.tempo.reply, in.ReplyDelayMs},
		"readLagMs": {&e.tempo.readLag, in.ReadLagMs}, "settleAfterMs": {&e.tempo.settle, in.SettleAfterMs},
	} {
		if field.ms != nil {
			*field.to = time.Duration(*field.ms) * time.Millisecond
		}
		now[name] = field.to.Milliseconds()
	}
	return now, nil
}

// bookSettings is a Book in JSON, of one market or of all.
type bookSettings struct {
	Market       string           `json:"market,omitempty"`
	SpreadBps    *int64           `json:"spreadBps"`
	LevelGapBps  *int64           `json:"levelGapBps"`
	Levels       *int             `json:"levels"`
	DepthQuote   *decimal.Decimal `json:"depthQuote"`
	FillFraction *decimal.Decimal `json:"fillFraction"`
}

// setBook changes what is given of the made-up book, of one market or of all.
func setBook(e *Exchange, r *http.Request) (any, error) {
	in, err := readJSON[bookSettings](r)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	states, err := e.selected(in.Market)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		b := in.onto(s.book)
		if err := b.check(); err != nil {
			return nil, err
		}
		s.book = b
		s.refresh()
	}
	return in, nil
}

func (in bookSettings) onto(b Book) Book {
	replace(&b.SpreadBps, in.SpreadBps)
	replace(&b.LevelGapBps, in.LevelGapBps)
	replace(&b.Levels, in.Levels)
	replace(&b.DepthQuote, in.DepthQuote)
	replace(&b.FillFraction, in.FillFraction)
	return b
}

func replace[T any](field *T, by *T) {
	if by != nil {
		*field = *by
	}
}

// setMarket changes a market's status until the exchange restarts.
func setMarket(e *Exchange, r *http.Request) (any, error) {
	in, err := readJSON[struct{ Market, Status string }](r)
	if err != nil {
		return nil, err
	}
	if !knownStatus(in.Status) {
		return nil, fmt.Errorf("status %q is unknown", in.Status)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.market(in.Market)
	if err != nil {
		return nil, err
	}
	s.Status = in.Status
	return viewMarket(s, time.Time{}), nil
}
