package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"interlock/internal/outbox"
	"interlock/internal/view"
)

// Events is what happened, in an order that lets whoever goes on after the last
// ID miss nothing.
type Events interface {
	Events(ctx context.Context, account, user string, after int64, most int) ([]outbox.Event, error)
	LastEvent(ctx context.Context) (int64, error)
}

// TooManyStreams refuses a stream to whoever holds as many as one may.
const TooManyStreams = "TOO_MANY_STREAMS"

const (
	eventsPath  = "/api/trading/events"
	lastEventID = "Last-Event-ID"

	// streamsEach is how many streams one user may hold.
	streamsEach = 5

	// streamLife bounds how long a token that was revoked may still listen.
	streamLife = 5 * time.Minute

	streamPoll  = time.Second
	streamBeat  = 15 * time.Second
	streamPage  = 100
	streamWrite = 10 * time.Second // for a client that does not read
)

// EventView is one event as a stream and a webhook carry it.
type EventView struct {
	outbox.Event

	Body map[string]any `json:"body" doc:"What this kind has to say; fields are only ever added"`
	Text string         `json:"text" doc:"The same in a plain sentence"`
}

type eventsInput struct {
	After string `header:"Last-Event-ID" doc:"Go on after this event; without it, with what happens from now on"`
}

var eventType = reflect.TypeFor[EventView]()

// registerEvents puts the stream on the mux.
func (s *server) registerEvents(api huma.API) {
	op := operation("streamEvents", http.MethodGet, eventsPath, "Follow your events as they happen",
		describe(`An operator follows those of every user of the account. Server-sent events: id is the event's, event its kind, data the event in JSON. Send the last id you have seen as Last-Event-ID to go on
after it: nothing is missed, and nothing comes twice. The answer's Last-Event-ID says after which event it begins. A stream ends by
itself after some minutes; connect again.`))
	op.Responses = map[string]*huma.Response{"200": {
		Description: "Events, and comments that keep the connection alive",
		Headers: map[string]*huma.Header{lastEventID: {
			Description: "After which event the stream begins", Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64"},
		}},
		Content: map[string]*huma.MediaType{"text/event-stream": {
			Schema: api.OpenAPI().Components.Schemas.Schema(eventType, true, "EventView"),
		}},
	}}
	huma.Register(api, op, s.streamEvents)
}

// streams counts who listens, and ends all of them at once.
type streams struct {
	mu     sync.Mutex
	open   map[string]int
	over   chan struct{}
	ending sync.Once
}

func newStreams() *streams {
	return &streams{open: map[string]int{}, over: make(chan struct{})}
}

// take reports whether who may listen once more; give must follow then. All
// tokens of a user count together.
func (l *streams) take(who view.Identity) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[who.UserID] >= streamsEach {
		return false
	}
	l.open[who.UserID]++
	return true
}

func (l *streams) give(who view.Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[who.UserID]--; l.open[who.UserID] == 0 {
		delete(l.open, who.UserID)
	}
}

func (l *streams) end() { l.ending.Do(func() { close(l.over) }) }

func (s *server) streamEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	after, err := s.startAfter(ctx, in.After)
	if err != nil {
		return nil, err
	}
	who := whoAsks(ctx)
	if !s.streams.take(who) {
		return nil, problem(http.StatusTooManyRequests, TooManyStreams, "you hold %d streams already; close one", streamsEach)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer s.streams.give(who)
		_, w := humago.Unwrap(h)
		listener := &listener{server: s, account: who.AccountID, user: who.UserID, after: after, w: w, control: http.NewResponseController(w)}
		if who.Role.Covers(view.Operator) {
			listener.user = ""
		}
		listener.listen(h.Context())
	}}, nil
}

// startAfter reads where a client wants to go on; empty is the present.
func (s *server) startAfter(ctx context.Context, given string) (int64, error) {
	if given != "" {
		after, err := strconv.ParseInt(given, 10, 64)
		if err != nil || after < 0 {
			return 0, problem(http.StatusBadRequest, InvalidRequest, lastEventID+": %q is no event's ID", clipped(given))
		}
		return after, nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	last, err := s.Store.LastEvent(ctx)
	if err != nil {
		s.Log.Warn("events not read", "error", err)
		return 0, errDatabase()
	}
	return last, nil
}

// listener is one stream.
type listener struct {
	server  *server
	account string
	user    string // empty: every user of the account
	after   int64
	w       http.ResponseWriter
	control *http.ResponseController
}

// listen writes events until the client goes, the server ends, or its time is
// over. It ends too when the database does not answer: the client comes back
// and is told so.
func (l *listener) listen(ctx context.Context) {
	_ = l.control.SetReadDeadline(time.Time{}) // else the request's own would end it
	l.w.Header().Set("Content-Type", "text/event-stream")
	l.w.Header().Set(lastEventID, strconv.FormatInt(l.after, 10))
	ctx, cancel := context.WithTimeout(ctx, streamLife)
	defer cancel()
	poll, beat := time.NewTicker(streamPoll), time.NewTicker(streamBeat)
	defer poll.Stop()
	defer beat.Stop()
	err := l.write(fmt.Appendf(nil, "retry: 2000\nid: %d\n\n", l.after))
	for err == nil {
		if err = l.tell(ctx); err != nil {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-l.server.streams.over:
			return
		case <-beat.C:
			// An id without data moves the client's Last-Event-ID and no more.
			err = l.write(fmt.Appendf(nil, ": alive\nid: %d\n\n", l.after))
		case <-poll.C:
		}
	}
}

// tell writes what is new. Where nothing is, the next look begins at what is
// there: IDs become visible in their order, so none can appear below it.
func (l *listener) tell(ctx context.Context) error {
	for {
		bound, cancel := context.WithTimeout(ctx, recordsPatience)
		last, err := l.server.Store.LastEvent(bound)
		var events []outbox.Event
		if err == nil && last > l.after {
			events, err = l.server.Store.Events(bound, l.account, l.user, l.after, streamPage)
		}
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				l.server.Log.Warn("events not read", "error", err)
			}
			return err
		}
		if err := l.writeAll(events); err != nil || len(events) < streamPage {
			l.after = max(l.after, last)
			return err
		}
	}
}

func (l *listener) writeAll(events []outbox.Event) error {
	if len(events) == 0 {
		return nil
	}
	var text bytes.Buffer
	for _, e := range events {
		data, err := e.Wire()
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Kind, data)
		l.after = e.ID
	}
	return l.write(text.Bytes())
}

// write sends at once, and gives a client that does not read only so long.
func (l *listener) write(text []byte) error {
	if err := l.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := l.w.Write(text); err != nil {
		return err
	}
	return l.control.Flush()
}
