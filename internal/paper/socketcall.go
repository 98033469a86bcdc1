package paper

import (
	"errors"
	"net/http"
	"strings"
)

// handle answers one message.
func (s *session) handle(text []byte) {
	if s.gone.Err() != nil {
		return
	}
	m, err := readMessage(text)
	if err != nil {
		s.refuse(m, err)
		return
	}
	switch m.action {
	case "authenticate":
		err = s.login(m)
	case "subscribe":
		err = s.subscribe(m)
	case "unsubscribe":
		err = s.unsubscribe(m)
	default:
		s.ask(m)
	}
	if err != nil {
		s.refuse(m, err)
	}
}

func (s *session) refuse(m *message, err error) {
	var no refusal
	if !errors.As(err, &no) {
		no = refuse(codeUnknown)
	}
	s.say(m.refused(no))
}

// scalar reads a value that clients send as text or as a number.
func (p *params) scalar(name string) string { return strings.Trim(string(p.raw[name]), `"`) }

// login makes the socket a key's, as a signature over GET /v2/websocket says.
func (s *session) login(m *message) error {
	h := http.Header{}
	for name, field := range map[string]string{"key": "Key", "signature": "Signature", "timestamp": "Timestamp", "window": "Window"} {
		if m.has(name) {
			h.Set("Bitvavo-Access-"+field, m.scalar(name))
		}
	}
	r := &request{method: http.MethodGet, signedPath: "/v2/websocket", arrived: s.e.now()}
	if err := s.e.authenticate(r, h); err != nil {
		return err
	}
	if r.key == nil {
		return refuse(codeNoAuth)
	}
	s.e.mu.Lock()
	s.key = r.key
	s.e.mu.Unlock()
	s.say(struct {
		Event         string `json:"event"`
		Authenticated bool   `json:"authenticated"`
	}{"authenticate", true})
	return nil
}

// ask has the endpoint behind an action answer, unless a fault strikes it.
func (s *session) ask(m *message) {
	var known bool
	if m.route, known = actions[m.action]; !known {
		m.action = "unknown"
		s.refuse(m, refuse(codeNoAction))
		return
	}
	m.key, m.endpoint = s.key, endpoints[m.route]
	r := m.request(s.address)
	fault, struck := s.e.faults.strike(call{method: r.method, path: r.path, signed: m.key != nil, socket: true})
	switch {
	case struck && faultKinds[fault.Kind].unread:
		s.cutOff(true)
	case struck:
		s.deliver(m, s.e.faulty(fault, r))
	default:
		s.deliver(m, s.e.answer(r))
	}
}

// deliver says a reply, or fails to as the reply wants it. A closing exchange
// leaves a request unanswered and says goodbye.
func (s *session) deliver(m *message, out reply) {
	for range drops {
		if out.drip != nil && out.drip(drops) != nil {
			return
		}
	}
	switch answer, sayable := m.answered(out); {
	case out.drop && s.e.closing.Err() != nil:
	case !sayable:
		s.cutOff(out.reset)
	case out.cut:
		text := encoded(answer)
		s.hand(frame{text: text[:len(text)/2], last: true})
	default:
		s.say(answer)
	}
}
