package main

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/activities/notify"
	"interlock/activities/scans"
	"interlock/starter/chaos/forgery"
)

// registry notes names, and panics at a way to register that it does not know.
type registry struct {
	worker.Registry

	workflows, activities []string
}

func (r *registry) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.workflows = append(r.workflows, o.Name)
}

func (r *registry) RegisterActivityWithOptions(_ any, o activity.RegisterOptions) {
	r.activities = append(r.activities, o.Name)
}

// RegisterActivity notes every method, as the SDK does.
func (r *registry) RegisterActivity(a any) {
	for i := range reflect.TypeOf(a).NumMethod() {
		r.activities = append(r.activities, reflect.TypeOf(a).Method(i).Name)
	}
}

// A name more is a right more: only role orders, on its placing queue, has
// PlaceOrder, and nobody but role proposals hosts workflows.
func TestEachRoleHostsTheseActivitiesAndNoOthers(t *testing.T) {
	var proposals, place, follow, looks, tell registry
	registerProposals(&proposals, nil, nil)
	var upkeep registry
	registerUpkeep(&upkeep, nil, nil)
	require.ElementsMatch(t, []string{"StartProposal", "Sweep"}, upkeep.activities)
	registerOrders(&place, &follow, ordersHost{})
	registerScans(&looks, &scans.Activities{})
	require.ElementsMatch(t, []string{"Proposal", "Reconcile", "Sweep", "Scan", "Notify"}, proposals.workflows)
	require.ElementsMatch(t, []string{
		"Cancel", "Conclude", "Expire", "FailExecution", "NoteRefusal", "Preflight", "ReadState", "RecordOrder", "Resolve", "StoreOverride",
	}, proposals.activities)
	require.ElementsMatch(t, []string{"PlaceOrder"}, place.activities)
	require.ElementsMatch(t, []string{"FindOrder", "ReadOrder", "FollowOrder", "CancelOrder", "Reconcile"}, follow.activities)
	require.ElementsMatch(t, []string{"ReadMarket", "ReserveCall", "Propose", "SettleCall", "StoreIdeas", "EndScan"}, looks.activities)
	registerNotify(&tell, &notify.Activities{})
	require.ElementsMatch(t, []string{"DueRules", "Deliver"}, tell.activities)
	for _, r := range []registry{place, follow, looks, tell, upkeep} {
		require.Empty(t, r.workflows)
	}
}

// Whatever is registered is forged in campaigns.
func TestTheForgerCallsEveryActivityAndStartsEveryWorkflow(t *testing.T) {
	var all registry
	registerProposals(&all, nil, nil)
	registerUpkeep(&all, nil, nil)
	registerOrders(&all, &all, ordersHost{})
	registerScans(&all, &scans.Activities{})
	registerNotify(&all, &notify.Activities{})
	require.ElementsMatch(t, all.activities, forgery.Activities())
	require.ElementsMatch(t, all.workflows, forgery.Workflows())
}
