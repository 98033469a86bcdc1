// Package waittest waits in tests for what must come true, and says at the end
// of its time what was instead. It decides how often to look; how long to wait
// is the test's affair.
package waittest

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

const (
	// closely is how often to look for what lasts a moment.
	closely = 2 * time.Millisecond

	// leisurely leaves a busy machine to what is waited for.
	leisurely = 50 * time.Millisecond
)

// Until asks until it hears nil: met says why it is not yet so. What completes
// the sentence "waited for". After the timeout, or when an answer is that long
// in coming, it ends the test with the last answer.
func Until(t testing.TB, timeout time.Duration, what string, met func() error) {
	t.Helper()
	wait(t, timeout, leisurely, what, met)
}

// Closely is Until for what must be caught in the act.
func Closely(t testing.TB, timeout time.Duration, what string, met func() error) {
	t.Helper()
	wait(t, timeout, closely, what, met)
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
	last := errors.New("nobody has answered yet")
	for {
		asked := time.Now()
		select {
		case heard := <-ask(met):
			if heard.ended {
				t.FailNow() // the question has said why
			}
			if heard.err == nil {
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
