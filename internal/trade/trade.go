// Package trade decides. It owns what a proposal, a policy, a verdict and an
// order are, and every rule that says whether a proposal may become an order.
// It refuses to know where facts come from: no I/O, no clock, no Temporal, no
// database. Values go in, values come out, and a stored verdict can be derived
// again from its inputs.
package trade

import "time"

const (
	// AccessWindow is how long after its signed timestamp the exchange may
	// still act on a placing request. It bounds every doubt about an order.
	AccessWindow = 5 * time.Second

	// SendWithin is how long after its claim an execution may start an attempt.
	SendWithin = 30 * time.Second

	// MaxClockSkew is how far the clocks of database and exchange may be apart.
	MaxClockSkew = 2 * time.Second

	// DefaultReadLag is L: the time within which the exchange shows an order to
	// its owner. Accounts may set their own.
	DefaultReadLag = 30 * time.Second

	// OverrideLife is how long an override may be used unless it says otherwise.
	OverrideLife = 15 * time.Minute

	// ExecuteAnswer is how long an execute request waits for the order's end.
	ExecuteAnswer = 10 * time.Second
)
