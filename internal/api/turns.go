package api

import (
	"context"
	"sync"
)

// width is how many requests of one proposal wait for its workflow at once.
// Temporal admits ten per workflow and turns the others away for a second or
// more; those behind the first few find their answer in the records instead.
const width = 4

// turns lets a few requests of one proposal through at a time. Its zero value
// is ready.
type turns struct {
	mu    sync.Mutex
	lanes map[string]*lane
}

type lane struct {
	slots chan struct{}
	users int
}

// take waits for a turn and reports whether it had to. An error means that ctx
// ended first; otherwise give must follow.
func (t *turns) take(ctx context.Context, id string) (waited bool, err error) {
	l := t.enter(id)
	select {
	case l.slots <- struct{}{}:
		return false, nil
	default:
	}
	select {
	case l.slots <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		t.leave(id)
		return true, ctx.Err()
	}
}

func (t *turns) give(id string) {
	t.mu.Lock()
	l := t.lanes[id]
	t.mu.Unlock()
	<-l.slots
	t.leave(id)
}

func (t *turns) enter(id string) *lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lanes == nil {
		t.lanes = map[string]*lane{}
	}
	l := t.lanes[id]
	if l == nil {
		l = &lane{slots: make(chan struct{}, width)}
		t.lanes[id] = l
	}
	l.users++
	return l
}

func (t *turns) leave(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lanes[id].users--; t.lanes[id].users == 0 {
		delete(t.lanes, id)
	}
}
