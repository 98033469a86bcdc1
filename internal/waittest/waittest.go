// Package waittest waits in tests for what must come true, and says at the end
// of its time what was instead. It decides how often to look and how long to
// wait: so long that a busy machine is no reason to fail.
package waittest

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// Timeout bounds every wait. It judges nothing: a wait that took noticeable
// time is reported.
const Timeout = 5 * time.Minute

// noticeable is a wait that a reader of the test's log may wonder about.
const noticeable = 10 * time.Second

const (
	// closely is how often to look for what lasts a moment.
	closely = 2 * time.Millisecond

	// leisurely leaves a busy machine to what is waited for.
	leisurely = 50 * time.Millisecond
)

// Until asks until it hears nil: met says why it is not yet so. What completes
// the sentence "waited for". After the Timeout, or when an answer is that long
// in coming, it ends the test with the last answer.
func Until(t testing.TB, what string, met func() error) {
	t.Helper()
	wait(t, Timeout, leisurely, what, met)
}

// Closely is Until for what must be caught in the act.
func Closely(t testing.TB, what string, met func() error) {
	t.Helper()
	wait(t, Timeout, closely, what, met)
}

// Is is an answer for Until: nil if ok, else what was found.
func Is(ok bool, found string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(found, args...)
}

func wait(t testing.TB, timeout, pause time.Duration, what string, met func() error) {
	t.Helper()
	over := time.NewTimer(timeout)
	defer over.Stop()
	last, began := errors.New("nobody has answered yet"), time.Now()
	for {
		asked := time.Now()
		select {
		case heard := <-ask(met):
			if heard.ended {
				t.FailNow() // the question has said why
			}
			if heard.err == nil {
				report(t, began, what)
				return
			}
			last = heard.err
		case <-over.C:
			t.Fatalf("waited %s for %s; the last question has no answer after %s; before it: %v", timeout, what, time.Since(asked).Round(time.Millisecond), last)
		}
		select {
		case <-time.After(max(pause, time.Since(asked))): // a slow question is not asked without end
		case <-over.C:
			t.Fatalf("waited %s for %s; at the end: %v", timeout, what, last)
		}
	}
}

func report(t testing.TB, began time.Time, what string) {
	t.Helper()
	if took := time.Since(began); took > noticeable {
		t.Logf("waited %s for %s", took.Round(time.Millisecond), what)
	}
}

// answer to one question; ended is that it ended its goroutine, as require does.
type answer struct {
	err   error
	ended bool
}

func ask(met func() error) <-chan answer {
	heard := make(chan answer, 1)
	go func() {
		a := answer{ended: true}
		defer func() { heard <- a }()
		a.err = met()
		a.ended = false
	}()
	return heard
}
