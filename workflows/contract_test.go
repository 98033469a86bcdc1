package workflows_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"interlock/internal/trade"
	"interlock/workflows"
)

var update = flag.Bool("update", false, "write the golden files of the contract anew; read the difference before committing it")

var at = time.Date(2026, 1, 15, 12, 0, 0, 123_456_000, time.UTC)

func order() *workflows.OrderView {
	return &workflows.OrderView{
		OrderID: "1be6d0df-d5dc-4b53-a250-3376f3b393e6", ClientOrderID: "94653f5d-9f4b-5850-acf3-ef974b521c66", Status: "filled",
		FilledAmount: "0.002", FilledAmountQuote: "100", FeePaid: "0.25", FeeCurrency: "EUR",
	}
}

func failure() *workflows.FailureView {
	return &workflows.FailureView{Code: trade.ExchangeRefused, ExchangeCode: "216", Message: "You do not have sufficient balance to complete this operation."}
}

func ref[T any](v T) *T { return &v }

func word() workflows.ResolutionView {
	return workflows.ResolutionView{
		OrderID: "1be6d0df-d5dc-4b53-a250-3376f3b393e6", Absent: true, Actor: "anna", Reason: "seen at the exchange", At: at,
		Weighed: true, Accepted: true, Problem: "the proposal is not UNRESOLVED",
	}
}

func attempts() []workflows.AttemptView {
	return []workflows.AttemptView{{Number: 1, At: at, Reply: trade.Unknown, Code: "109", Message: "the reply was lost", OrderID: "o-1"}}
}

func looks() []workflows.LookupView {
	return []workflows.LookupView{{Attempt: 1, At: at, Saw: trade.Inconclusive, Detail: "503", Orders: []string{"o-1"}}}
}

func blocks() []trade.Block {
	return []trade.Block{
		{Code: trade.CooldownBlocked, Message: "BTC buy traded 30m0s ago (prop-1); cooldown is 1h0m0s"},
		{Code: trade.HourlyLimitReached, Message: "3 trades in the last 60 minutes; the limit is 3"},
	}
}

// contract is every struct that other programs send or receive, once with all
// fields and once as small as it gets.
func contract() map[string]any {
	executed := workflows.ExecuteResult{Status: trade.Executed, Claimed: true, Blocks: []trade.Block{}, PolicyVersion: 3, Order: order()}
	return map[string]any{
		"proposal_input":       workflows.ProposalInput{Looks: 4, Taken: &workflows.ResolveRequest{Absent: true, Actor: "olga", Reason: "support says so"}},
		"proposal_input_empty": workflows.ProposalInput{},

		"execute_request": workflows.ExecuteRequest{
			Actor: "anna", OverrideCooldown: true, OverrideAntiFlip: true, Reason: "news", NotAfter: at.Add(30 * time.Second)},
		"execute_request_plain":    workflows.ExecuteRequest{Actor: "anna"},
		"execute_result":           executed,
		"execute_result_blocked":   workflows.ExecuteResult{Status: trade.Pending, Blocks: blocks(), PolicyVersion: 3},
		"execute_result_failed":    workflows.ExecuteResult{Status: trade.Failed, Claimed: true, Blocks: []trade.Block{}, PolicyVersion: 3, Failure: failure()},
		"execute_result_executing": workflows.ExecuteResult{Status: trade.Executing, Blocks: []trade.Block{}},

		"order_view":          *order(),
		"order_view_unfilled": workflows.OrderView{OrderID: "o-1", ClientOrderID: "c-1", Status: "new", FilledAmount: "0", FilledAmountQuote: "0", FeePaid: "0"},
		"failure_view":        *failure(),
		"failure_view_ours":   workflows.FailureView{Code: trade.ExchangeUnavailable},

		"override_request": workflows.OverrideRequest{
			ID: "ov-1", Cooldown: true, AntiFlip: true, Actor: "anna", Reason: "news", ExpiresAt: at.Add(15 * time.Minute), Execute: true},
		"override_request_plain":  workflows.OverrideRequest{Cooldown: true, Actor: "anna", Reason: "news"},
		"override_request_checks": workflows.OverrideRequest{Checks: []trade.Code{trade.CooldownBlocked, trade.AntiFlipBlocked}, Actor: "anna", Reason: "news"},
		"override_result":         workflows.OverrideResult{OverrideID: "ov-1", Accepted: true, Execute: &executed},
		"override_result_refused": workflows.OverrideResult{OverrideID: "ov-1", Problem: "an override needs a reason"},

		"cancel_request":         workflows.CancelRequest{Actor: "anna", Reason: "changed my mind"},
		"resolve_result":         workflows.ResolveResult{Accepted: true, Status: trade.Executed, Order: order()},
		"resolve_result_refused": workflows.ResolveResult{Problem: "the proposal is FAILED, not UNRESOLVED", Status: trade.Failed, Failure: failure()},
		"word_view":              word(),
		"attempt_view":           attempts()[0],
		"look_view":              looks()[0],
		"state_recording": workflows.State{
			ProposalID: "prop-1", Status: trade.Pending, Blocks: []trade.Block{}, Recording: &workflows.RecordingView{Activity: "RecordOrder", Since: at},
			Refused: []workflows.RefusalView{{Signal: "cancel", Actor: "anna", Problem: "reason: say why", At: at}},
		},

		"resolve_request":        workflows.ResolveRequest{OrderID: "1be6d0df-d5dc-4b53-a250-3376f3b393e6", Actor: "anna", Reason: "seen at the exchange"},
		"resolve_request_absent": workflows.ResolveRequest{Absent: true, Actor: "anna", Reason: "support says there is none"},

		"state": workflows.State{
			ProposalID: "prop-1", Status: trade.Unresolved, Blocks: blocks(), Order: order(), Failure: failure(),
			Attempts: 1, Looks: 2, NextLook: at.Add(time.Minute), ExpiresAt: at.Add(time.Hour),
			Tried: attempts(), Looked: looks(), Word: ref(word())},
		"state_pending": workflows.State{ProposalID: "prop-1", Status: trade.Pending, Blocks: []trade.Block{}},
	}
}

func TestContractIsWrittenAndReadAsItAlwaysWas(t *testing.T) {
	for name, value := range contract() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "contract", name+".json")
			written, err := json.MarshalIndent(value, "", "  ")
			require.NoError(t, err)
			if *update {
				require.NoError(t, os.WriteFile(file, append(written, '\n'), 0o644))
			}
			golden, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(golden), string(written)+"\n")

			back := reflect.New(reflect.TypeOf(value))
			require.NoError(t, json.Unmarshal(golden, back.Interface()))
			require.Equal(t, value, back.Elem().Interface())
		})
	}
}

func TestEveryGoldenFileIsOfTheContract(t *testing.T) {
	files, err := filepath.Glob("testdata/contract/*.json")
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	var want []string
	for name := range contract() {
		want = append(want, name)
	}
	require.ElementsMatch(t, want, names)
}

// TestGoldenFilesShowEveryField keeps a new field from being left out of them.
func TestGoldenFilesShowEveryField(t *testing.T) {
	shown := map[reflect.Type]map[string]bool{}
	for _, value := range contract() {
		v := reflect.ValueOf(value)
		if shown[v.Type()] == nil {
			shown[v.Type()] = map[string]bool{}
		}
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				shown[v.Type()][v.Type().Field(i).Name] = true
			}
		}
	}
	for structure, fields := range shown {
		for i := range structure.NumField() {
			require.True(t, fields[structure.Field(i).Name], "%s.%s is zero in every golden file", structure, structure.Field(i).Name)
		}
	}
}

// TestFieldsThatOthersAddAreIgnored lets old and new programs talk.
func TestFieldsThatOthersAddAreIgnored(t *testing.T) {
	var r workflows.ExecuteRequest
	require.NoError(t, json.Unmarshal([]byte(`{"actor":"anna","sentBy":"a later version"}`), &r))
	require.Equal(t, workflows.ExecuteRequest{Actor: "anna"}, r)
}

// TestTheDocumentedSignalIsUnderstood is the README's example for the temporal
// command line.
func TestTheDocumentedSignalIsUnderstood(t *testing.T) {
	var r workflows.OverrideRequest
	require.NoError(t, json.Unmarshal([]byte(`{"cooldown":true,"actor":"anna","reason":"news","execute":true}`), &r))
	require.Equal(t, workflows.OverrideRequest{Cooldown: true, Actor: "anna", Reason: "news", Execute: true}, r)
}

func TestNamesThatOtherProgramsUseNeverChange(t *testing.T) {
	require.Equal(t,
		[]string{"Proposal", "Reconcile", "Sweep", "execute", "override", "cancel", "resolve", "refresh", "state", "proposals", "scans", "sweep"},
		[]string{
			workflows.ProposalType, workflows.ReconcileType, workflows.SweepType,
			workflows.ExecuteUpdate, workflows.OverrideName, workflows.CancelSignal, workflows.ResolveName, workflows.RefreshSignal, workflows.StateQuery,
			workflows.ProposalsQueue, workflows.ScansQueue, workflows.SweepID,
		})
	require.Equal(t, "orders-paper", workflows.OrdersQueue("paper"))
	require.Equal(t, "follow-paper", workflows.FollowQueue("paper"))
	require.Equal(t, "Scan", workflows.ScanType)
	require.Equal(t, "scans-paper", workflows.ScansQueueOf("paper"))
	require.Equal(t, "scan-hourly", workflows.ScanID("hourly"))
	require.Equal(t, "reconcile-paper", workflows.ReconcileID("paper"))
}

func TestSearchAttributesAreRegisteredAsTheyAreSet(t *testing.T) {
	want := map[string]string{"ProposalStatus": "Keyword", "Market": "Keyword", "Side": "Keyword", "UserId": "Keyword", "BlockedBy": "KeywordList"}
	require.Equal(t, want, workflows.SearchAttributes())
	set := map[string]string{}
	for _, key := range []temporal.SearchAttributeKey{
		workflows.StatusAttribute, workflows.MarketAttribute, workflows.SideAttribute, workflows.UserAttribute, workflows.BlockedByAttribute,
	} {
		set[key.GetName()] = key.GetValueType().String()
	}
	require.Equal(t, want, set)
}

func TestWordsOfTheDomainInTheContractNeverChange(t *testing.T) {
	require.Equal(t, []trade.Status{"PENDING", "EXECUTING", "UNRESOLVED", "EXECUTED", "FAILED", "EXPIRED", "CANCELLED"}, trade.Statuses())
	require.Equal(t, []trade.Code{
		"POLICY_MISSING", "PROPOSAL_CLOSED", "PROPOSAL_EXPIRED", "REQUEST_TOO_LATE", "TRADING_HALTED", "ORDER_UNRESOLVED", "CLOCK_SKEW",
		"ALLOWLIST_EMPTY", "MARKET_NOT_ALLOWED", "ORDER_TOO_SMALL", "ORDER_TOO_LARGE", "CONFIDENCE_TOO_LOW",
		"COOLDOWN_BLOCKED", "ANTI_FLIP_BLOCKED", "DAILY_LIMIT_REACHED", "HOURLY_LIMIT_REACHED",
		"PRICE_STALE", "PRICE_OUTSIDE_COLLAR", "EXPOSURE_LIMIT_REACHED", "REPEAT_THROTTLE", "RECONCILE_STALE",
	}, trade.PreflightCodes())
	require.Equal(t,
		[]trade.Code{"OVERRIDE_REASON_REQUIRED", "SIDE_MISMATCH", "EXCHANGE_REFUSED", "EXCHANGE_UNAVAILABLE", "ORDER_ABSENT", "CANCEL_REQUESTED"},
		[]trade.Code{trade.OverrideReasonRequired, trade.SideMismatch, trade.ExchangeRefused, trade.ExchangeUnavailable, trade.OrderAbsent, trade.CancelRequested})
}
