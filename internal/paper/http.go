package paper

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// request is one call as it arrived, before anything is believed about it.
type request struct {
	method, path string // path without /v2
	signedPath   string // as the client signed it: with /v2 and query
	market       string // the market in the path, if any
	query        *params
	body         []byte
	address      string
	arrived      time.Time
	deadline     time.Time // zero when unsigned
	key          *Key
}

// reply is what is to be sent, or how not to send it.
type reply struct {
	status int
	header map[string]string
	body   []byte
	cut    bool // send half of the body, then close
	drop   bool // close without a word
	reset  bool // and do it rudely
}

const maxBody = 1 << 20

// route sends a call to the exchange or, from this machine only, to its levers.
func (e *Exchange) route(w http.ResponseWriter, r *http.Request) {
	switch {
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
	fault, struck := e.faults.strike(r.Method, path)
	if struck && faultKinds[fault.Kind].unread {
		reply{drop: true, reset: true}.send(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		answerError(refuse(codeInvalidJSON)).send(w)
		return
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	req := &request{method: r.Method, path: path, signedPath: r.RequestURI, body: body, address: host}
	if !struck {
		e.answer(req, r).send(w)
		return
	}
	e.faulty(fault, func() reply { return e.answer(req, r) }).send(w)
}

// answer finds the endpoint and asks it.
func (e *Exchange) answer(req *request, r *http.Request) reply {
	req.arrived = e.cfg.Clock()
	end, ok := findEndpoint(req)
	if !ok {
		return noSuchPage()
	}
	authErr := e.authenticate(req, r.Header)
	meter := e.budget.charge(req.payer(), req.key != nil, end.weightOf(r.URL.Query().Has("market")), req.arrived)
	out := e.judge(end, req, r, errors.Join(meter.banned, authErr))
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

func (e *Exchange) judge(end endpoint, req *request, r *http.Request, err error) reply {
	if err == nil {
		err = end.permits(req.key)
	}
	if err == nil {
		req.query, err = queryParams(r.URL.Query(), end.query)
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

func answerJSON(status int, value any) reply {
	body, err := json.Marshal(value)
	if err != nil {
		return answerError(err)
	}
	return reply{status: status, body: body, header: map[string]string{"Content-Type": "application/json"}}
}

// answerError answers a refusal; anything else means that the exchange is
// closing, and a closing exchange does not answer.
func answerError(err error) reply {
	var no refusal
	if !errors.As(err, &no) {
		return reply{drop: true}
	}
	return answerJSON(no.status(), no)
}

func answerHTML(status int, title string) reply {
	page := "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>\n"
	return reply{status: status, body: []byte(page), header: map[string]string{"Content-Type": "text/html; charset=utf-8"}}
}

func noSuchPage() reply { return answerHTML(http.StatusNotFound, "404 Not Found") }

func (a reply) send(w http.ResponseWriter) {
	if a.drop {
		hangUp(w, a.reset)
		return
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if a.cut {
		a.body = a.body[:len(a.body)/2]
	}
	if _, err := w.Write(a.body); err != nil || !a.cut {
		return // a client that is gone needs no answer
	}
	_ = http.NewResponseController(w).Flush()
	hangUp(w, false)
}

// hangUp closes the connection under the client; a reset is what a killed
// process or a firewall leaves.
func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
