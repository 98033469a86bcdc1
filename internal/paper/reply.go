package paper

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
)

// reply is what is to be sent, or how not to send it.
type reply struct {
	status int
	header map[string]string
	body   []byte
	cut    bool // send half of the body, then close
	// drip passes the time before each of so many pieces of the body.
	drip  func(pieces int) error
	drop  bool // close without a word
	reset bool // and do it rudely
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
	if a.drip != nil {
		a.trickle(w)
		return
	}
	if _, err := w.Write(a.body); err != nil || !a.cut {
		return // a client that is gone needs no answer
	}
	_ = http.NewResponseController(w).Flush()
	hangUp(w, false)
}

// drops is in how many pieces a slow body comes at most.
const drops = 20

func (a reply) trickle(w http.ResponseWriter) {
	_ = http.NewResponseController(w).Flush()
	size := len(a.body)/drops + 1
	for piece := range slices.Chunk(a.body, size) {
		if a.drip((len(a.body)+size-1)/size) != nil {
			hangUp(w, false)
			return
		}
		if _, err := w.Write(piece); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
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
