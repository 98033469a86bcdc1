package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"interlock/internal/config"
	"interlock/internal/outbox"
	"interlock/internal/postgres"
	"interlock/internal/scan"
	"interlock/migrations"
)

// judged is the only finding of a judgement.
func judged(t *testing.T, judge func(*report)) Finding {
	t.Helper()
	r := report{role: config.Scans}
	judge(&r)
	require.Len(t, r.list, 1)
	return r.list[0]
}

func TestWhatIsOverIsKeptForADayAtLeast(t *testing.T) {
	s := Subject{Role: config.Scans, Temporal: client.Options{Namespace: "trading"}}
	for retention, want := range map[time.Duration]Result{time.Hour: Warn, 24 * time.Hour: OK, 24*time.Hour - 1: Warn} {
		f := judged(t, func(r *report) { require.True(t, s.judgeNamespace(r, engine{retention: retention})) })
		require.Equal(t, want, f.Result, retention)
	}
	f := judged(t, func(r *report) {
		require.False(t, s.judgeNamespace(r, engine{namespace: errors.New("permission denied")}))
	})
	require.Equal(t, Fail, f.Result)
}

func TestAPollerThatIsGoneIsNoWorker(t *testing.T) {
	q := queue{name: "orders-main", kind: enums.TASK_QUEUE_TYPE_ACTIVITY, hosted: config.Orders, listed: 1, silent: 3 * time.Minute}
	f := judged(t, func(r *report) { judgeQueue(r, q) })
	require.Equal(t, Fail, f.Result)
	require.Equal(t, "nobody has polled orders-main for 3m0s", f.Found)
	q.err = errors.New("permission denied")
	require.Equal(t, Unknown, judged(t, func(r *report) { judgeQueue(r, q) }).Result)
}

func TestAClockIsWrongForWhoRestsOnIt(t *testing.T) {
	for _, c := range []struct {
		role            config.Role
		exchange, datab time.Duration
		want            Result
	}{
		{config.Orders, 2 * time.Second, 0, OK}, {config.Orders, 2*time.Second + 1, 0, Fail}, {config.Orders, 0, 3 * time.Second, Fail},
		// This machine alone is off: orders are signed by the exchange's clock, the market's reads by ours.
		{config.Orders, 5 * time.Second, 5 * time.Second, Warn}, {config.Scans, -5 * time.Second, -5 * time.Second, Fail},
	} {
		db := records{found: postgres.Inspection{Ahead: c.datab}}
		f := judged(t, func(r *report) { Subject{Role: c.role}.judgeClocks(r, c.exchange, db) })
		require.Equal(t, c.want, f.Result, c)
	}
	f := judged(t, func(r *report) { judgeServerClock(r, -3*time.Second) })
	require.Equal(t, "the database is 3s behind this machine", f.Found)
}

// What this machine was too slow for is not known, and says why.
func TestWhatCouldNotBeFoundOutInTimeIsUnknownWithItsReason(t *testing.T) {
	late := context.DeadlineExceeded
	exchange := Subject{Role: config.Orders, Exchange: &Exchange{}}
	for name, judge := range map[string]func(*report){
		"clock of the exchange": func(r *report) { exchange.judgeVenue(r, venue{took: 3 * time.Second}, records{accountErr: late}) },
		"clock of the database": func(r *report) {
			Subject{Role: config.Proposals}.judgeRecords(r, records{found: postgres.Inspection{Took: 3 * time.Second}, rulesErr: late})
		},
		"account": func(r *report) { exchange.judgeAccount(r, records{accountErr: late}) },
		"rules":   func(r *report) { judgeRules(r, records{rulesErr: late}) },
		"jobs": func(r *report) {
			Subject{Role: config.Scans}.judgeEngine(r, engine{retention: 24 * time.Hour}, records{jobsErr: late})
		},
	} {
		r := report{role: config.Scans}
		judge(&r)
		found := slices.IndexFunc(r.list, func(f Finding) bool {
			return f.Result == Unknown && (strings.Contains(f.Found, late.Error()) || strings.Contains(f.Found, "3s, too long to tell"))
		})
		require.NotEqual(t, -1, found, "%s: %v", name, r.list)
		require.False(t, slices.ContainsFunc(r.list, func(f Finding) bool { return f.Check == "clock" && f.Result != Unknown }), name)
	}
}

func TestOnlyAFailureFails(t *testing.T) {
	require.False(t, Failed([]Finding{{Result: OK}, {Result: Warn}, {Result: Unknown}}))
	require.True(t, Failed([]Finding{{Result: OK}, {Result: Fail}}))
}

func TestEveryProblemOfAnEnvironmentIsAFindingOfItsOwn(t *testing.T) {
	list := Misconfigured(config.Orders, errors.Join(errors.New("A: is missing; write it"), errors.New("B: is odd")))
	require.Len(t, list, 3)
	require.Equal(t, Finding{config.Orders, "configuration", Fail, "A: is missing", "write it"}, list[0])
	require.Equal(t, Unknown, list[2].Result)
	for _, f := range list {
		require.NotEmpty(t, f.Fix)
	}
}

func TestARuleThatIsNotHeardIsNamedAndFailsNothing(t *testing.T) {
	require.Contains(t, judged(t, func(r *report) { judgeRules(r, records{}) }).Found, "nobody is told")
	require.Equal(t, Unknown, judged(t, func(r *report) { judgeRules(r, records{rulesErr: errors.New("permission denied")}) }).Result)
	sound := postgres.RuleState{Rule: outbox.Rule{ID: "sound"}, Open: 3}
	deaf := postgres.RuleState{Rule: outbox.Rule{ID: "deaf", Service: "webhook"}, Open: 2, GivenUp: 1, LastError: "it answered 500"}
	require.Equal(t, OK, judged(t, func(r *report) { judgeRules(r, records{rules: []postgres.RuleState{sound}}) }).Result)
	f := judged(t, func(r *report) { judgeRules(r, records{rules: []postgres.RuleState{sound, deaf}}) })
	require.Equal(t, Warn, f.Result)
	require.Equal(t, "rule deaf (webhook): 2 events wait, 1 were given up: it answered 500", f.Found)
}

func TestGrantsAreJudgedByTheirOwnVersionOnly(t *testing.T) {
	granted := migrations.Granted(postgres.OrdersRole)
	require.NotEmpty(t, granted)
	found := postgres.Inspection{Login: "l", Groups: []string{postgres.OrdersRole}, Privileges: granted, Schema: migrations.Latest()}
	s := Subject{Role: config.Orders}
	require.Equal(t, OK, judged(t, func(r *report) { s.judgeGrants(r, found) }).Result)
	found.Schema--
	require.Equal(t, Unknown, judged(t, func(r *report) { s.judgeGrants(r, found) }).Result)
	require.Equal(t, Warn, judged(t, func(r *report) { Subject{Role: config.All}.judgeGrants(r, found) }).Result)
}

func TestNoRoleMayClaimPlaceAndTakeMoneyOut(t *testing.T) {
	for group, never := range map[string][]string{
		postgres.APIRole:       {"INSERT trade_executions", "INSERT order_attempts", "UPDATE trading_controls"},
		postgres.ScansRole:     {"INSERT trade_executions", "INSERT order_attempts", "INSERT trading_policies", "UPDATE trade_proposals.status"},
		postgres.OrdersRole:    {"INSERT trade_executions", "INSERT trade_history", "UPDATE trading_controls"},
		postgres.ProposalsRole: {"INSERT trading_policies", "UPDATE trading_controls"},
		postgres.OperatorRole:  {"INSERT trade_executions", "INSERT order_attempts"},
	} {
		for _, privilege := range never {
			require.NotContains(t, migrations.Granted(group), privilege, group)
		}
		for _, privilege := range migrations.Granted(group) {
			require.False(t, strings.HasPrefix(privilege, "DELETE ") || strings.HasPrefix(privilege, "TRUNCATE ") || strings.HasPrefix(privilege, "CREATE "), privilege)
		}
	}
}

func TestAModelThatNobodyNamedIsNotAsked(t *testing.T) {
	asked := false
	s := Subject{Role: config.Scans, Model: &Model{Models: func(context.Context) ([]string, error) { asked = true; return nil, nil }}}
	m := s.listModels(t.Context())
	require.False(t, asked)
	require.Equal(t, Warn, judged(t, func(r *report) { s.judgeModel(r, m, records{jobs: []scan.Job{{ID: "a", Paused: true}}}) }).Result)
	require.Equal(t, Fail, judged(t, func(r *report) { s.judgeModel(r, m, records{jobs: []scan.Job{{ID: "a"}}}) }).Result)
}
