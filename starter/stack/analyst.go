package stack

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/demoanalyst"
	"interlock/internal/devstack"
	"interlock/internal/postgres"
	"interlock/internal/scan"
	"interlock/internal/schedules"
	"interlock/internal/trade"
)

// modelVariables name a model server of the operator's own.
var modelVariables = []string{"OPENAI_BASE_URL", "OPENAI_API_KEY_FILE", "INTERLOCK_SCANS_AT_ONCE"}

// ownModel reports whether the operator named a model server.
func (s *Stack) ownModel() bool {
	return s.opts.Getenv("OPENAI_BASE_URL") != "" || s.opts.Getenv("OPENAI_API_KEY_FILE") != ""
}

// startAnalyst starts the demo analyst, which is no language model, unless the
// operator named a server that is one.
func (s *Stack) startAnalyst(ctx context.Context) error {
	if s.ownModel() {
		return nil
	}
	at, err := s.start(ctx, devstack.Child{
		Name: "analyst", Path: s.opts.Self, Args: []string{"analyst", "--port", "0"}, Env: s.inherited(),
		Ready: answersAt("/v1/models"),
	})
	if err == nil {
		s.info.URLs[Analyst] = "http://" + at + "/v1"
	}
	return err
}

// modelEnv is what role scans may know of the model. A key stays in its file.
func (s *Stack) modelEnv() []string {
	if url := s.info.URLs[Analyst]; url != "" {
		return []string{"OPENAI_BASE_URL=" + url}
	}
	var env []string
	for _, name := range modelVariables {
		if value := s.opts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// ScanUser is for whom the demo's scans trade. It is not the first user, whose
// counts and cooldowns are for what people try.
const ScanUser = "scanner"

// ScanPolicy is what the demo's scans may do by themselves: small paper orders.
//
//go:embed scanpolicy.json
var ScanPolicy []byte

// DemoJob is the demo's scan: three markets, every 15 seconds, by the demo
// analyst. The first user's first try is not among its markets.
func DemoJob(account string) scan.Job {
	j := scan.Job{ID: "demo", UserID: ScanUser, AccountID: account, Spec: scan.Defaults()}
	j.Markets, j.Every = []trade.Market{"ETH-EUR", "SOL-EUR", "ADA-EUR"}, trade.Duration(15*time.Second)
	j.Model, j.MaxQuote = demoanalyst.ModelName, decimal.NewFromInt(10)
	j.ProposalLife = trade.Duration(2 * time.Minute)
	return j
}

// ensureScan makes the demo's scan where paper exchange and demo analyst are
// our own. One that was paused or deleted stays so.
func (s *Stack) ensureScan(ctx context.Context) error {
	if s.info.URLs[Admin] == "" || s.info.URLs[Analyst] == "" || s.opts.NoScans {
		return nil
	}
	job := DemoJob(s.opts.Config.Account)
	return s.operate(ctx, func(store *postgres.Store) error {
		_, _, err := store.Policy(ctx, ScanUser, job.AccountID)
		if errors.Is(err, postgres.ErrNotFound) {
			policy, err := trade.ParsePolicy(ScanPolicy)
			if err != nil {
				return err
			}
			if _, err = store.PutPolicy(ctx, ScanUser, job.AccountID, policy, "starter up"); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if err := store.AddScanJob(ctx, job, "starter up"); err != nil && !errors.Is(err, postgres.ErrConflict) {
			return err
		}
		kept, err := store.ScanJob(ctx, job.ID)
		if errors.Is(err, postgres.ErrNotFound) {
			return nil // somebody deleted it
		}
		if err == nil {
			_, err = schedules.Put(ctx, s.temporal, kept)
		}
		return err
	})
}
