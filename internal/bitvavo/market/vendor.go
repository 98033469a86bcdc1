package market

import (
	"context"
	"errors"
	"fmt"

	"github.com/bitvavo/go-bitvavo-api"
)

// signedWindow is how old a signed read may be on arrival, in milliseconds.
// The official client signs by this machine's clock, so it is wide.
const signedWindow = 30_000

const (
	object = "{"
	list   = "["
)

// turn serialises the official client, because it keeps package variables. A
// call holds it at most for its own timeout, since the door ends its request
// then, and whoever waits gives up after theirs: one hung call delays, and
// never blocks, the others.
var turn = make(chan struct{}, 1)

// ask runs one call of the official client, bounded by ctx and the reader's
// timeout, and turns every way in which it fails into an error. shape is object
// or list.
func ask[T any](ctx context.Context, r *Reader, what, shape string, use func(*bitvavo.Bitvavo) (T, error)) (T, error) {
	var none T
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return none, fmt.Errorf("%s: %w: waiting for an earlier call: %w", what, ErrUnavailable, ctx.Err())
	}
	c := newCall(ctx, r, shape)
	defer c.close()
	reply, err := contain(c.client(), use)
	// What the door saw comes first: what the official client made of it says less.
	if c.failed != nil {
		return none, fmt.Errorf("%s: %w", what, c.failed)
	}
	if err != nil {
		return none, fmt.Errorf("%s: %w", what, r.explain(err))
	}
	return reply, nil
}

// client is made for one call. Debugging stays off: it prints signatures.
func (c *call) client() *bitvavo.Bitvavo {
	return &bitvavo.Bitvavo{
		ApiKey: c.reader.keys.key, ApiSecret: c.reader.keys.secret,
		RestUrl: c.url(), AccessWindow: signedWindow,
	}
}

// contain keeps the official client's panics: it asserts types that a reply
// need not have.
func contain[T any](client *bitvavo.Bitvavo, use func(*bitvavo.Bitvavo) (T, error)) (reply T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the official client panicked: %s", ErrUnavailable, clip(fmt.Sprint(p)))
		}
	}()
	return use(client)
}

// explain says what a MyError leaves out: its text is empty when the reply was
// JSON without the fields that were expected.
func (r *Reader) explain(err error) error {
	var theirs bitvavo.MyError
	if !errors.As(err, &theirs) {
		return err
	}
	switch {
	case theirs.CustomError.Code != 0:
		return &APIError{Code: theirs.CustomError.Code, Message: r.scrub(clip(theirs.CustomError.Message))}
	case theirs.Err != nil:
		return fmt.Errorf("%w: %s", ErrUnavailable, clip(theirs.Err.Error()))
	}
	return fmt.Errorf("%w: the reply is not what was asked for", ErrUnavailable)
}
