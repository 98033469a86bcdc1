package postgres

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/internal/outbox"
	"interlock/internal/trade"
	"interlock/migrations"
)

// BenchmarkFact commits facts of eight accounts at once: told to nobody, with
// the outbox alone, and to ten rules. Run it with
//
//	go test ./internal/postgres -run '^$' -bench Fact -count 3
func BenchmarkFact(b *testing.B) {
	for _, c := range []struct {
		name  string
		told  bool
		rules int
	}{{"untold", false, 0}, {"outbox", true, 0}, {"ten rules", true, 10}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := Open(b.Context(), devtest.Database(b, migrations.Up))
			require.NoError(b, err)
			defer s.Close()
			if !c.told {
				_, err := s.pool.Exec(b.Context(), `ALTER TABLE interlock.trading_controls DISABLE TRIGGER trading_controls_announce`)
				require.NoError(b, err)
			}
			for i := range c.rules {
				require.NoError(b, s.AddRule(b.Context(), outbox.Rule{ID: fmt.Sprint(i), AccountID: AllAccounts, Service: "webhook"}, secretTarget, "olga"))
			}
			commitFacts(b, s)
		})
	}
}

func commitFacts(b *testing.B, s *Store) {
	const accounts = 8
	for i := range accounts {
		_, err := s.pool.Exec(b.Context(), `INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ($1, 'paper', 'http://127.0.0.1:1')`, fmt.Sprint(i))
		require.NoError(b, err)
	}
	var started atomic.Int64
	b.SetParallelism(accounts / 2)
	b.RunParallel(func(pb *testing.PB) {
		account := fmt.Sprint(started.Add(1) % accounts)
		for n := 0; pb.Next(); n++ {
			state := []trade.TradingState{trade.Halted, trade.Active}[n%2]
			if err := s.SetTradingState(b.Context(), account, state, "olga", fmt.Sprint(n)); err != nil {
				b.Error(err)
			}
		}
	})
}
