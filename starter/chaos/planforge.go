package chaos

import (
	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/starter/chaos/forgery"
)

// What a forger does beside calling activities and starting workflows, which
// each have a kind of their own.
const (
	ForgeExecution Kind = "forged execution"
	ForgeResult    Kind = "forged result"
	ForgeFailure   Kind = "forged failure"
	ForgeHeartbeat Kind = "forged heartbeat"
	ForgeSignals   Kind = "forged signals"
	ForgeUpdates   Kind = "forged updates"
	FloodRefreshes Kind = "flood of refreshes"
	LieToWorkflows Kind = "liar on queue proposals"
)

func forgedCall(activity string) Kind  { return Kind("forged call of " + activity) }
func forgedStart(workflow string) Kind { return Kind("forged start of " + workflow) }

// decisive are the activities whose forgery would move money, or hide that it
// moved.
var decisive = []string{
	orders.PlaceOrder, orders.FindOrder, orders.ReadOrder, orders.FollowOrder,
	proposals.Preflight, proposals.Conclude, proposals.Resolve, proposals.RecordOrder, proposals.FailExecution,
}

// forgeries are spread over nearly the whole campaign: there is nothing to forge
// before the first proposals were claimed.
func forgeries() []wave {
	list := []wave{
		{ForgeExecution, 8, 0.1, 0.95}, {ForgeResult, 10, 0.1, 0.95}, {ForgeFailure, 6, 0.1, 0.95}, {ForgeHeartbeat, 2, 0.1, 0.95},
		{ForgeSignals, 4, 0.1, 0.95}, {ForgeUpdates, 4, 0.1, 0.95}, {FloodRefreshes, 2, 0.2, 0.8},
		{LieToWorkflows, 3, 0.15, 0.9},
	}
	for _, activity := range forgery.Activities() {
		list = append(list, wave{forgedCall(activity), 1, 0.15, 0.95})
	}
	for _, activity := range decisive {
		list = append(list, wave{forgedCall(activity), 3, 0.15, 0.95})
	}
	for _, workflow := range forgery.Workflows() {
		list = append(list, wave{forgedStart(workflow), 1, 0.15, 0.95})
	}
	return list
}

// planForgeries has a stream of its own: what else breaks stays as it is.
func planForgeries(s Settings) []Disturbance {
	return spread(s.stream(streamForgeries), s, forgeries())
}
