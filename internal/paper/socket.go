package paper

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// session is one socket. Its reader, its worker and its writer are three
// goroutines: what a client sends is answered in its order, and neither a slow
// answer nor a slow client holds up the exchange or anyone else.
type session struct {
	e       *Exchange
	conn    *websocket.Conn
	address string
	work    chan []byte
	out     chan frame
	gone    context.Context
	leave   context.CancelFunc

	// key and subs change under the exchange's lock; only the worker changes them.
	key  *Key
	subs map[subscription]bool

	second int64 // in which messages are counted
	count  int
}

// frame is one text on its way to a client.
type frame struct {
	text []byte
	// durable waits until what it tells is on disk.
	durable bool
	// last cuts the connection off behind it.
	last bool
}

const (
	waiting    = 256              // messages that wait for the one in work
	backlog    = 4096             // frames that wait for a client; one more and it is cut off
	perSecond  = 5000             // messages of one socket
	pingPeriod = 50 * time.Second // measured on the real exchange
)

// serveSocket serves one socket until either side ends it.
func (e *Exchange) serveSocket(w http.ResponseWriter, r *http.Request) {
	if fault, struck := e.faults.strike(call{method: r.Method, path: "/", socket: true, opening: true}); struck {
		e.turnAway(w, r, fault)
		return
	}
	conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	s := &session{e: e, conn: conn, address: hostOf(r), subs: map[subscription]bool{},
		work: make(chan []byte, waiting), out: make(chan frame, backlog)}
	s.gone, s.leave = context.WithCancel(e.closing)
	defer s.leave()
	if !e.join(s) {
		_ = conn.Close()
		return
	}
	defer e.part(s)
	s.run()
}

// turnAway lets a fault strike a socket that is about to open.
func (e *Exchange) turnAway(w http.ResponseWriter, r *http.Request, f Fault) {
	if faultKinds[f.Kind].unread {
		reply{drop: true, reset: true}.send(w)
		return
	}
	e.faulty(f, request{method: r.Method, path: "/", address: hostOf(r), header: r.Header}).send(w)
}

// join adds a session, unless the exchange is closing.
func (e *Exchange) join(s *session) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing.Err() != nil {
		return false
	}
	e.sockets.Add(1)
	e.sessions[s] = true
	return true
}

func (e *Exchange) part(s *session) {
	e.mu.Lock()
	delete(e.sessions, s)
	if len(e.sessions) == 0 {
		e.forget()
	}
	e.mu.Unlock()
	e.sockets.Done()
}

// closeSockets waits until every session has said goodbye.
func (e *Exchange) closeSockets() {
	e.mu.Lock()
	e.close() // under the lock, so that none joins any more
	e.mu.Unlock()
	e.sockets.Wait()
}

func (s *session) run() {
	stop := context.AfterFunc(s.gone, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	worked := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		defer close(worked)
		for text := range s.work {
			s.handle(text)
		}
	})
	both.Go(func() { s.write(worked) })
	s.read()
	close(s.work)
	both.Wait()
}

// read takes in messages until the connection ends. What arrived before is
// still carried out: an order on its way cannot be called back.
func (s *session) read() {
	s.conn.SetReadLimit(maxBody)
	for {
		_, text, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		if s.tooMany(s.e.cfg.Clock().Unix()) {
			s.push(frame{text: encoded(said{refusal: ref(refuse(codeMessageRate))})})
			continue
		}
		select {
		case s.work <- text:
		case <-s.gone.Done():
			return
		}
	}
}

func (s *session) tooMany(second int64) bool {
	if s.second != second {
		s.second, s.count = second, 0
	}
	s.count++
	return s.count > perSecond
}

// write sends what is queued and, once all work is done, says goodbye.
func (s *session) write(worked <-chan struct{}) {
	ping := time.NewTicker(s.e.pingEvery)
	defer ping.Stop()
	for {
		select {
		case f := <-s.out:
			s.send(f)
		case <-ping.C:
			_ = s.conn.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(s.e.writeWithin))
		case <-worked:
			for len(s.out) > 0 {
				s.send(<-s.out)
			}
			s.goodbye()
			return
		}
	}
}

func (s *session) send(f frame) {
	// Whatever an event shows is on disk before it leaves, as with a reply.
	if f.durable && s.e.journal.sync() != nil {
		s.cutOff(false)
		return
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.e.writeWithin))
	if s.conn.WriteMessage(websocket.TextMessage, f.text) != nil || f.last {
		s.cutOff(false)
	}
}

func (s *session) goodbye() {
	code := websocket.CloseNormalClosure
	if s.e.closing.Err() != nil {
		code = websocket.CloseGoingAway
	}
	text := websocket.FormatCloseMessage(code, "")
	_ = s.conn.WriteControl(websocket.CloseMessage, text, time.Now().Add(s.e.writeWithin))
	_ = s.conn.Close()
}

// cutOff ends the connection without a word; a reset ends it rudely.
func (s *session) cutOff(reset bool) {
	if tcp, ok := s.conn.NetConn().(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = s.conn.Close()
	s.leave()
}

// push queues what a client did not ask for at this moment. Whoever does not
// keep up is cut off: waiting would make one slow client everyone's.
func (s *session) push(f frame) {
	select {
	case s.out <- f:
	default:
		s.cutOff(false)
	}
}

// hand queues an answer. It waits for room: then the client's next request
// waits too, and no one else's.
func (s *session) hand(f frame) {
	select {
	case s.out <- f:
		return
	default:
	}
	select {
	case s.out <- f:
	case <-s.gone.Done():
	}
}

func (s *session) say(v any) { s.hand(frame{text: encoded(v)}) }
