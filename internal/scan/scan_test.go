package scan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func job() Job {
	j := Job{ID: "hourly", UserID: "anna", AccountID: "paper", Revision: 1, Spec: Defaults()}
	j.Markets, j.Every, j.Model = []trade.Market{"BTC-EUR"}, trade.Duration(time.Hour), "gpt-5-mini"
	return j
}

func TestJobsOutOfBoundsAreRefusedWithTheField(t *testing.T) {
	require.NoError(t, job().Check())
	cron := job()
	cron.Every, cron.Cron = 0, "*/5 8-18 * * MON-FRI"
	require.NoError(t, cron.Check())
	for says, change := range map[string]func(*Job){
		"id: ":                  func(j *Job) { j.ID = "a/b" },
		"userId: ":              func(j *Job) { j.UserID = "" },
		"accountId: ":           func(j *Job) { j.AccountID = "a b" },
		"markets: name":         func(j *Job) { j.Markets = nil },
		"named twice":           func(j *Job) { j.Markets = []trade.Market{"BTC-EUR", "BTC-EUR"} },
		"not a market":          func(j *Job) { j.Markets = []trade.Market{"BTC/EUR?limit=1"} },
		"intervals: ":           func(j *Job) { j.Intervals = []string{"1h", "1m"} },
		"either an interval":    func(j *Job) { j.Every = 0 },
		"every: 1s must be":     func(j *Job) { j.Every = trade.Duration(time.Second) },
		"cron: ":                func(j *Job) { j.Every, j.Cron = 0, "@every 1s" },
		"jitter: ":              func(j *Job) { j.Jitter = -1 },
		"catchUp: ":             func(j *Job) { j.CatchUp = 0 },
		"proposalLife: ":        func(j *Job) { j.ProposalLife = 0 },
		"model: ":               func(j *Job) { j.Model = "" },
		"profile: ":             func(j *Job) { j.Profile = "../x" },
		"inputPrice: ":          func(j *Job) { j.Prices.Input = decimal.NewFromInt(-1) },
		"maxIdeas: ":            func(j *Job) { j.MaxIdeas = 11 },
		"maxQuote: ":            func(j *Job) { j.MaxQuote = decimal.Decimal{} },
		"maxReply: ":            func(j *Job) { j.MaxReply = 1 },
		"give either an interv": func(j *Job) { j.Cron = "* * * * *" },
	} {
		j := job()
		change(&j)
		require.ErrorContains(t, j.Check(), says)
	}
	require.Len(t, strings.Split(Job{}.Check().Error(), "\n"), 12, "all problems at once")
}

func TestCronThatTemporalWouldRefuseIsRefused(t *testing.T) {
	for text, usable := range map[string]bool{
		"* * * * *": true, "*/5 8-18 * * MON-FRI": true, "0,30 0 1,15 JAN-mar 7": true, "5-59/10 * * * *": true,
		"60 * * * *": false, "* 24 * * *": false, "* * 0 * *": false, "* * * 13 *": false, "* * * * 8": false, "* * * * MON-": false,
		"*/0 * * * *": false, "5-1 * * * *": false, "+1 * * * *": false, "* * * *": false, "* * * * * *": false, ", * * * *": false,
		"TZ=UTC * * * *": false, "* * * * */x": false,
	} {
		j := job()
		j.Every, j.Cron = 0, text
		require.Equal(t, usable, j.Check() == nil, text)
	}
}

func TestAJobSurvivesJSON(t *testing.T) {
	body, err := json.Marshal(job())
	require.NoError(t, err)
	var back Job
	require.NoError(t, json.Unmarshal(body, &back))
	require.NoError(t, back.Check())
	again, err := json.Marshal(back)
	require.NoError(t, err)
	require.JSONEq(t, string(body), string(again))
}

func TestIDsOfARunFitWhereTheyGo(t *testing.T) {
	run := "scan-" + strings.Repeat("a", 40) + "-2026-11-25T00:55:15Z"
	require.NoError(t, trade.CheckID("id", ProposalID(run, 10)))
	require.NotEqual(t, CallID(run, 1), CallID(run, 2))
}

func TestOnlyACallThatSurelyDidNotLeaveIsGivenBack(t *testing.T) {
	for _, code := range []Code{"", ModelBusy, ModelFailed, ModelUnknown, ModelRefused, ReplyCutOff, ReplyInvalid} {
		require.True(t, Answer{Code: code}.Left(), code)
	}
	require.False(t, Answer{Code: ModelUnreachable}.Left())
}
