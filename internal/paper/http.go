package paper

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// request is one call as it arrived, before anything is believed about it.
type request struct {
	method, path string // path without /v2
	signedPath   string // as the client signed it: with /v2 and query
	market       string // the market in the path, if any
	query        *params
	body         []byte
	address      string
	header       http.Header
	asked        url.Values // the query as it came
	message      *message   // instead of header and query, from a socket
	arrived      time.Time
	deadline     time.Time // zero when unsigned
	key          *Key
	fate         fate
}

const maxBody = 1 << 20

// route sends a call to the exchange or, from this machine only, to its levers.
func (e *Exchange) route(w http.ResponseWriter, r *http.Request) {
	switch {
	case websocket.IsWebSocketUpgrade(r) && (r.URL.Path == "/v2/" || r.URL.Path == "/v2"):
		e.serveSocket(w, r)
	case strings.HasPrefix(r.URL.Path, "/v2/"):
		e.serve(w, r)
	case strings.HasPrefix(r.URL.Path, "/admin/") && e.cfg.Admin && fromLoopback(r.RemoteAddr):
		e.admin(w, r)
	default:
		noSuchPage().send(w)
	}
}

func fromLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// serve answers a call, unless a fault strikes it on the way in or out.
func (e *Exchange) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v2")
	fault, struck := e.faults.strike(callOf(r))
	if struck && faultKinds[fault.Kind].unread {
		reply{drop: true, reset: true}.send(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		answerError(refuse(codeInvalidJSON)).send(w)
		return
	}
	req := request{method: r.Method, path: path, signedPath: r.RequestURI, body: body,
		address: hostOf(r), header: r.Header, asked: r.URL.Query()}
	if !struck {
		e.answer(req).send(w)
		return
	}
	e.faulty(fault, req).send(w)
}

func hostOf(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// answer finds the endpoint and asks it. It works on a copy of the request: a
// fault may deliver the same one twice.
func (e *Exchange) answer(delivered request) reply {
	req := &delivered
	req.arrived = e.now()
	end, ok := findEndpoint(req)
	if !ok {
		return noSuchPage()
	}
	authErr := e.identify(req)
	meter := e.budget.charge(req.payer(), req.key != nil, end.weightOf(req.oneMarket()), req.arrived)
	out := e.judge(end, req, errors.Join(meter.banned, authErr))
	if !out.drop {
		meter.stamp(out.header)
	}
	return out
}

// payer is who the weight of a request counts for.
func (r *request) payer() string {
	if r.key != nil {
		return "key " + r.key.Key
	}
	return "address " + r.address
}

// identify finds out who asks: a socket has said so before, anyone else says
// it with each request.
func (e *Exchange) identify(r *request) error {
	if r.message != nil {
		r.key = r.message.key
		return nil
	}
	return e.authenticate(r, r.header)
}

func (r *request) oneMarket() bool {
	if r.message != nil {
		return r.message.has("market")
	}
	return r.asked.Has("market")
}

// read takes in what is asked, as far as the endpoint takes it.
func (e *Exchange) read(end endpoint, r *request) (err error) {
	if r.message != nil {
		err = r.message.fill(r, end, e.cfg.Options.Lenient)
		return err
	}
	r.query, err = queryParams(r.asked, end.query)
	return err
}

func (e *Exchange) judge(end endpoint, req *request, err error) reply {
	if err == nil {
		err = end.permits(req.key)
	}
	if err == nil {
		err = e.read(end, req)
	}
	if err != nil {
		return answerError(err)
	}
	value, err := end.serve(e, req)
	// Whatever the reply shows is on disk before it leaves.
	if syncErr := e.journal.sync(); syncErr != nil && err == nil {
		err = refuse(codeTimeout)
	}
	if end.needs == Trade {
		if closed := e.cfg.Wait(e.closing, e.pace().reply); closed != nil {
			return reply{drop: true}
		}
	}
	if err != nil {
		return answerError(err)
	}
	return answerJSON(http.StatusOK, value)
}
