package trade

import "errors"

// What a store can say besides that it is broken. A broken store may be asked
// again; these answers stay the same.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflicts with what is stored") // a constraint said no
	ErrInvalid  = errors.New("refused by a rule of the database")
)

// ErrNotActive is the exchange's answer to a cancel that came too late.
var ErrNotActive = errors.New("the order is no longer active")
