package workflows

import "go.temporal.io/sdk/workflow"

// Changes of workflow code that runs started before them do not follow. Each
// is asked for where the paths part, so that only runs that come there carry
// its marker; a history recorded before it and one recorded after it are both
// stored. A line goes away with the last run that can lack it: proposals live
// until they expire, so not before the longest expiry has passed.
const (
	// givenUpWhileClaimed: a claim that fails after a cancel ends as CANCELLED.
	// Before, it ended as FAILED, and every later claim failed for the cancel.
	givenUpWhileClaimed = "given-up-while-claimed"

	// strictSignals: a signal with unknown, repeated or null fields, or with
	// texts that no record keeps, is refused. Before, it was taken as
	// encoding/json reads it.
	strictSignals = "strict-signals"

	// wordRepeated: a word on an order that was taken is answered as taken when
	// it is said again. Before, it was refused, for there was no doubt any more.
	wordRepeated = "word-repeated"

	// renewedWhileFollowing: a run whose history has grown long while it follows
	// an order continues as new. Before, it went on to the history's limit.
	renewedWhileFollowing = "renewed-while-following"

	// lookedUntilAnswered: a lookup is tried until the exchange answers, and a
	// person's wish ends it. Before, each one that failed counted.
	lookedUntilAnswered = "looked-until-answered"

	// unclearResolved: a person's resolution of the accepted order is put to the
	// records, which take it while nobody knows the order's status. Before, it was
	// refused, for the order was known.
	unclearResolved = "unclear-resolved"

	// refusalsKept: a signal that is refused, or that lacks an actor or a reason,
	// is in the audit. Before, it was in a worker's log only.
	refusalsKept = "refusals-kept"
)

// changed reports whether this run follows a change.
func changed(ctx workflow.Context, change string) bool {
	return workflow.GetVersion(ctx, change, workflow.DefaultVersion, 1) == 1
}
